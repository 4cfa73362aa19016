"""What an operator can set about POP3."""

from typing import Annotated

from msgspec import Meta, Struct

from emailgency.servers.connections import ConnectionLimits, check_proxies


class Pop3(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The INBOX for mail programs that fetch it by POP3."""

    connections: ConnectionLimits = ConnectionLimits()
    proxies: Annotated[
        tuple[str, ...],
        Meta(description="Addresses of proxies that begin each connection with a PROXY header (version 1 or 2)."),
    ] = ()
    clear_login: Annotated[
        bool, Meta(description="Let users on this machine (loopback) log in without TLS; nobody else ever may.")
    ] = False
    mark_seen: Annotated[
        bool, Meta(description="Messages that were fetched and left here count as read in IMAP and webmail.")
    ] = True
    login_seconds: Annotated[int, Meta(ge=5, le=600, description="Seconds from the connection to a login.")] = 60
    login_attempts: Annotated[int, Meta(ge=1, le=20, description="Failed logins before the connection is closed.")] = 3
    idle_seconds: Annotated[
        int, Meta(ge=600, le=86400, description="Seconds of silence before the connection is closed (RFC 1939: 600).")
    ] = 600
    stalled_seconds: Annotated[
        int, Meta(ge=10, le=3600, description="Seconds a client may take nothing of what we send.")
    ] = 120
    bad_commands: Annotated[
        int, Meta(ge=3, le=1000, description="Commands not understood before the connection is closed.")
    ] = 20

    def __post_init__(self) -> None:
        check_proxies(self.proxies)
