"""Which messages of a view are meant: an octet for each position, 1 or 0.

Octets are combined as whole numbers, 10,000 of them in 10 us, where lists of positions need a step for each message.
"""

from collections.abc import Iterable
from itertools import compress

Marks = bytes


def none(count: int) -> Marks:
    return bytes(count)


def every(count: int) -> Marks:
    return b"\1" * count


def at(positions: Iterable[int], count: int) -> Marks:
    """Of the messages at these positions."""
    marks = bytearray(count)
    for position in positions:
        marks[position] = 1
    return bytes(marks)


def positions(marks: Marks) -> list[int]:
    """Ascending."""
    return list(compress(range(len(marks)), marks)) if 1 in marks else []


def both(left: Marks, right: Marks) -> Marks:
    return _octets(_number(left) & _number(right), len(left))


def either(left: Marks, right: Marks) -> Marks:
    return _octets(_number(left) | _number(right), len(left))


def without(left: Marks, right: Marks) -> Marks:
    """What is in `left` and not in `right`."""
    return _octets(_number(left) & ~_number(right), len(left))


def _number(marks: Marks) -> int:
    return int.from_bytes(marks, "little")


def _octets(number: int, count: int) -> Marks:
    return number.to_bytes(count, "little")
