"""What is done with ticked addresses, by the panel they are ticked in: the same deeds for console and API (row F1)."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from msgspec import Struct

from emailgency.codec.address import parse
from emailgency.flows.addresses.addresses import Addresses
from emailgency.flows.addresses.bulk import Deed, step_of
from emailgency.flows.addresses.candidates import CandidateFlow
from emailgency.flows.addresses.deciding import mailbox_at
from emailgency.flows.addresses.forget_mail import ForgetMail
from emailgency.flows.progress import silent
from emailgency.model.address import Address
from emailgency.model.bulk import Step
from emailgency.model.directory import Alias, Banished, DistributionList, Mailbox
from emailgency.model.errors import Invalid
from emailgency.model.words import Words
from emailgency.store.directory.changes import Author
from emailgency.store.directory.directory import Directory

KINDS = {"mailbox": Mailbox, "alias": Alias, "list": DistributionList, "banished": Banished}
CHANGES: dict[str, dict[str, bool]] = {
    "deny": {"smtp_denied": True},
    "allow": {"smtp_denied": False},
    "vip": {"vip": True},
    "no_vip": {"vip": False},
    "administrator": {"administrator": True},
    "no_administrator": {"administrator": False},
}
WORDS = {
    ("candidate", "mailbox"): Words("Candidates become mailboxes"),
    ("candidate", "alias"): Words("Candidates become aliases"),
    ("candidate", "list"): Words("Candidates become distribution lists"),
    ("candidate", "banish"): Words("Candidates are banished"),
    ("mailbox", "deny"): Words("Mailboxes may not send"),
    ("mailbox", "allow"): Words("Mailboxes may send"),
    ("mailbox", "vip"): Words("Mailboxes are VIP"),
    ("mailbox", "no_vip"): Words("Mailboxes are no longer VIP"),
    ("mailbox", "administrator"): Words("Mailboxes have the administrator right"),
    ("mailbox", "no_administrator"): Words("Mailboxes have no administrator right any more"),
    ("mailbox", "remove"): Words("Mailboxes are removed"),
    ("alias", "remove"): Words("Addresses are unknown again"),
    ("alias", "banish"): Words("Addresses are banished"),
    ("list", "remove"): Words("Addresses are unknown again"),
    ("list", "banish"): Words("Addresses are banished"),
    ("banished", "remove"): Words("Addresses are unknown again"),
}
FOR_GOOD = frozenset({("candidate", "banish"), ("mailbox", "remove")})  # mail is destroyed


class Choice(Struct, frozen=True):
    """What to do with addresses of a kind. `mailbox`: whose alias they become; `members`: of the list."""

    kind: str  # "candidate" or one of KINDS
    deed: str
    mailbox: str = ""
    members: tuple[str, ...] = ()

    @property
    def words(self) -> Words:
        """What is done, as a headline. Raises Invalid."""
        try:
            return WORDS[self.kind, self.deed]
        except KeyError:
            raise Invalid("Choose what to do.") from None


def own(domain: str, text: str) -> Address:
    """An address in this main domain of a customer; the domain may be left out.

    Nobody reaches into another's by naming it (attack row 18).
    """
    text = text.strip()
    address = parse(text if "@" in text else f"{text}@{domain}")
    if address.domain != domain:
        raise Invalid("%(address)s is no address of yours", address=text)
    return address


class AddressDeeds:
    """Each raises Invalid and Temporary."""

    def __init__(
        self, directory: Directory, addresses: Addresses, candidates: CandidateFlow, forget_mail: ForgetMail
    ) -> None:
        self._directory = directory
        self._addresses = addresses
        self._candidates = candidates
        self._forget_mail = forget_mail

    def deed(self, customer: str, domain: str, choice: Choice) -> Deed:
        """For one address after the other. Raises Invalid when there is no such deed."""
        assert choice.words
        members = [own(domain, text) for text in choice.members]
        mailbox = own(domain, choice.mailbox) if (choice.kind, choice.deed) == ("candidate", "alias") else None

        async def done(author: Author, text: str) -> Step | None:
            address = own(domain, text)
            if choice.kind == "candidate":
                return await self._on_candidate(author, address, choice.deed, mailbox, members)
            entry = await self._directory.entry(customer, address.local)
            if choice.kind != "mailbox" and not isinstance(entry, KINDS[choice.kind]):
                raise Invalid("It is no longer what this list showed.")
            if (choice.kind, choice.deed) == ("mailbox", "remove"):
                await self.remove_mailbox(author, address)
                return None
            return await step_of(self._directory, customer, address.local, self._change(author, address, choice.deed))

        return done

    def _change(self, author: Author, address: Address, deed: str) -> Callable[[], Awaitable[object]]:
        if deed in CHANGES:
            return partial(self._addresses.set_mailbox, author, address, **CHANGES[deed])
        change = self._addresses.banish if deed == "banish" else self._addresses.remove
        return partial(change, author, address)

    async def _on_candidate(
        self, author: Author, address: Address, deed: str, mailbox: Address | None, members: Sequence[Address]
    ) -> Step | None:
        if deed == "mailbox":
            return await self._candidates.to_mailbox(author, address)
        if mailbox is not None:
            return await self._candidates.to_alias(author, address, mailbox)
        if deed == "list":
            return await self._candidates.to_list(author, address, list(members))
        return await self._candidates.banish(author, address)

    async def remove_mailbox(self, author: Author, address: Address) -> None:
        """With its mail, for good."""
        mailbox = await mailbox_at(self._directory, address)
        await self._addresses.remove(author, mailbox.address)
        await self._forget_mail.of_mailbox(mailbox, silent)
