"""Announcements of literals at the ends of lines (RFC 3501 §4.3, RFC 7888), and skipping commands with literals."""

import enum
import re
from typing import NamedTuple

_ANNOUNCEMENT = re.compile(rb"\{([0-9]+)(\+?)\}\r\n\Z")
_TAIL = 32  # octets at the end of a line that hold any announcement of a sane size


class Announcement(NamedTuple):
    """Of how many octets, and whether the client waits for "+"."""

    size: int
    synchronising: bool


def announced(buffer: bytearray, line: int, end: int) -> Announcement | None:
    """The literal announced by the line buffer[line:end]."""
    if end - line < 5 or buffer[end - 3] != 0x7D:
        return None
    match = _ANNOUNCEMENT.search(buffer[max(line, end - _TAIL) : end])
    return Announcement(int(match.group(1)), not match.group(2)) if match else None


class Skipped(enum.Enum):
    """How far skipping has come."""

    MORE = enum.auto()  # octets are needed
    DONE = enum.auto()  # the buffer begins with the next command
    TOO_MUCH = enum.auto()  # the allowance is spent


class Skipping:
    """A command that was given up, of which `literal` octets and the rest of its lines are still to come.

    RFC 7888 §4: a server that refuses a literal nobody waited with reads it and throws it away, or says BYE.
    """

    def __init__(self, literal: int, allowance: int) -> None:
        self._literal = literal
        self._allowance = allowance

    def step(self, buffer: bytearray) -> Skipped:
        """Drop from `buffer` what belongs to the command."""
        while self._literal <= self._allowance:
            gone = min(self._literal, len(buffer))
            self._drop(buffer, gone)
            self._literal -= gone
            if self._literal:
                return Skipped.MORE
            newline = buffer.find(b"\n")
            if newline < 0:
                self._drop(buffer, max(0, len(buffer) - _TAIL))
                return Skipped.MORE if self._allowance >= 0 else Skipped.TOO_MUCH
            literal = announced(buffer, 0, newline + 1)
            self._drop(buffer, newline + 1)
            if literal is None or literal.synchronising:  # a client that waits sends no more of a command we refuse
                return Skipped.DONE if self._allowance >= 0 else Skipped.TOO_MUCH
            self._literal = literal.size
        return Skipped.TOO_MUCH

    def _drop(self, buffer: bytearray, octets: int) -> None:
        del buffer[:octets]
        self._allowance -= octets
