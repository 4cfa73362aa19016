"""Mail for nobody we know: what one network may bring, and how much of it is kept (product rows A4 and A7).

Asked at RCPT. What it grants counts until the transaction has ended, so that many at once stay within the limits.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Protocol

from msgspec import Meta, Struct

from emailgency.codec.address import reread
from emailgency.model.directory import OPERATOR, STANDARD
from emailgency.model.envelope import Catchall, Deliver, Target, Undelivered
from emailgency.model.verdict import Verdict
from emailgency.rules.networks import network
from emailgency.rules.rates import Rates
from emailgency.rules.room import Count, Room, near
from emailgency.store import layout

if TYPE_CHECKING:
    from emailgency.store.directory.directory import Directory
    from emailgency.store.mailboxes.candidates import Candidates
    from emailgency.store.mailboxes.counts import Counts

TOO_MANY = Verdict(452, "4.7.1", "too many unknown recipients from your network, try again later")
FULL = Verdict(452, "4.2.2", "no room for mail to unknown recipients now, try again later")
_FRESH = 10.0  # seconds that a count of Undelivered is believed
_FRESH_NEAR = 1.0  # the same when it is nearly full: a flood must not have it counted for each of its messages
_KEPT = 10_000  # customers
HELD = 65_536  # octets kept at RCPT for what may come: whoever announces much, or nothing, takes no more by it

Settle = Callable[[int | None], None]  # octets of the message that was accepted, None: none was
Release = Callable[[], None]


class UnknownLimits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The section `smtp.unknown` of the settings."""

    at_once: Annotated[
        int, Meta(ge=1, description="Unknown recipients that one network (/24, /64) may name at once, then 452.")
    ] = 500
    per_hour: Annotated[int, Meta(ge=1, description="How many more of them it may name in an hour.")] = 500


class UnknownRecipients:
    """One for all doors."""

    def __init__(
        self,
        candidates: "Candidates",
        counts: "Counts",
        directory: "Directory",
        clock: Callable[[], float],
        limits: UnknownLimits,
    ) -> None:
        """`clock` is monotonic."""
        self._candidates = candidates
        self._counts = counts
        self._directory = directory
        self._clock = clock
        self._rates = Rates(0.0, 0)
        self._rooms: dict[str, Room] = {}
        self.adopt(limits)

    def adopt(self, limits: UnknownLimits) -> None:
        """These limits from now on."""
        self._rates.per_second = limits.per_hour / 3600
        self._rates.at_once = limits.at_once

    async def claim(self, targets: Iterable[Target], ip: str | None, size: int) -> "Settle | Verdict | None":
        """Room for a recipient with these targets and a message of `size` octets, of which at most HELD are kept. None:
        he is somebody.

        Whoever gets a Settle calls it once, when the transaction has ended. Without `ip` (users who have logged in) no
        budget is asked for. Raises Temporary.
        """
        for target in targets:
            if isinstance(target, Catchall):
                return self._claim_candidate(target, ip)
            if isinstance(target, Undelivered):
                return await self._claim_room(target, ip, size)
        return None

    async def more(self, targets: Iterable[Target], octets: int) -> "Release | Verdict | None":
        """Room for so many octets more than `claim` has kept for them; until it is released, before Settle."""
        rooms, more = list[Room](), Count(0, octets)

        def release() -> None:
            for room in rooms:
                room.settle(more, Count())

        for customer in {target.customer for target in targets if isinstance(target, Undelivered)}:
            room, limit = await self._room(customer)
            if not room.grant(more, limit):
                release()
                return FULL
            rooms.append(room)
        return release if rooms else None

    def guessed(self, ip: str) -> Verdict | None:
        """An address was named that surely is nobody's. Beyond the budget it is answered like any unknown one: whoever
        tries out names learns of no more than he may name (attack row 8).
        """
        return None if self._within_budget(ip) else TOO_MANY

    def _claim_candidate(self, target: Catchall, ip: str | None) -> "Settle | Verdict | None":
        address = reread(target.address)
        if self._candidates.is_known(target.customer, address):
            return None
        if not self._within_budget(ip):
            return TOO_MANY
        self._candidates.expect(target.customer, address)
        return lambda stored: self._candidates.settle(target.customer, address, stored is not None)

    async def _claim_room(self, target: Undelivered, ip: str | None, size: int) -> "Settle | Verdict":
        if target.customer != OPERATOR and not self._within_budget(ip):
            return TOO_MANY
        room, limit = await self._room(target.customer)
        granted = Count(1, min(size, HELD))
        if not (room.taken() + Count(1, size)).within(limit) or not room.grant(granted, limit):
            return FULL
        return lambda stored: room.settle(granted, Count() if stored is None else Count(1, stored))

    def _within_budget(self, ip: str | None) -> bool:
        return ip is None or self._rates.take(network(ip), self._clock())

    async def _room(self, customer: str) -> tuple[Room, Count]:
        plan = STANDARD
        if customer != OPERATOR:
            plan = await self._directory.plan((await self._directory.customer(customer)).plan)
        limit = Count(plan.undelivered_messages, plan.undelivered_quota)
        if customer not in self._rooms and len(self._rooms) >= _KEPT:
            self._rooms = {id: room for id, room in self._rooms.items() if room.granted != Count()}
        room = self._rooms.setdefault(customer, Room())
        fresh = _FRESH_NEAR if near(room.taken(), limit) else _FRESH
        if self._clock() > room.at + fresh:
            before = room.added
            room.recounted(await self._counts.of([layout.undelivered(customer)]), before, self._clock())
        return room, limit


class Claimed(Protocol):
    """Who grants room: for unknown recipients, or in mailboxes."""

    async def claim(self, targets: Iterable[Target], ip: str | None, size: int) -> "Settle | Verdict | None": ...

    async def more(self, targets: Iterable[Target], octets: int) -> "Release | Verdict | None": ...


class Claims:
    """What one transaction was granted; in each mailbox once, however many of its recipients mean it."""

    def __init__(self, rooms: Sequence[Claimed], announced: int | None) -> None:
        """Of these; of none: nothing is counted. `announced`: octets of the message as its SIZE says."""
        self.stored = 0  # octets that its message has on disk, and that will come where there was room for them
        self._rooms = rooms
        self._announced = announced
        self._held = HELD  # octets that were kept for each recipient, at least
        self._granted: list[Settle] = []
        self._more: list[Release] = []
        self._targets: list[Target] = []
        self._mailboxes: set[str] = set()

    async def take(self, targets: Iterable[Target], limit: int, ip: str | None = None) -> Verdict | None:
        """For a recipient with these targets, who takes messages of at most `limit` octets; a Verdict when there is no
        room for mail to him.
        """
        size = self._announced or min(HELD, limit)
        self._held = min(self._held, size)
        found = [one for one in targets if not (isinstance(one, Deliver) and one.mailbox in self._mailboxes)]
        for room in self._rooms:
            granted = await room.claim(found, ip, size)
            if isinstance(granted, Verdict):
                return granted
            if granted is not None:
                self._granted.append(granted)
        self._mailboxes.update(target.mailbox for target in found if isinstance(target, Deliver))
        self._targets += found
        return None

    async def whole(self, octets: int) -> Verdict | None:
        """The message has come: room for all of it, where only a part was kept; a Verdict when there is none."""
        more = octets - self._held
        if more <= 0 or not self._granted:
            return None
        for room in self._rooms:
            granted = await room.more(self._targets, more)
            if isinstance(granted, Verdict):
                return granted
            if granted is not None:
                self._more.append(granted)
        return None

    def settle(self, accepted: bool) -> None:
        """The transaction has ended."""
        granted, more = self._granted, self._more
        self._granted, self._more = [], []
        for release in more:
            release()
        for settle in granted:
            settle(self.stored if accepted else None)
