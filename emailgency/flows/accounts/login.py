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
from emailgency.model.directory import Alias, AppPassword, Mailbox, Operator
from emailgency.model.errors import Invalid, Temporary
from emailgency.model.verdict import Verdict
from emailgency.rules import spoken_secrets
from emailgency.store.directory.directory import Directory
from emailgency.store.logins.credentials import Credentials
from emailgency.store.logins.failures import Failures
from emailgency.store.logins.last_logins import LastLogin, LastLogins
from emailgency.store.logins.uses import Uses

WRONG = Verdict(535, "5.7.8", "wrong name or password")
PATIENCE = 3.0  # seconds; right after a start the directory takes 0.2, and whoever had connected comes back at once
SUSPENDED = Verdict(535, "5.7.8", "the service for this domain is suspended")
TOO_MANY = Verdict(454, "4.7.0", "too many failed logins, try again later")
MAIL_PROGRAMS = frozenset({"imap", "pop3", "smtp"})  # services that can ask for nothing beside a password


class LoginSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How users log in."""

    default_domain: Annotated[
        str, Meta(description="Domain of users who log in with a bare name. Empty: they must give their address.")
    ] = ""
    delay: Annotated[
        float, Meta(ge=0, description="Seconds before the first failed login is answered; doubled at each.")
    ] = 0.25
    delay_max: Annotated[float, Meta(ge=0, le=60, description="Most seconds before a failed login is answered.")] = 8.0
    require_second_factor: Annotated[
        bool,
        Meta(description="Operators and administrators need a second factor in the console."),
    ] = False

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
    app_password: str = ""  # id of the one that was given in place of the account's password
    half: bool = False  # the password was right, and the second factor is still to come

    def holds(self, mailbox: Mailbox) -> bool:
        """Whether what he has logged in with would still open it."""
        if mailbox.generation != self.generation:
            return False
        return not self.app_password or any(one.id == self.app_password for one in mailbox.app_passwords)


def principal(mailbox: Mailbox, *, app_password: str = "", half: bool = False) -> Principal:
    return Principal(
        customer=mailbox.customer,
        mailbox=mailbox.id,
        address=mailbox.address,
        administrator=mailbox.administrator,
        generation=mailbox.generation,
        app_password=app_password,
        half=half,
    )


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
        self.uses: Uses | None = None  # and those of app passwords

    async def authenticate(self, name: str, password: str, source: Source) -> Principal | Verdict:
        """`name`: the mailbox's address or an alias of it, in any domain of the customer, or a bare name.

        A mail program may give an app password, and must when there is a second factor. The browser must give the
        account's, and what it gets then is only half a login.
        """
        address = self._address(name)
        mailbox = None if address is None else await self._patiently(address)
        account = mailbox.id if mailbox is not None else str(address or name)
        program = source.service in MAIL_PROGRAMS
        given = _app_password(mailbox, password) if program else None
        guarded = mailbox is not None and mailbox.second_factor is not None
        # With a second factor a program hears nothing of the account's password: it is compared with nobody's
        holder = None if program and guarded else mailbox
        refusal = await self._proven(account, holder, name, password, source, known=given is not None)
        if refusal is not None:
            return refusal
        assert mailbox is not None
        if given is not None and self.uses is not None:
            self.uses.note(mailbox.id, given.id, source.ip)
        return await self.welcome(mailbox, source, app_password=given.id if given else "", half=guarded and not program)

    async def welcome(
        self, mailbox: Mailbox, source: Source, *, app_password: str = "", half: bool = False
    ) -> Principal | Verdict:
        """For who has proven that the mailbox is his, by its password or otherwise; `half`: not yet quite."""
        if (await self._directory.customer(mailbox.customer)).suspended:
            self._tell("refused, suspended", str(mailbox.address), source)
            return SUSPENDED
        if self.logins is not None and not half:
            self.logins.note(mailbox.id, source.service)
        return principal(mailbox, app_password=app_password, half=half)

    async def last_login(self, mailbox: str) -> LastLogin | None:
        """None: nobody was, or nobody knows now."""
        if self.logins is None:
            return None
        try:
            return await self.logins.of(mailbox)
        except Temporary:
            return None

    async def still_valid(self, principal: Principal) -> bool:
        """False when the mailbox has gone, its password, second factor or rights have changed since, the app password
        was removed, or its customer is suspended.
        """
        mailbox = await self._directory.mailbox(principal.mailbox)
        if mailbox is None or not principal.holds(mailbox):
            return False
        return not (await self._directory.customer(mailbox.customer)).suspended

    async def authenticate_operator(self, name: str, password: str, source: Source) -> Operator | Verdict:
        """As `authenticate`, for whoever runs the server: by the console only, since he has no mailbox. Where he has a
        second factor, it is still to come.
        """
        operator = await self._directory.operator(name)
        refusal = await self._proven(f"operator {name}", operator, name, password, source)
        if refusal is not None:
            return refusal
        assert operator is not None
        return operator

    async def needs_second_factor(self, customer: str, *, administrator: bool, operator: bool) -> bool:
        """Whether these rights in the console want one. `customer`: whom he looks after, or OPERATOR."""
        if not (administrator or operator):
            return False
        if self._settings.require_second_factor:
            return True
        return administrator and (await self._directory.customer(customer)).second_factor_required

    async def _proven(
        self,
        account: str,
        holder: Mailbox | Operator | None,
        name: str,
        password: str,
        source: Source,
        known: bool = False,
    ) -> Verdict | None:
        """None: it is the holder's password, or `known` to be good. `account` is whom failures are counted for."""
        generation = holder.generation if holder is not None else 0
        attempt = await self._failures.take(account, source.ip, f"{generation} {password}")
        if attempt is None:
            self._tell("refused, too many failures", name, source)
            return TOO_MANY
        if not known and (attempt.repeated or not await self._credentials.right(holder, password)):
            self._failures.failed(attempt)
            self._tell("failed", name, source)
            await self._wait(attempt.failures)
            return WRONG
        await self._failures.succeeded(attempt)
        return None

    async def check_present(self, holder: Mailbox | Operator, password: str, source: Source) -> None:
        """Whoever holds a session or a token must know it before he changes how one logs in. Raises Invalid."""
        if isinstance(holder, Operator):
            found: object = await self.authenticate_operator(holder.id, password, source)
        else:
            found = await self.authenticate(str(holder.address), password, source)
        if isinstance(found, Verdict):
            raise Invalid("The present password is wrong.")

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


def _app_password(mailbox: Mailbox | None, password: str) -> AppPassword | None:
    """Which of the mailbox's it is; some microseconds for all of them."""
    if mailbox is None or not mailbox.app_passwords:
        return None
    place = spoken_secrets.found(password, mailbox.id, (one.hash for one in mailbox.app_passwords))
    return None if place is None else mailbox.app_passwords[place]
