"""The one door to a mailbox, for IMAP, submission and web (attack rows 7 and 8).

Unknown names, mailboxes without a password and wrong passwords cost the same work and get the same answer. Budgets of
failed logins are shared by all services (store.failures); within them a failure is answered later each time.
"""

import contextlib
from typing import Annotated

from msgspec import Meta, Struct
from twisted.internet import defer
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from emailgency.codec.address import parse, parse_domain
from emailgency.model.address import Address
from emailgency.model.directory import Alias, Mailbox, Operator
from emailgency.model.errors import Invalid, Temporary
from emailgency.model.verdict import Verdict
from emailgency.store.directory.directory import Directory
from emailgency.store.logins.credentials import Credentials
from emailgency.store.logins.failures import Failures
from emailgency.store.logins.last_logins import LastLogin, LastLogins

WRONG = Verdict(535, "5.7.8", "wrong name or password")
PATIENCE = 3.0  # seconds; right after a start the directory takes 0.2, and whoever had connected comes back at once
SUSPENDED = Verdict(535, "5.7.8", "the service for this domain is suspended")
TOO_MANY = Verdict(454, "4.7.0", "too many failed logins, try again later")


class LoginSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How users log in."""

    default_domain: Annotated[
        str, Meta(description="Domain of users who log in with a bare name. Empty: they must give their address.")
    ] = ""
    delay: Annotated[
        float, Meta(ge=0, description="Seconds before the first failed login is answered; doubled at each.")
    ] = 0.25
    delay_max: Annotated[float, Meta(ge=0, le=60, description="Most seconds before a failed login is answered.")] = 8.0

    def __post_init__(self) -> None:
        if self.default_domain:
            try:
                parse_domain(self.default_domain)
            except Invalid as error:
                raise ValueError(f"default_domain: {error}") from None


class Source(Struct, frozen=True):
    """Where a login comes from."""

    service: str  # "imap", "smtp", "web"
    ip: str


class Principal(Struct, frozen=True):
    """Who has logged in. Sessions ask `Login.still_valid` now and then."""

    customer: str
    mailbox: str
    address: Address
    administrator: bool
    generation: int


class Login:
    """Raises Temporary when the directory does not know now, or too many log in at once."""

    log = Logger()

    def __init__(
        self,
        directory: Directory,
        credentials: Credentials,
        failures: Failures,
        reactor: IReactorTime,
        settings: LoginSettings,
    ) -> None:
        self._directory = directory
        self._credentials = credentials
        self._failures = failures
        self._reactor = reactor
        self._settings = settings
        self.logins: LastLogins | None = None  # who remembers them; None: nobody does

    async def authenticate(self, name: str, password: str, source: Source) -> Principal | Verdict:
        """`name`: the mailbox's address or an alias of it, in any domain of the customer, or a bare name."""
        address = self._address(name)
        mailbox = None if address is None else await self._patiently(address)
        account = mailbox.id if mailbox is not None else str(address or name)
        refusal = await self._proven(account, mailbox, name, password, source)
        if refusal is not None:
            return refusal
        assert mailbox is not None
        return await self.welcome(mailbox, source)

    async def welcome(self, mailbox: Mailbox, source: Source) -> Principal | Verdict:
        """For who has proven that the mailbox is his, by its password or otherwise."""
        if (await self._directory.customer(mailbox.customer)).suspended:
            self._tell("refused, suspended", str(mailbox.address), source)
            return SUSPENDED
        if self.logins is not None:
            self.logins.note(mailbox.id, source.service)
        return Principal(
            customer=mailbox.customer,
            mailbox=mailbox.id,
            address=mailbox.address,
            administrator=mailbox.administrator,
            generation=mailbox.generation,
        )

    async def last_login(self, mailbox: str) -> LastLogin | None:
        """None: nobody was, or nobody knows now."""
        if self.logins is None:
            return None
        try:
            return await self.logins.of(mailbox)
        except Temporary:
            return None

    async def still_valid(self, principal: Principal) -> bool:
        """False when the mailbox has gone, its password or rights have changed since, or its customer is suspended."""
        mailbox = await self._directory.mailbox(principal.mailbox)
        if mailbox is None or mailbox.generation != principal.generation:
            return False
        return not (await self._directory.customer(mailbox.customer)).suspended

    async def authenticate_operator(self, name: str, password: str, source: Source) -> Operator | Verdict:
        """As `authenticate`, for whoever runs the server: by the console only, since he has no mailbox."""
        operator = await self._directory.operator(name)
        refusal = await self._proven(f"operator {name}", operator, name, password, source)
        if refusal is not None:
            return refusal
        assert operator is not None
        return operator

    async def _proven(
        self, account: str, holder: Mailbox | Operator | None, name: str, password: str, source: Source
    ) -> Verdict | None:
        """None: it is the holder's password. `account` is whom failures are counted for."""
        generation = holder.generation if holder is not None else 0
        attempt = await self._failures.take(account, source.ip, f"{generation} {password}")
        if attempt is None:
            self._tell("refused, too many failures", name, source)
            return TOO_MANY
        if attempt.repeated or not await self._credentials.right(holder, password):
            self._failures.failed(attempt)
            self._tell("failed", name, source)
            await self._wait(attempt.failures)
            return WRONG
        await self._failures.succeeded(attempt)
        return None

    async def operator_still_valid(self, name: str, generation: int) -> bool:
        """False when he has gone, or has another password since."""
        operator = await self._directory.operator(name)
        return operator is not None and operator.generation == generation

    def _address(self, name: str) -> Address | None:
        if "@" not in name and self._settings.default_domain:
            name = f"{name}@{self._settings.default_domain}"
        try:
            return parse(name)
        except Invalid:
            return None

    async def _patiently(self, address: Address) -> Mailbox | None:
        """The mailbox; when the directory does not know now, it gets a little time to come back."""
        try:
            return await self._mailbox(address)
        except Temporary:
            with contextlib.suppress(defer.TimeoutError):
                await self._directory.when_ready().addTimeout(PATIENCE, self._reactor)
            return await self._mailbox(address)

    async def _mailbox(self, address: Address) -> Mailbox | None:
        domain = await self._directory.domain(address.domain)
        if domain is None:
            return None
        entry = await self._directory.entry(domain.customer, address.local)
        if isinstance(entry, Alias):
            entry = await self._directory.mailbox(entry.mailbox)
        return entry if isinstance(entry, Mailbox) else None

    async def _wait(self, failures: int) -> None:
        seconds = min(self._settings.delay_max, self._settings.delay * 2.0 ** min(failures, 16))
        await deferLater(self._reactor, seconds)

    def _tell(self, what: str, name: str, source: Source) -> None:
        self.log.info(
            "login {what}: {name} by {service} from {ip}",
            what=what,
            name=repr(name[:200]),
            service=source.service,
            ip=source.ip,
        )
