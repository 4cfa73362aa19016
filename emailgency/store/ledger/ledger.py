"""What became of each message, as the server knows it: told what the spool journal does not hold, and where to read.

Accepting and giving mail never waits for it, and it takes next to nothing of the reactor: its process reads the spool
journal by itself. What the journal does not hold (mail that nobody wanted, what readers did) is told every second, and
the last second of it is lost with a kill.
"""

import os
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from msgspec import Meta, Struct
from twisted.internet.defer import Deferred

from emailgency.background import background, in_thread
from emailgency.codec.maildir import email_id
from emailgency.model.envelope import Envelope
from emailgency.store import layout
from emailgency.store.ledger.facts import shares
from emailgency.store.ledger.line import LedgerLine
from emailgency.store.ledger.messages import Begin, Bounds, Dropped, Forget, Request, Touched

TOLD_EVERY = 1.0  # seconds
WAITING = 20_000  # things to tell; more in a second are not worth remembering
_NONE = 1 << 62

Known = Callable[[], Coroutine[Deferred[Any], Any, frozenset[str]]]


class LedgerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is remembered of each message when it is gone. The oldest go first; a message takes about 1 KiB."""

    days: Annotated[int, Meta(ge=0, le=36_500, description="Days; 0: nothing is remembered at all.")] = 400
    customer_octets: Annotated[int, Meta(ge=1 << 20, description="Octets on the disk for one customer.")] = 1 << 30
    octets: Annotated[int, Meta(ge=1 << 20, description="Octets on the disk for all customers together.")] = 8 << 30


class Ledger:
    """`start` it when the spool has; without, nothing is remembered and nothing found."""

    def __init__(
        self,
        reactor: Any,
        data: str,
        clock: Callable[[], float],
        settings: LedgerSettings | None = None,
        known: Known | None = None,
    ) -> None:
        """`known` tells all customers there are; the ledgers of others go."""
        self._reactor = reactor
        self._data = data
        self._clock = clock
        self._settings = settings or LedgerSettings()
        self._known = known
        self._line = LedgerLine(reactor, self._first)
        self._forgotten: list[str] = []
        self._dropped: list[Dropped] = []
        self._touched: dict[tuple[str, str, str], list[str]] = {}
        self._count = 0  # of what waits to be told
        self._telling: Any = None

    def start(self) -> None:
        if self._settings.days:
            self._line.start()
            if self._known is not None:
                background("forgetting ledgers of customers that are gone", self._forget_strangers(self._known))

    async def stop(self) -> None:
        """When nothing is written to the spool journal any more."""
        if self._telling is not None:
            self._telling.cancel()
        self._tell_all()
        await self._line.stop()

    def needed(self) -> int:
        """The oldest segment of the spool journal that may have to be read."""
        return self._line.segment if self._settings.days else _NONE

    # ---- what it is told -----------------------------------------------------------------------------------

    def dropped(self, envelope: Envelope) -> None:
        """A message that nobody wanted, with an envelope as it would have had."""
        for customer, share in shares(envelope).items():
            if self._room(1):
                self._dropped.append(Dropped(customer, share))

    def touched(self, path: str, names: list[str], word: str) -> None:
        """A reader has done this ("read", "expunged") to files of a folder."""
        customer, mailbox = _whose(layout.mailbox_of(path))
        if customer and self._room(len(names)):
            key = (customer, mailbox, word)
            self._touched.setdefault(key, []).extend(names)

    def forget(self, customer: str) -> None:
        """The customer is gone, and so is all that was known of his mail."""
        self._forgotten.append(customer)
        self._line.say(Forget(customer))

    # ---- who looks into it ---------------------------------------------------------------------------------

    def caught_up(self) -> "Deferred[None]":
        """Fires when all that has happened until now can be found; after a while in any case."""
        self._tell_all()
        return self._line.caught_up()

    def path(self, customer: str) -> str:
        """Of his ledger; it may not be there."""
        return os.path.join(self._data, layout.ledger(customer))

    def customers(self) -> list[str]:
        """Those with a ledger. Blocks."""
        try:
            names = os.listdir(os.path.join(self._data, layout.LEDGER))
        except FileNotFoundError:
            return []
        return sorted(name.removesuffix(".sqlite") for name in names if name.endswith(".sqlite"))

    # ---- telling -------------------------------------------------------------------------------------------

    def _first(self) -> list[Request]:
        bounds = Bounds(self._settings.days, self._settings.customer_octets, self._settings.octets)
        return [Begin(self._data, bounds), *map(Forget, self._forgotten)]

    async def _forget_strangers(self, known: Known) -> None:
        found = await in_thread(self._reactor, self.customers)
        for customer in frozenset(found) - await known():
            self.forget(customer)

    def _room(self, count: int) -> bool:
        if not self._line.up or self._count + count > WAITING:
            return False
        self._count += count
        if self._telling is None:
            self._telling = self._reactor.callLater(TOLD_EVERY, self._tell_later)
        return True

    def _tell_later(self) -> None:
        self._telling = None
        self._tell_all()

    def _tell_all(self) -> None:
        dropped, self._dropped = self._dropped, []
        touched, self._touched = self._touched, {}
        self._count = 0
        for one in dropped:
            self._line.say(one)
        now = self._clock()
        for (customer, mailbox, word), names in touched.items():
            ids = dict.fromkeys(email_id(name).partition("_")[0] for name in names)
            self._line.say(Touched(customer, mailbox, tuple(ids), word, now))


def _whose(path: str) -> tuple[str, str]:
    """Customer and mailbox of a Maildir; no customer: it is nobody's."""
    parts = path.split("/")
    if layout.is_mailbox(path):
        return parts[1], parts[3]
    return (parts[1], "") if parts[0] == "customers" and parts[-1] == "undelivered" else ("", "")
