"""All settings of the server, as one TOML file holds them: the limits of each room, put together.

Every key has a default that runs, so the empty file is a complete one. docs/settings.md is made from this
(`python -m emailgency.settings_reference`), and a test holds it current.
"""

import os
import socket
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from emailgency.codec.address import parse_domain
from emailgency.command.place import default_data
from emailgency.flows.accounts.access import AccessSettings
from emailgency.flows.accounts.customer_accounts import OperatorLimits
from emailgency.flows.accounts.login import LoginSettings
from emailgency.flows.domains.dns_settings import AssistantSettings, DriftSettings, Published
from emailgency.flows.receiving.examination import AuthenticationSettings
from emailgency.flows.relaying.bounce import BounceSettings
from emailgency.flows.relaying.flush import FlushSettings
from emailgency.flows.relaying.outbound import OutboundSettings
from emailgency.flows.relaying.relay import RelaySettings
from emailgency.flows.relaying.sender_notices import SenderNoticeSettings
from emailgency.flows.trust.protection import ProtectionSettings
from emailgency.flows.trust.signing import SigningSettings
from emailgency.flows.upkeep.expire import ExpirySettings
from emailgency.listening import parse
from emailgency.net.dns import DnsSettings
from emailgency.net.egress import EgressSettings
from emailgency.net.session import CourierSettings
from emailgency.rules.guard import GuardSettings
from emailgency.rules.learning import LearningSettings
from emailgency.rules.retry import RetrySettings
from emailgency.servers.imap.limits import Imap
from emailgency.servers.pop3.limits import Pop3
from emailgency.servers.smtp_service import SmtpSettings
from emailgency.servers.web.limits import Web
from emailgency.settings_file import read
from emailgency.store.directory.directory import DirectorySettings
from emailgency.store.disk import DiskSettings
from emailgency.store.keys.certificates import TlsSettings
from emailgency.store.ledger.ledger import LedgerSettings
from emailgency.store.logins.credentials import CredentialSettings
from emailgency.store.logins.failures import FailureSettings
from emailgency.store.redis.redis import RedisSettings
from emailgency.store.storing.line import StorerSettings

ListenOn = tuple[str, ...] | None


class Listen(Struct, frozen=True, kw_only=True):
    """Addresses to listen on, each "host:port" ("[::1]:25", "*:25"; port 0: one the kernel chooses). Left out: the
    service's own port when we may have it (root, or CAP_NET_BIND_SERVICE); else the second one named, or a free one
    if that is taken. An empty list: not at all.
    """

    smtp: Annotated[ListenOn, Meta(description="Mail from other servers. Port 25, or 2525.")] = None
    submission: Annotated[ListenOn, Meta(description="Mail from users, STARTTLS. Port 587, or 2587.")] = None
    submissions: Annotated[ListenOn, Meta(description="Mail from users, TLS at once. Port 465, or 2465.")] = None
    imap: Annotated[ListenOn, Meta(description="Mailboxes, STARTTLS. Port 143, or 2143.")] = None
    imaps: Annotated[ListenOn, Meta(description="Mailboxes, TLS at once. Port 993, or 2993.")] = None
    pop3: Annotated[ListenOn, Meta(description="INBOX by POP3, STARTTLS. Port 110, or 2110.")] = None
    pop3s: Annotated[ListenOn, Meta(description="INBOX by POP3, TLS at once. Port 995, or 2995.")] = None
    http: Annotated[
        ListenOn, Meta(description="Settings for mail programs, in clear: all of it is public. Port 80, or 2080.")
    ] = None
    https: Annotated[ListenOn, Meta(description="The web. Port 443, or 2443.")] = None
    local: Annotated[
        ListenOn,
        Meta(description="Health and figures for watching programs, in clear. Port 8025, on 127.0.0.1."),
    ] = None

    def __post_init__(self) -> None:
        for service in self.__struct_fields__:
            for text in getattr(self, service) or ():
                try:
                    parse(text)
                except (ValueError, OSError):
                    raise ValueError(f'{service}: "{text}" is not "address:port"') from None


class Log(Struct, frozen=True, kw_only=True):
    """What is written to standard output or twistd's log file."""

    json: Annotated[bool, Meta(description="One JSON object a line instead of text.")] = False


class Stop(Struct, frozen=True, kw_only=True):
    """How the server ends."""

    grace: Annotated[
        int, Meta(ge=0, le=600, description="Seconds that transactions under way get to finish after SIGTERM.")
    ] = 20


class Settings(Struct, frozen=True, kw_only=True):
    """The whole file. The keys at its top say who we are and where things lie."""

    data: Annotated[
        str,
        Meta(description="The data folder. Empty: /var/lib/emailgency for root, else ~/.local/share/emailgency."),
    ] = ""
    host_name: Annotated[
        str, Meta(description="Our name in banners and trace fields. Empty: the name of the machine.")
    ] = ""
    service_domain: Annotated[
        str,
        Meta(description="The domain under which each customer gets an alternate domain. Empty: `host_name`."),
    ] = ""
    listen: Listen = Listen()
    tls: TlsSettings = TlsSettings()
    smtp: SmtpSettings = SmtpSettings()
    imap: Imap = Imap()
    pop3: Pop3 = Pop3()
    web: Web = Web()
    access: AccessSettings = AccessSettings()
    login: LoginSettings = LoginSettings()
    login_failures: FailureSettings = FailureSettings()
    credentials: CredentialSettings = CredentialSettings()
    operator: OperatorLimits = OperatorLimits()
    expiry: ExpirySettings = ExpirySettings()
    protection: ProtectionSettings = ProtectionSettings()
    signing: SigningSettings = SigningSettings()
    authentication: AuthenticationSettings = AuthenticationSettings()
    relay: RelaySettings = RelaySettings()
    outbound: OutboundSettings = OutboundSettings()
    bounces: BounceSettings = BounceSettings()
    flush: FlushSettings = FlushSettings()
    retry: RetrySettings = RetrySettings()
    guard: GuardSettings = GuardSettings()
    learning: LearningSettings = LearningSettings()
    sender_notices: SenderNoticeSettings = SenderNoticeSettings()
    courier: CourierSettings = CourierSettings()
    egress: EgressSettings = EgressSettings()
    dns: DnsSettings = DnsSettings()
    published: Published = Published()
    drift: DriftSettings = DriftSettings()
    assistant: AssistantSettings = AssistantSettings()
    redis: RedisSettings = RedisSettings()
    directory: DirectorySettings = DirectorySettings()
    storer: StorerSettings = StorerSettings()
    disk: DiskSettings = DiskSettings()
    ledger: LedgerSettings = LedgerSettings()
    log: Log = Log()
    stop: Stop = Stop()

    def __post_init__(self) -> None:
        for key in ("host_name", "service_domain"):
            name = getattr(self, key)
            try:
                if name and parse_domain(name) != name:
                    raise ValueError(f"write it as {parse_domain(name)}")
            except ValueError as error:
                raise ValueError(f"{key}: {error}") from None


def load(path: str | None, data: str | None = None) -> Settings:
    """The file at `path` (None: defaults), with empty keys filled in; `data` goes before the file's. Raises Wrong."""
    settings = Settings() if path is None else read(path, Settings)
    host_name = settings.host_name or _host_name()
    return msgspec.structs.replace(
        settings,
        data=os.path.abspath(data or settings.data or default_data()),
        host_name=host_name,
        service_domain=settings.service_domain or host_name,
    )


def _host_name() -> str:
    """The kernel's word; no DNS question, since the server must start when the resolver is dead."""
    name = socket.gethostname().rstrip(".").lower()
    return name if "." in name else f"{name}.localdomain" if name else "localhost.localdomain"
