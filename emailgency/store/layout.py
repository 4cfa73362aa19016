"""Where everything lies below the data folder: the only maker of paths, all of them relative to it.

Names that people choose never reach a path as they are: customers and mailboxes have opaque ids, addresses a hash,
folders an encoding that leaves neither dot nor slash nor control character (row 30 of the attack list).
"""

import re
import time
from base64 import b64decode, b64encode
from functools import lru_cache

from emailgency.model.address import Address
from emailgency.model.errors import Invalid

JOURNAL = "spool/journal"
CORRUPT = "spool/corrupt"
BALLAST = "spool/ballast"
SPOOL = "spool"
TRASH = "spool/trash"
UIDVALIDITY = "uidvalidity"
SUBSCRIPTIONS = "subscriptions"  # of a mailbox, in its own folder
HISTORY = "history"  # of customers' servers
DNS_HISTORY = "dns-history"  # of customers' domains
BELIEVED_TIME = "believed-time"  # of the wall clock
LEDGER = "ledger"  # what became of each message: one file a customer
LEDGER_MARK = "ledger/position"  # how far its writer has read the spool journal
SECRET = "secret"  # noqa: S105 -- where it lies
SIGNING = "signing"  # keys that mail is signed with
SUBFOLDERS = ("tmp", "new", "cur")
NAME_LIMIT = 255  # octets of one path component on every file system we know

_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_MESSAGE_ID = re.compile(r"[0-9a-f]{8}[a-z0-9]{1,32}")
_PIECES = re.compile(r"&|[ -%'-\-0-~]+|[^ -%'-\-0-~&]+")  # ampersand, what may stay, what goes to base64


def _checked(id: str) -> str:
    if not _ID.fullmatch(id):
        raise Invalid(f"not an id: {id!r}")
    return id


@lru_cache(4096)
def mailbox(customer: str, mailbox: str) -> str:
    """The Maildir of a mailbox; it is its INBOX."""
    return f"customers/{_checked(customer)}/mailboxes/{_checked(mailbox)}"


def is_mailbox(path: str) -> bool:
    """Whether it is one that `mailbox` made: no folder of one, no catchall."""
    parts = path.split("/")
    return len(parts) == 4 and parts[2] == "mailboxes"


@lru_cache(4096)
def catchall(customer: str, address: Address) -> str:
    """The small Maildir of an unknown address."""
    from emailgency.codec.address import opaque  # the storer imports this module and must start at once

    return f"{catchall_of(customer)}/{_checked(opaque(address))}"


@lru_cache(1024)
def catchall_of(customer: str) -> str:
    """Where the Maildirs of a customer's unknown addresses lie."""
    return f"customers/{_checked(customer)}/catchall"


@lru_cache(1024)
def undelivered(customer: str) -> str:
    """The Maildir Undelivered of a customer."""
    return f"customers/{_checked(customer)}/undelivered"


def folder(mailbox_path: str, name: tuple[str, ...]) -> str:
    """The Maildir++ folder of these hierarchy parts; () is the INBOX. Raises Invalid for names no disk can hold."""
    if not name:
        return mailbox_path
    if not all(name):
        raise Invalid("a folder name has an empty part")
    encoded = "." + ".".join(_encode_part(part) for part in name)
    if len(encoded) > NAME_LIMIT:
        raise Invalid("the folder name is too long")
    return f"{mailbox_path}/{encoded}"


def folder_name(mailbox_path: str, path: str) -> tuple[str, ...]:
    """The hierarchy parts of a path of `folder`; foreign spellings come out as they stand."""
    if path == mailbox_path:
        return ()
    return tuple(_decode_part(part) for part in path[len(mailbox_path) + 2 :].split("."))


def mailbox_of(path: str) -> str:
    """The mailbox (or Undelivered) that a folder belongs to."""
    head, _, tail = path.rpartition("/")
    return head if tail.startswith(".") else path


def message(id: str) -> str:
    """The spool file of a message: its id begins with the second of its arrival."""
    return f"{hour(id)}/{id}.msg"


def hour(id: str) -> str:
    """The folder of a message in the spool: the hour of arrival, UTC."""
    if not _MESSAGE_ID.fullmatch(id):
        raise Invalid(f"not a message id: {id!r}")
    return _hour(int(id[:8], 16) // 3600)


@lru_cache(64)
def _hour(hours: int) -> str:
    return time.strftime("spool/%Y-%m-%dT%H", time.gmtime(hours * 3600))


@lru_cache(1024)
def ledger(customer: str) -> str:
    """What became of the messages of a customer: an SQLite file."""
    return f"{LEDGER}/{_checked(customer)}.sqlite"


def segment(number: int) -> str:
    """A segment of the spool journal."""
    return f"{JOURNAL}/{number:08d}.log"


def _encode_part(part: str) -> str:
    """Modified UTF-7 (RFC 3501 section 5.1.3) as Dovecot writes it, with dot and slash in base64 too."""
    pieces = []
    for piece in _PIECES.findall(part):
        if piece == "&":
            pieces.append("&-")
        elif " " <= piece[0] <= "~" and piece[0] not in "./":
            pieces.append(piece)
        else:
            octets = piece.encode("utf-16-be", "surrogatepass")
            pieces.append("&" + b64encode(octets, b"+,").rstrip(b"=").decode() + "-")
    return "".join(pieces)


def _decode_part(part: str) -> str:
    def shifted(match: re.Match[str]) -> str:
        if not match[1]:
            return "&"
        try:
            octets = b64decode(match[1] + "=" * (-len(match[1]) % 4), b"+,", validate=True)
            return octets.decode("utf-16-be")
        except ValueError:
            return match[0]

    return re.sub(r"&([A-Za-z0-9+,]*)-", shifted, part)
