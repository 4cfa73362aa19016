"""File names in a Maildir: `<seconds>.<id>.<host>,S=<size>,U=<uid>:2,<flags>`, and those other programs make.

<https://cr.yp.to/proto/maildir.html>; `,S=` is Maildir++, `,U=` holds the UID. Capital flags are the standard ones
(D draft, F flagged, P passed, R answered, S seen, T trashed), small letters are keywords as Dovecot keeps them.
"""

import re
from hashlib import sha256

from msgspec import Struct

_FIELD = re.compile(r",U=([0-9]{1,10})(?=[,:]|$)")
_UNIQUE = re.compile(r"([0-9]+)\.([^.]+)\.(.+)")
_UNSAFE_HOST = re.compile(r"[^A-Za-z0-9.-]")
_OWN_ID = re.compile(r"k?[0-9a-f]{8}[a-z0-9]{1,32}(?:_[0-9]{1,9})?")  # `store.ids`, and what COPY and prefixes add
_SECONDS = re.compile(r"[0-9]{1,10}")
_LAST = 1 << 36  # seconds; what is later is no time
_HIGHEST = 0xFFFFFFFF  # RFC 3501 section 2.3.1.1: a UID is 32 bits and not zero


class Name(Struct, frozen=True):
    """A name taken apart. `uid` 0 and `size` -1: the name does not say. `others` are fields such as Dovecot's W=."""

    unique: str
    size: int = -1
    uid: int = 0
    flags: str = ""
    others: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The middle of our own unique part; of foreign names what stands there, or ""."""
        match = _UNIQUE.fullmatch(self.unique)
        return match[2] if match else ""

    @property
    def seconds(self) -> int:
        """When the file was made, seconds since the epoch; 0: the name does not say."""
        match = _UNIQUE.fullmatch(self.unique)
        return int(match[1]) if match else 0


def safe_host(name: str) -> str:
    """A host name that cannot be mistaken for fields, flags or folders."""
    return _UNSAFE_HOST.sub("-", name).strip("-.")[:64] or "localhost"


def unique(seconds: int, id: str, host: str) -> str:
    """The part of the name that never changes. `id` has neither dot, comma, colon nor slash."""
    return f"{seconds}.{id}.{host}"


def clean(name: str) -> bool:
    """Whether the name can stay: printable ASCII without space, so that it travels and logs unharmed."""
    return name.isascii() and name.isprintable() and " " not in name


def parse(name: str) -> Name:
    """Take any file name apart; what is not understood stays in `unique` or `others`."""
    base, _, info = name.partition(":")
    flags = info[2:] if info.startswith("2,") else ""
    first, *fields = base.split(",")
    size, uid, others = -1, 0, []
    for field in fields:
        number = field[2:] if field[2:].isascii() and field[2:].isdigit() and len(field) <= 20 else ""
        if field.startswith("S=") and number and size < 0:
            size = int(number)
        elif field.startswith("U=") and number and uid == 0 and int(number) <= _HIGHEST:
            uid = int(number)
        else:
            others.append(field)
    letters = "".join(sorted({letter for letter in flags if letter.isascii() and letter.isalpha()}))
    return Name(first, size, uid, letters, tuple(others))


def uid_of(name: str) -> int:
    """Only the UID, quickly; 0 when there is none."""
    match = _FIELD.search(name)
    uid = int(match[1]) if match else 0
    return uid if uid <= _HIGHEST else 0


def flags_of(name: str) -> str:
    """The letters behind `:2,` as they stand."""
    return name.partition(":2,")[2]


def email_id(name: str) -> str:
    """`email_id_of` a file name."""
    return email_id_of(parse(name))


def email_id_of(taken: Name) -> str:
    """RFC 8474: the same for the copies of a message, and for no other one; at most 64 letters, digits, `_` and `-`.

    A copy carries the id of its original in the field `E=`. What another program named is known by a hash of that.
    """
    for field in taken.others:
        if field.startswith("E=") and _OWN_ID.fullmatch(field[2:]):
            return field[2:]
    return taken.id if _OWN_ID.fullmatch(taken.id) else sha256(taken.unique.encode("utf-8", "replace")).hexdigest()


def saved_at(name: str) -> int:
    """RFC 8514: when the message came into its folder, seconds since the epoch; 0: nobody knows.

    A moved message says so in the field `D=`, for others it is the second at which their file was made.
    """
    taken = parse(name)
    for field in taken.others:
        if field.startswith("D=") and _SECONDS.fullmatch(field[2:]):
            return int(field[2:])
    return taken.seconds if taken.seconds < _LAST else 0


def moved(others: tuple[str, ...], at: int) -> tuple[str, ...]:
    """The fields of a message that is moved at a second."""
    return (*(field for field in others if not field.startswith("D=")), f"D={at}")


def base_of(name: str) -> str:
    """The name without its flags."""
    return name.partition(":")[0]


def compose(name: Name, *, info: bool = True) -> str:
    """The file name. `info=False` for tmp/ and new/: without the flag part."""
    fields = "".join(f",{other}" for other in name.others)
    size = f",S={name.size}" if name.size >= 0 else ""
    uid = f",U={name.uid}" if name.uid else ""
    return f"{name.unique}{size}{fields}{uid}" + (f":2,{name.flags}" if info else "")


def with_flags(name: str, letters: str) -> str:
    """The name it has in cur/ with these letters."""
    return f"{base_of(name)}:2,{letters}"
