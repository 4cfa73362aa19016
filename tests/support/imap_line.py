"""A blocking IMAP client, byte for byte: for threads that outlive many servers."""

import re
import socket
from typing import BinaryIO

from msgspec import Struct

PATIENCE = 30.0  # seconds
_LITERAL = re.compile(rb"\{(\d+)\}\r\n$")
_UID = re.compile(rb"UID (\d+)")
_FLAGS = re.compile(rb"FLAGS \(([^)]*)\)")
_LABEL = re.compile(rb"X-Label: (\S+)")
_COPIED = re.compile(rb"\[COPYUID (\d+) (\S+) (\S+)\]")
_APPENDED = re.compile(rb"\[APPENDUID (\d+) (\d+)\]")


class No(Exception):
    """The server could not, or would not."""


class Seen(Struct):
    """A message in a listing."""

    label: str
    flags: frozenset[str]


class Selected(Struct):
    validity: int
    next: int


class ImapLine:
    """Raises OSError or EOFError when the server goes away, No for NO and BAD."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream: BinaryIO = self._socket.makefile("rb")
        self._number = 0
        self._line()

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    def command(self, words: str, literal: bytes = b"") -> bytes:
        """All that is answered, untagged and tagged, when it is OK."""
        self._number += 1
        tag = b"t%d" % self._number
        octets = tag + b" " + words.encode()
        if literal:
            octets += b" {%d+}\r\n" % len(literal) + literal
        self._socket.sendall(octets + b"\r\n")
        answer = []
        while not (line := self._line()).startswith(tag + b" "):
            answer.append(line)
        if not line.startswith(tag + b" OK"):
            raise No(f"{words[:60]}: {line!r}")
        return b"".join([*answer, line])

    def select(self, folder: str) -> Selected:
        answer = self.command(f"SELECT {folder}")
        validity = re.search(rb"\[UIDVALIDITY (\d+)\]", answer)
        following = re.search(rb"\[UIDNEXT (\d+)\]", answer)
        assert validity, answer
        assert following, answer
        return Selected(int(validity[1]), int(following[1]))

    def messages(self, first: int = 1) -> dict[int, Seen]:
        """Of the selected folder, from a UID on."""
        answer = self.command(f"UID FETCH {first}:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (X-Label)])")
        found = {}
        for part in re.split(rb"^\* \d+ FETCH ", answer, flags=re.MULTILINE)[1:]:
            uid, flags, label = _UID.search(part), _FLAGS.search(part), _LABEL.search(part)
            if uid and flags and int(uid[1]) >= first:
                words = frozenset(flags[1].decode().split()) - {"\\Recent"}
                found[int(uid[1])] = Seen(label[1].decode() if label else "", words)
        return found

    def append(self, folder: str, flags: str, octets: bytes) -> int:
        found = _APPENDED.search(self.command(f"APPEND {folder} ({flags})", octets))
        assert found
        return int(found[2])

    def copy(self, uids: list[int], folder: str, verb: str) -> dict[int, int]:
        """COPY or MOVE; the UID there of each UID here."""
        found = _COPIED.search(self.command(f"UID {verb} {_set(uids)} {folder}"))
        return dict(zip(_numbers(found[2]), _numbers(found[3]), strict=True)) if found else {}

    def flag(self, uids: list[int], sign: str, flags: str) -> None:
        self.command(f"UID STORE {_set(uids)} {sign}FLAGS.SILENT ({flags})")

    def expunge(self, uids: list[int]) -> None:
        self.flag(uids, "+", "\\Deleted")
        self.command(f"UID EXPUNGE {_set(uids)}")

    def _line(self) -> bytes:
        """With the literals in it."""
        line = b""
        while True:
            piece = self._stream.readline()
            if not piece.endswith(b"\r\n"):
                raise EOFError
            line += piece
            found = _LITERAL.search(piece)
            if found is None:
                return line
            octets = self._stream.read(int(found[1]))
            if len(octets) < int(found[1]):
                raise EOFError
            line += octets


def _set(uids: list[int]) -> str:
    return ",".join(map(str, uids))


def _numbers(text: bytes) -> list[int]:
    numbers: list[int] = []
    for part in text.split(b","):
        first, _, last = part.partition(b":")
        numbers += range(int(first), int(last or first) + 1)
    return numbers
