"""Hundreds of addresses at once: one change of the directory, all or nothing (import_rows reads the file)."""

from collections.abc import Callable

from msgspec import Struct

from emailgency.flows.accounts.customer_accounts import OperatorLimits, new_id
from emailgency.flows.accounts.passwords import Passwords
from emailgency.flows.addresses.addresses import Addresses
from emailgency.flows.addresses.deciding import check_plan, entry_edits, kind, owner
from emailgency.flows.addresses.import_rows import Row, WrongFile
from emailgency.flows.progress import Progress
from emailgency.model.address import Address
from emailgency.model.directory import Alias, Banished, Customer, DistributionList, Entry, Mailbox
from emailgency.model.errors import Invalid
from emailgency.store.directory.changes import Author, Edit
from emailgency.store.directory.directory import Directory


class Imported(Struct, frozen=True):
    """How many of each were made."""

    mailboxes: int
    aliases: int
    lists: int
    banished: int


class ImportAddresses:
    def __init__(
        self, directory: Directory, addresses: Addresses, passwords: Passwords, limits: OperatorLimits
    ) -> None:
        self._directory = directory
        self._addresses = addresses
        self._passwords = passwords
        self._limits = limits

    async def run(self, author: Author, rows: list[Row], progress: Progress) -> Imported:
        """Raises WrongFile with every mistake; then nothing was made. Passwords are hashed before anything waits."""
        await self._checked(rows, {})  # not an hour of hashing before a mistake is told
        hashes: dict[int, str] = {}
        with_password = [row for row in rows if row.password]
        for done, row in enumerate(with_password):
            progress("passwords hashed", done, len(with_password))
            hashes[row.line] = await self._passwords.hashed(row.password or "")
        async with self._directory.deciding:
            made = await self._checked(rows, hashes)
            edits: list[Edit] = [edit for entry in made for edit in entry_edits(None, entry)]
            customers = {entry.customer for entry in made}
            what = f"{len(made)} addresses imported"
            await self._directory.change(author, what, edits, customers.pop() if len(customers) == 1 else None)
        kinds = [type(entry) for entry in made]
        return Imported(*(kinds.count(one) for one in (Mailbox, Alias, DistributionList, Banished)))

    async def _checked(self, rows: list[Row], hashes: dict[int, str]) -> list[Entry]:
        """The entries to make; raises WrongFile."""
        book = _Book(self._addresses, self._limits)
        for row in rows:
            await book.own(self._directory, row)
        for row in rows:
            book.mailbox(row, hashes.get(row.line))
        for row in rows:
            book.other(row)
        for id in book.entries:
            await book.check_plan(self._directory, id)
        if book.mistakes:
            raise WrongFile(book.mistakes)
        return book.made


class _Book:
    """The directory as it would be with the rows taken so far."""

    def __init__(self, addresses: Addresses, limits: OperatorLimits) -> None:
        self.made: list[Entry] = []
        self.mistakes: list[tuple[int, str]] = []
        self.entries: dict[str, dict[str, Entry]] = {}  # by customer, then local part
        self._addresses = addresses
        self._limits = limits
        self._customers: dict[str, Customer] = {}  # by any of his domains
        self._owned: dict[int, tuple[Customer, Address]] = {}  # by line; a row with a mistake is not there
        self._aliases: dict[str, int] = {}  # how many each mailbox has
        self._last_line: dict[str, int] = {}  # of each customer

    async def own(self, directory: Directory, row: Row) -> None:
        """Whose address it is. The domains of targets are looked up here too."""
        for address in (row.address, *row.target):
            try:
                await self._learn(directory, address)
            except Invalid as error:
                self.mistakes.append((row.line, str(error)))
                return
        customer = self._customers[row.address.domain]
        self._owned[row.line] = customer, Address(row.address.local, customer.domain)
        self._last_line[customer.id] = row.line

    async def _learn(self, directory: Directory, address: Address) -> None:
        if address.domain in self._customers:
            return
        customer, _ = await owner(directory, address)
        self._customers[address.domain] = customer
        if customer.id not in self.entries:
            entries = await directory.entries(customer.id)
            self.entries[customer.id] = {entry.address.local: entry for entry in entries}
            for entry in entries:
                if isinstance(entry, Alias):
                    self._aliases[entry.mailbox] = self._aliases.get(entry.mailbox, 0) + 1

    def mailbox(self, row: Row, password: str | None) -> None:
        if row.type == "mailbox" and row.line in self._owned:
            customer, address = self._owned[row.line]
            self._take(row, lambda: self._new_mailbox(row, customer, address, password))

    def other(self, row: Row) -> None:
        """Aliases, lists and banished: when all mailboxes are there."""
        if row.type != "mailbox" and row.line in self._owned:
            customer, address = self._owned[row.line]
            make = {"alias": self._new_alias, "list": self._new_list, "banished": self._new_banished}[row.type]
            self._take(row, lambda: make(row, customer, address))

    def _take(self, row: Row, make: Callable[[], Entry]) -> None:
        customer, address = self._owned[row.line]
        try:
            found = self.entries[customer.id].get(address.local)
            if found is not None:
                raise Invalid(f"{address} is {kind(found)} already")
            entry = make()
        except Invalid as error:
            self.mistakes.append((row.line, str(error)))
            return
        self.entries[customer.id][address.local] = entry
        self.made.append(entry)

    def _new_mailbox(self, row: Row, customer: Customer, address: Address, password: str | None) -> Entry:
        return Mailbox(
            id=new_id(),
            customer=customer.id,
            address=address,
            password=password,
            administrator=row.administrator,
            vip=row.vip,
            forwards=self._addresses.checked_forwards(row.forward, customer, address),
            keep_copy=row.keep_copy,
        )

    def _new_alias(self, row: Row, customer: Customer, address: Address) -> Entry:
        mailbox = self._target(customer, row.target[0])
        self._aliases[mailbox] = self._aliases.get(mailbox, 0) + 1
        if self._aliases[mailbox] > self._limits.aliases:
            raise Invalid(f"a mailbox has at most {self._limits.aliases} aliases")
        return Alias(customer=customer.id, address=address, mailbox=mailbox)

    def _new_list(self, row: Row, customer: Customer, address: Address) -> Entry:
        members = tuple(dict.fromkeys(self._target(customer, target) for target in row.target))
        if len(members) > self._limits.list_members:
            raise Invalid(f"a list has from 1 to {self._limits.list_members} members")
        return DistributionList(customer=customer.id, address=address, members=members)

    def _new_banished(self, row: Row, customer: Customer, address: Address) -> Entry:
        return Banished(customer=customer.id, address=address)

    def _target(self, customer: Customer, target: Address) -> str:
        """The id of a mailbox of this customer, there already or made by this file."""
        if self._customers[target.domain].id != customer.id:
            raise Invalid(f"{target} is no mailbox of {customer.domain}")
        found = self.entries[customer.id].get(target.local)
        if found is None:
            raise Invalid(f"there is no mailbox {target}, neither here nor in this file")
        if not isinstance(found, Mailbox):
            raise Invalid(f"{target} is no mailbox but {kind(found)}")
        return found.id

    async def check_plan(self, directory: Directory, id: str) -> None:
        """A plan that is too small is told once, at the customer's last line."""
        line = self._last_line.get(id)
        if line is not None:
            plan = await directory.plan((await directory.customer(id)).plan)
            try:
                check_plan(plan, self.entries[id].values())
            except Invalid as error:
                self.mistakes.append((line, str(error)))
