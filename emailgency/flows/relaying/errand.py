"""What a lane asks whoever sent it out, and the answers that are the same for mail given back and mail sent out."""

from typing import TYPE_CHECKING
from typing import Protocol as Shape

from twisted.logger import Logger

from emailgency.flows.relaying.exchanges import Unroutable
from emailgency.flows.trust.protection import Demand, opportunistic
from emailgency.model.envelope import Outcome
from emailgency.net.courier import Courier
from emailgency.net.parcel import Closure
from emailgency.rules.health import Health
from emailgency.rules.next_hop import Destination
from emailgency.store.spool.pending import Queue, Waiting

if TYPE_CHECKING:
    from emailgency.flows.relaying.bounce import Bounces


class Errand(Shape):
    """What the lane has to ask: whose mail it is decides."""

    @property
    def name(self) -> str:
        """Whose server it is, for the log."""

    @property
    def limit(self) -> int:
        """Connections at most, by the settings of now."""

    @property
    def guarded(self) -> bool:
        """Whether the guard of row G1 stands before it: then no refusal is final because the server says so."""

    async def demand(self, destination: Destination) -> Demand:
        """How a connection there is to be protected."""

    def visited(self, destination: Destination, demand: Demand, secure: bool, closure: Closure) -> None:
        """How one went; `secure`: under TLS."""

    def hopeless(self, reason: Unroutable) -> bool:
        """Whether mail is given up when no server can be found for this reason."""

    async def destinations(self) -> list[Destination]:
        """Where to go now. Raises Unroutable, Invalid, Temporary."""

    def unsealed(self, waiting: Waiting) -> bool:
        """Whether `seal` must be waited for before this goes."""

    async def seal(self, waiting: Waiting) -> None:
        """Make `waiting.seal`. Never fails."""

    def outlived(self, waiting: Waiting, now: float) -> bool:
        """Whether this message has waited long enough."""

    def expires_at(self, term_from: float) -> float | None:
        """When one will have whose term counts from then; None: not as things are."""

    async def give_up(self, waiting: Waiting, failures: dict[int, Outcome]) -> None:
        """Targets that failed for good: tell whom it concerns, then record them as finished."""

    async def put_off(self, waiting: Waiting, outcome: Outcome) -> None:
        """These targets stay pending; `waiting.due` is set."""

    async def taken(self, waiting: Waiting, targets: list[int], outcome: Outcome, courier: Courier) -> None:
        """These targets are with the next hop: record them as finished."""

    # What the guard asks, and tells

    def health(self) -> Health:
        """What was known of the next hop before."""

    def turned(self, health: Health) -> None:
        """Its state has changed."""

    def stopped(self, why: str, most: int) -> None:
        """The guard stopped the flow; so many times in an hour are an incident."""

    def alert(self, words: str) -> None:
        """A person must look at this."""

    async def canary(self, queue: Queue, now: float) -> Waiting | None:
        """The message that is tried first at a server of which nothing is sure, taken out of the queue."""

    async def known(self, addresses: list[str]) -> set[str]:
        """Those that this server has taken mail for."""

    async def unknown(self, addresses: list[str]) -> None:
        """It refuses them again and takes others: it does not have them any more."""

    def stranger(self, courier: Courier) -> str:
        """Words for people, when it is not the server that took mail before."""

    async def impostor(self) -> str:
        """Asked before a probe: why nothing may go to whoever answers, "" when it may. Never fails."""

    async def accept(self) -> None:
        """Whoever answers now is the one that is meant."""


class Records:
    """The part of an `Errand` that needs no opinion: outcomes are recorded and told, and nothing is guarded."""

    _log = Logger()
    guarded = False

    def __init__(self, bounces: "Bounces") -> None:
        self._bounces = bounces
        self._spool = bounces.spool

    async def taken(self, waiting: Waiting, targets: list[int], outcome: Outcome, courier: Courier) -> None:
        """The next hop has them: from here on they are its own. Returns when that is on stable storage."""
        live = waiting.live
        if "DSN" not in courier.client.extensions:
            try:
                await self._bounces.relayed(live, targets, outcome)
            except Exception:  # a word to the sender that cannot be written must not send the message a second time
                self._log.failure("{id}: its sender is not told that it was relayed", id=live.envelope.id)
        await self._spool.finished(live.envelope.id, targets, outcome)
        self._log.info(
            "{id} relayed to {remote}: {code} {reply}",
            id=live.envelope.id,
            remote=outcome.remote,
            code=outcome.code,
            reply=outcome.reply,
        )

    async def demand(self, destination: Destination) -> Demand:
        return opportunistic(destination)

    def visited(self, destination: Destination, demand: Demand, secure: bool, closure: Closure) -> None:
        """Nobody counts these."""

    def unsealed(self, waiting: Waiting) -> bool:
        return False

    async def seal(self, waiting: Waiting) -> None:
        """Nothing is to be made."""

    async def put_off(self, waiting: Waiting, outcome: Outcome) -> None:
        """It stays pending; the next attempt is at `waiting.due`."""
        id = waiting.live.envelope.id
        self._log.info(
            "{id} deferred by {remote}: {code} {reply}",
            id=id,
            remote=outcome.remote,
            code=outcome.code,
            reply=outcome.reply,
        )
        await self._spool.tried(id, waiting.targets, waiting.due, outcome, waiting.freed_at)

    async def give_up(self, waiting: Waiting, failures: dict[int, Outcome]) -> None:
        """Final failures: told by rule C6, then recorded."""
        await self._bounces.failed(waiting.live, failures)

    def health(self) -> Health:
        return Health()

    def turned(self, health: Health) -> None:
        """The log has it."""

    def stopped(self, why: str, most: int) -> None:
        """Nothing is guarded, so nothing stops."""

    def alert(self, words: str) -> None:
        """Nobody here looks after somebody else's server."""

    async def canary(self, queue: Queue, now: float) -> Waiting | None:
        return queue.take(now)

    async def known(self, addresses: list[str]) -> set[str]:
        return set()

    async def unknown(self, addresses: list[str]) -> None:
        """Nothing was remembered."""

    async def impostor(self) -> str:
        return ""

    async def accept(self) -> None:
        """Nothing was remembered."""

    def stranger(self, courier: Courier) -> str:
        return ""
