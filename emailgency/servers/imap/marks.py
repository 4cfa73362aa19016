"""Which messages of a view are meant: an octet for each position, 1 or 0.

Octets are combined as whole numbers, 10,000 of them in 10 us, where lists of positions need a step for each message.
"""

from collections.abc import Iterable
from itertools import compress

Marks = bytes

_FEW = 50  # messages


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


def within(spans: Iterable[tuple[int, int]], count: int) -> Marks:
    """Of the messages from the first position of each span to before its second."""
    marks = bytearray(count)
    for first, end in spans:
        marks[first:end] = b"\1" * (end - first)
    return bytes(marks)


def positions(marks: Marks) -> list[int]:
    """Ascending. A few among thousands are sought, in 1 us, before all are gone through, in 200."""
    found: list[int] = []
    position = marks.find(1)
    while position >= 0:
        if len(found) == _FEW:
            return list(compress(range(len(marks)), marks))
        found.append(position)
        position = marks.find(1, position + 1)
    return found


def both(left: Marks, right: Marks) -> Marks:
    if 0 not in left:  # as at the beginning of each search
        return right
    return _octets(_number(left) & _number(right), len(left))


def either(left: Marks, right: Marks) -> Marks:
    return _octets(_number(left) | _number(right), len(left))


def without(left: Marks, right: Marks) -> Marks:
    """What is in `left` and not in `right`."""
    if 1 not in right:
        return left
    return _octets(_number(left) & ~_number(right), len(left))


def _number(marks: Marks) -> int:
    return int.from_bytes(marks, "little")


def _octets(number: int, count: int) -> Marks:
    return number.to_bytes(count, "little")
