"""Records of a journal: one line each, `<8 hex digits of crc32> <JSON>\\n`, so that a torn or rotten one is seen.

A writer that dies leaves at most a torn last line: the reader keeps it back and `position` says where the good part
ends, so that an appending writer can truncate there. A bad line that is followed by more is corruption: reported,
never skipped in silence.
"""

from zlib import crc32

_FRAME = 9  # checksum and space


class Corrupt(Exception):
    """A whole line that is no record. `records` are those of the same feed() before it; feed(b"") goes on behind it."""

    def __init__(self, position: int, line: bytes, records: list[bytes]) -> None:
        super().__init__(f"bad record at octet {position}")
        self.position = position
        self.line = line
        self.records = records


def encode(record: bytes) -> bytes:
    """JSON octets without a line feed -> the line."""
    return b"%08x %b\n" % (crc32(record), record)


def decode(line: bytes) -> bytes | None:
    """A line without its line feed -> the JSON octets, None when the checksum disagrees."""
    record = line[_FRAME:]
    return record if line[:_FRAME] == b"%08x " % crc32(record) else None


class Reader:
    """Takes a journal in pieces of any size. `position`: octets up to the end of the last whole line taken."""

    def __init__(self) -> None:
        self.position = 0
        self._rest = b""

    @property
    def torn(self) -> bytes:
        """What follows the last whole line; at the end of the file: the torn record."""
        return self._rest

    def feed(self, octets: bytes) -> list[bytes]:
        """The JSON octets of every line completed by `octets`. Raises Corrupt at a bad one."""
        if not octets and b"\n" not in self._rest:
            return []
        *lines, self._rest = (self._rest + octets).split(b"\n")
        records: list[bytes] = []
        for index, line in enumerate(lines):
            record = decode(line)
            if record is None:
                position = self.position
                self.position += len(line) + 1
                self._rest = b"\n".join([*lines[index + 1 :], self._rest])
                raise Corrupt(position, line, records)
            records.append(record)
            self.position += len(line) + 1
        return records
