"""What an operator can set about POP3."""

from typing import Annotated

from msgspec import Meta, Struct

from emailgency.servers.connections import (
    BadCommands,
    ClearLogin,
    ConnectionLimits,
    LoginAttempts,
    LoginSeconds,
    Proxies,
    check_proxies,
)


class Pop3(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The INBOX for mail programs that fetch it by POP3."""

    connections: ConnectionLimits = ConnectionLimits()
    proxies: Proxies = ()
    clear_login: ClearLogin = False
    mark_seen: Annotated[
        bool, Meta(description="Messages that were fetched and left here count as read in IMAP from then on.")
    ] = True
    login_seconds: LoginSeconds = 60
    login_attempts: LoginAttempts = 3
    idle_seconds: Annotated[
        int, Meta(ge=600, le=86400, description="Seconds of silence before the connection is closed (RFC 1939: 600).")
    ] = 600
    stalled_seconds: Annotated[
        int, Meta(ge=10, le=3600, description="Seconds a client may take nothing of what we send.")
    ] = 120
    bad_commands: BadCommands = 20

    def __post_init__(self) -> None:
        check_proxies(self.proxies)
