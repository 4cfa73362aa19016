"""Which unknown addresses have mail here, and how many there are of one customer (product row A4).

An unknown address is a folder of the customer's catchall, so the file system is what knows. The folders are counted in
a thread when that directory has changed, at most once a second; addresses whose first mail is on its way count beside.
Memory is bounded by the quota of candidates: beyond it nothing is on its way (attack row 42).
"""

import os

from msgspec import Struct, field
from twisted.internet.interfaces import IReactorThreads, IReactorTime

from emailgency.background import in_thread
from emailgency.model.address import Address
from emailgency.store import layout

_PAUSE = 1.0  # seconds between two counts for one customer
_LATE = 3600.0  # seconds after which a folder that has not come will not: its address has become something else
_KEPT = 10_000  # customers


class Reactor(IReactorTime, IReactorThreads):
    """For the type checker."""


class Catchall(Struct):
    """One customer's."""

    count: int = 0
    mtime: int = -1  # of the directory when it was counted, nanoseconds
    at: float = float("-inf")
    open: dict[str, int] = field(default_factory=dict)  # folder -> transactions that may bring it its first mail
    accepted: dict[str, float] = field(default_factory=dict)  # folder -> when that was, until it has been counted

    def coming(self) -> set[str]:
        """Folders that are on their way."""
        return self.open.keys() | self.accepted.keys()


class Candidates:
    """`root` is the data folder."""

    def __init__(self, reactor: Reactor, root: str) -> None:
        self._reactor = reactor
        self._root = root
        self._known: dict[str, Catchall] = {}

    def is_known(self, customer: str, address: Address) -> bool:
        """Whether this unknown address has had mail before."""
        return os.path.isdir(f"{self._root}/{layout.catchall(customer, address)}")

    async def others(self, customer: str, address: Address) -> int:
        """How many unknown addresses the customer has without this one."""
        catchall = self._of(customer)
        try:
            mtime = os.stat(f"{self._root}/{layout.catchall_of(customer)}").st_mtime_ns
        except OSError:
            mtime = -1
        now = self._reactor.seconds()
        if mtime != catchall.mtime and now > catchall.at + _PAUSE:
            catchall.at = now
            await self._count(customer, catchall)
            catchall.mtime = mtime
        coming = catchall.coming()
        counted = layout.catchall(customer, address) in coming or self.is_known(customer, address)
        return catchall.count + len(coming) - counted

    def expect(self, customer: str, address: Address) -> None:
        """A transaction has it as a recipient. Each is followed by `settle`."""
        transactions = self._of(customer).open
        folder = layout.catchall(customer, address)
        transactions[folder] = transactions.get(folder, 0) + 1

    def settle(self, customer: str, address: Address, accepted: bool) -> None:
        """The transaction has ended; `accepted`: its mail is on the way into the folder."""
        catchall = self._of(customer)
        folder = layout.catchall(customer, address)
        left = catchall.open.pop(folder, 1) - 1
        if left:
            catchall.open[folder] = left
        if accepted:
            catchall.accepted[folder] = self._reactor.seconds()

    def _of(self, customer: str) -> Catchall:
        found = self._known.get(customer)
        if found is None:
            if len(self._known) >= _KEPT:
                self._known = {id: one for id, one in self._known.items() if one.coming()}
            found = self._known[customer] = Catchall()
        return found

    async def _count(self, customer: str, catchall: Catchall) -> None:
        for folder, since in tuple(catchall.accepted.items()):
            if os.path.isdir(f"{self._root}/{folder}") or self._reactor.seconds() > since + _LATE:
                del catchall.accepted[folder]
        place = f"{self._root}/{layout.catchall_of(customer)}"
        catchall.count = await in_thread(self._reactor, _entries, place)


def _entries(place: str) -> int:
    try:
        return len(os.listdir(place))
    except FileNotFoundError:
        return 0
