"""What lies in a customer's catchall: a small Maildir an unknown address (product rows A4, A6). Everything blocks."""

import contextlib
import heapq
import os
from collections.abc import Iterator

from msgspec import Struct

from emailgency.codec import maildir
from emailgency.codec.address import parse
from emailgency.model.address import Address
from emailgency.model.errors import Invalid
from emailgency.store import layout


class Candidate(Struct, frozen=True):
    """One unknown address with mail. `size` in octets, times in seconds since the epoch."""

    address: Address
    folder: str  # below the data folder
    messages: int
    size: int
    first_at: int
    last_at: int


def candidates(root: str, customer: str) -> Iterator[Candidate]:
    """`root` is the data folder. Folders without a legible `address` are passed over: `verify` tells of them."""
    place = layout.catchall_of(customer)
    with contextlib.suppress(FileNotFoundError), os.scandir(os.path.join(root, place)) as entries:
        for entry in entries:
            found = candidate(root, f"{place}/{entry.name}")
            if found is not None:
                yield found


def candidate(root: str, folder: str) -> Candidate | None:
    """What is in one folder now; None when it is none."""
    path = os.path.join(root, folder)
    try:
        with open(os.path.join(path, "address"), encoding="utf-8") as file:
            address = parse(file.read(1024).strip())
    except (OSError, Invalid, UnicodeDecodeError):
        return None
    names = [maildir.parse(name) for _, name in _messages(path)]
    times = [name.seconds for name in names]
    return Candidate(
        address=address,
        folder=folder,
        messages=len(names),
        size=sum(max(0, name.size) for name in names),
        first_at=min(times, default=0),
        last_at=max(times, default=0),
    )


def beginnings(root: str, folder: str, count: int, octets: int) -> list[tuple[int, bytes]]:
    """When they came and how they begin: the newest `count` messages, the newest first."""
    path = os.path.join(root, folder)
    newest = heapq.nlargest(count, _messages(path), key=lambda one: maildir.parse(one[1]).seconds)
    found = []
    for subfolder, name in newest:
        with contextlib.suppress(OSError), open(os.path.join(path, subfolder, name), "rb") as file:
            found.append((maildir.parse(name).seconds, file.read(octets)))
    return found


def customers_with_catchall(root: str) -> list[str]:
    """Ids of customers who have one."""
    try:
        ids = os.listdir(os.path.join(root, "customers"))
    except FileNotFoundError:
        return []
    return [id for id in ids if os.path.isdir(os.path.join(root, "customers", id, "catchall"))]


def _messages(path: str) -> list[tuple[str, str]]:
    found = []
    for subfolder in ("new", "cur"):
        with contextlib.suppress(OSError):
            found += [(subfolder, name) for name in os.listdir(os.path.join(path, subfolder))]
    return found
