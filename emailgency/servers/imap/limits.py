"""What an operator can set about IMAP."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from emailgency.model.directory import HARD_MESSAGE_LIMIT
from emailgency.model.errors import Invalid
from emailgency.servers.connections import (
    BadCommands,
    ClearLogin,
    ConnectionLimits,
    LoginAttempts,
    LoginSeconds,
    Proxies,
    check_proxies,
)
from emailgency.servers.imap.names import Name, parse

Use = Literal["", "all", "archive", "drafts", "flagged", "junk", "sent", "trash"]


def _folders() -> dict[str, Use]:
    return {"Sent": "sent", "Drafts": "drafts", "Trash": "trash", "Junk": "junk", "Archive": "archive"}


class Imap(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Mailboxes for mail programs."""

    connections: ConnectionLimits = ConnectionLimits()
    proxies: Proxies = ()
    separator: Annotated[
        Literal["/", "."],
        Meta(description="What stands between the names of a folder and the one inside it."),
    ] = "/"
    folders: Annotated[
        dict[str, Use],
        Meta(
            description="Folders made for a new mailbox, each with its special use: all, archive, drafts, flagged,"
            ' junk, sent, trash, or "" for none.'
        ),
    ] = field(default_factory=_folders)
    clear_login: ClearLogin = False
    login_seconds: LoginSeconds = 60
    login_attempts: LoginAttempts = 3
    idle_seconds: Annotated[
        int, Meta(ge=1800, le=86400, description="Seconds of silence before the connection is closed (RFC 3501: 1800).")
    ] = 1800
    stalled_seconds: Annotated[
        int,
        Meta(ge=10, le=3600, description="Seconds a client may take nothing of what we send, or pause in an upload."),
    ] = 120
    append_limit: Annotated[
        int, Meta(ge=1024, le=1 << 30, description="Octets of a message that a mail program stores.")
    ] = HARD_MESSAGE_LIMIT
    large_literals_wait: Annotated[
        bool, Meta(description="LITERAL- in place of LITERAL+: who sends over 4,096 octets has to ask first.")
    ] = False
    eight_bit_headers: Annotated[
        bool,
        Meta(
            description="Also store messages with 8-bit characters in their headers for mail programs that have not"
            " enabled UTF8=ACCEPT, against RFC 6855 section 4: while old mail is brought along."
        ),
    ] = False
    append_messages: Annotated[
        int, Meta(ge=1, le=10_000, description="Messages that one APPEND stores together (MULTIAPPEND).")
    ] = 250
    folder_limit: Annotated[int, Meta(ge=10, le=100_000, description="Folders of one mailbox.")] = 2000
    annotations: Annotated[
        int, Meta(ge=1, le=1000, description="Annotations of one folder (METADATA), or of the server by one user.")
    ] = 100
    annotation_octets: Annotated[
        int, Meta(ge=1024, le=1 << 20, description="Octets of all annotations of one folder, names and values.")
    ] = 65536
    annotation_value: Annotated[int, Meta(ge=64, le=49152, description="Octets of the value of an annotation.")] = 16384
    comment: Annotated[
        str, Meta(description="What mail programs may show about this server (annotation /shared/comment).")
    ] = ""
    contact: Annotated[
        str,
        Meta(description='Where users find the administrator, as a URI: "mailto:help@mydomain.zz" (/shared/admin).'),
    ] = ""
    bad_commands: BadCommands = 20
    mailbox_connections: Annotated[
        int, Meta(ge=1, le=10_000, description="Connections logged in to one mailbox at once.")
    ] = 100

    def __post_init__(self) -> None:
        check_proxies(self.proxies)
        for name in self.folders:
            try:
                parse(name, self.separator)
            except Invalid as error:
                raise ValueError(f"folders: {name!r}: {error}") from None


def new_folders(settings: Imap) -> list[Name]:
    """The folders of a new mailbox as hierarchy parts."""
    return [parse(name, settings.separator) for name in settings.folders]
