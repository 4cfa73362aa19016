"""What was promised about each message, kept outside of the storer, and what is really there.

A message is known by its label, which its octets carry. Where it may be is a list of possible worlds, each a count of
copies by place: a Maildir, or RELAY for a target that waits for the customer's server. An operation that was asked but
not answered leaves both worlds possible, the one before and the one after.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable

from emailgency.store.verify import maildirs

RELAY = "relay"
World = dict[str, int]


def octets_of(label: str, size: int = 700) -> bytes:
    """The message: its label and octets that depend on it."""
    body = hashlib.shake_128(label.encode()).hexdigest(size // 2).encode()
    return f"X-Label: {label}\r\n\r\n".encode() + body + b"\r\n"


class Ledger:
    """One operation at a time a label."""

    def __init__(self) -> None:
        self.worlds: dict[str, list[World]] = {}
        self._asked: dict[str, World] = {}
        self.sizes: dict[str, int] = {}
        self._groups: list[tuple[tuple[str, ...], str]] = []
        self._replaced: list[tuple[tuple[str, str], tuple[str, str]]] = []

    def known(self, label: str) -> World:
        """Where it is; only for a label without an open question."""
        (world,) = self.worlds.get(label, [{}])
        return dict(world)

    def certain(self, label: str) -> bool:
        return len(self.worlds.get(label, [{}])) == 1 and label not in self._asked

    def coming(self, label: str, place: str) -> bool:
        """Whether the operation asked brings it to `place`."""
        return place in self._asked.get(label, {}) and place not in self.worlds[label][0]

    def asked(self, label: str, change: World) -> None:
        """Somebody asks for this change: copies more (or fewer) by place."""
        world = self.known(label)
        self._asked[label] = _plus(world, change)
        self.worlds[label] = [world, self._asked[label]]
        # one that is taken away again says nothing more about those it came with
        self._groups = [
            (labels, place) for labels, place in self._groups if label not in labels or change.get(place, 0) >= 0
        ]
        self._replaced = [(old, new) for old, new in self._replaced if label != new[0] or change.get(new[1], 0) >= 0]

    def answered(self, *labels: str) -> None:
        """It was promised."""
        for label in labels:
            self.worlds[label] = [self._asked.pop(label)]

    def doubtful(self, data: str, *labels: str) -> None:
        """It was refused as Temporary and has happened or not: look which; the start to come must leave it so."""
        found, _ = actual(data, {}, self.sizes)
        for label in labels:
            before, after = self.worlds[label]
            self._asked.pop(label)
            here = {place: count for place, count in found.get(label, Counter()).items() if count}
            if here in (_stored(before), _stored(after)) and _stored(before) != _stored(after):
                self.worlds[label] = [after if here == _stored(after) else before]
            else:
                self.worlds[label] = [before, after]

    def observe(self, data: str, pending: dict[str, list[int]]) -> None:
        """What was possible has been checked: from now on what is there is what is promised."""
        found, _ = actual(data, pending, self.sizes)
        self.worlds = {label: [{place: n for place, n in counts.items() if n}] for label, counts in found.items()}
        self._asked.clear()
        self._groups.clear()
        self._replaced.clear()

    def together(self, labels: Iterable[str], place: str) -> None:
        """All of them came to `place`, or none."""
        self._groups.append((tuple(labels), place))

    def instead(self, old: tuple[str, str], new: tuple[str, str]) -> None:
        """The message (label, place) went only when the other one was there."""
        self._replaced.append((old, new))

    def complaints(self, data: str, pending: dict[str, list[int]]) -> list[str]:
        """Everything that is not as promised."""
        found, wrong = actual(data, pending, self.sizes)
        for label in found.keys() | self.worlds.keys():
            here = {place: count for place, count in found.get(label, Counter()).items() if count}
            if here not in self.worlds.get(label, [{}]):
                wrong.append(f"{label}: is {here}, promised {self.worlds.get(label)}")
        for labels, place in self._groups:
            if len({found.get(label, Counter())[place] > 0 for label in labels}) > 1:
                wrong.append(f"{labels}: only some are in {place}")
        for pair in self._replaced:
            if not any(found.get(label, Counter())[place] for label, place in pair):
                wrong.append(f"{pair}: the old one is gone and the new one is not there")
        return wrong


def actual(
    data: str, pending: dict[str, list[int]], sizes: dict[str, int]
) -> tuple[dict[str, Counter[str]], list[str]]:
    """Copies of each label by place, and messages whose octets are not what they were."""
    found: dict[str, Counter[str]] = {}
    wrong = []
    for folder in maildirs(data):
        for subfolder in ("new", "cur", "tmp"):
            for name in os.listdir(os.path.join(data, folder, subfolder)):
                path = os.path.join(data, folder, subfolder, name)
                label = _label(path, sizes)
                if label is None:
                    wrong.append(f"{path}: its octets are not what they were")
                elif subfolder == "tmp":
                    wrong.append(f"{label}: left in tmp/ of {folder}")
                else:
                    found.setdefault(label, Counter())[folder] += 1
    for path, targets in pending.items():
        label = _label(path, sizes)
        if label is None:
            wrong.append(f"{path}: pending, but its octets are not what they were")
        else:
            found.setdefault(label, Counter())[RELAY] += len(targets)
    return found, wrong


def _label(path: str, sizes: dict[str, int]) -> str | None:
    with open(path, "rb") as stream:
        octets = stream.read()
    if octets.startswith(b"X-Original-To: "):
        octets = octets.partition(b"\r\n")[2]
    label = octets.partition(b"\r\n")[0].removeprefix(b"X-Label: ").decode("ascii", "replace")
    return label if octets == octets_of(label, sizes.get(label, 700)) else None


def _stored(world: World) -> World:
    return {place: count for place, count in world.items() if place != RELAY}


def _plus(world: World, change: World) -> World:
    result = {place: world.get(place, 0) + change.get(place, 0) for place in world.keys() | change.keys()}
    return {place: count for place, count in result.items() if count}
