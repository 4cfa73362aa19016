"""The commands of POP3, and one line of a client -> one of them (RFC 1939 section 9, RFC 2449, RFC 5034, RFC 6856)."""

import re
from collections.abc import Callable

from msgspec import Struct

_NUMBER = re.compile(rb"[0-9]{1,10}")  # of a message, or of lines; longer ones mean nothing in a maildrop
_MECHANISM = re.compile(rb"[A-Za-z0-9_-]{1,20}")  # RFC 4422 section 3.1


class ProtocolError(Exception):
    """The client is wrong; `words` are our reply."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


class Quit(Struct, frozen=True):
    pass


class Noop(Struct, frozen=True):
    pass


class Capa(Struct, frozen=True):
    pass


class Stls(Struct, frozen=True):
    pass


class Utf8(Struct, frozen=True):
    pass


class Stat(Struct, frozen=True):
    pass


class Rset(Struct, frozen=True):
    pass


class User(Struct, frozen=True):
    name: str


class Pass(Struct, frozen=True):
    password: str


class Auth(Struct, frozen=True):
    """`mechanism` in capitals, "" when the client asks for a list; `initial` in base64, None when there is none."""

    mechanism: str = ""
    initial: bytes | None = None


class List(Struct, frozen=True):
    """`message` as the client counts, from 1; None: all."""

    message: int | None = None


class Uidl(Struct, frozen=True):
    message: int | None = None


class Retr(Struct, frozen=True):
    message: int


class Dele(Struct, frozen=True):
    message: int


class Top(Struct, frozen=True):
    """The header and the first `lines` lines of the body."""

    message: int
    lines: int


Command = Quit | Noop | Capa | Stls | Utf8 | Stat | Rset | User | Pass | Auth | List | Uidl | Retr | Dele | Top


def parse(line: bytes) -> Command:
    """`line` without CRLF. Raises ProtocolError."""
    word, _, rest = line.partition(b" ")
    reader = _READERS.get(word.upper())
    if reader is None:
        raise ProtocolError("I do not know this command.")
    return reader(rest)


def _alone(command: Callable[[], Command]) -> Callable[[bytes], Command]:
    def read(rest: bytes) -> Command:
        if rest.strip(b" "):
            raise ProtocolError("This command takes nothing behind it.")
        return command()

    return read


def _user(rest: bytes) -> Command:
    return User(_text(rest.strip(b" ")))


def _pass(rest: bytes) -> Command:
    """All behind the one space, also further spaces (RFC 1939 section 7)."""
    return Pass(_text(rest))


def _auth(rest: bytes) -> Command:
    mechanism, *initial = rest.split()
    if len(initial) > 1 or not _MECHANISM.fullmatch(mechanism):
        raise ProtocolError("AUTH takes a mechanism and an initial response.")
    return Auth(mechanism.decode("ascii").upper(), initial[0] if initial else None)


def _text(octets: bytes) -> str:
    """Names and passwords are UTF-8, with or without the command UTF8 (RFC 6856 section 2.2)."""
    if not octets:
        raise ProtocolError("Something is missing behind this command.")
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        raise ProtocolError("That is not UTF-8.") from None


def _numbers(rest: bytes, least: int, most: int) -> list[int]:
    words = rest.split()
    if not least <= len(words) <= most or not all(_NUMBER.fullmatch(word) for word in words):
        raise ProtocolError("The number behind this command is missing or is none.")
    return list(map(int, words))


_READERS: dict[bytes, Callable[[bytes], Command]] = {
    b"QUIT": _alone(Quit),
    b"NOOP": _alone(Noop),
    b"CAPA": _alone(Capa),
    b"STLS": _alone(Stls),
    b"UTF8": _alone(Utf8),
    b"STAT": _alone(Stat),
    b"RSET": _alone(Rset),
    b"USER": _user,
    b"PASS": _pass,
    b"AUTH": lambda rest: _auth(rest) if rest.strip(b" ") else Auth(),
    b"LIST": lambda rest: List(*_numbers(rest, 0, 1)),
    b"UIDL": lambda rest: Uidl(*_numbers(rest, 0, 1)),
    b"RETR": lambda rest: Retr(*_numbers(rest, 1, 1)),
    b"DELE": lambda rest: Dele(*_numbers(rest, 1, 1)),
    b"TOP": lambda rest: Top(*_numbers(rest, 2, 2)),
}
