"""What a lane asks whoever sent it out, and the answers that are the same for mail given back and mail sent out."""

from typing import TYPE_CHECKING
from typing import Protocol as Shape

from twisted.logger import Logger

from emailgency.codec.smtp.client import Result
from emailgency.flows.exchanges import Unroutable
from emailgency.model.envelope import Outcome
from emailgency.net.courier import Courier
from emailgency.rules.next_hop import Destination
from emailgency.store.pending import Waiting

if TYPE_CHECKING:
    from emailgency.flows.bounce import Bounces


class Errand(Shape):
    """What the lane has to ask: whose mail it is decides."""

    @property
    def name(self) -> str:
        """Whose server it is, for the log."""

    @property
    def limit(self) -> int:
        """Connections at most, by the settings of now."""

    def hopeless(self, reason: Unroutable) -> bool:
        """Whether mail is given up when no server can be found for this reason."""

    async def destinations(self) -> list[Destination]:
        """Where to go now. Raises Unroutable, Invalid, Temporary."""

    def final(self, result: Result) -> bool:
        """Whether a refusal (5xx) settles the matter."""

    def outlived(self, waiting: Waiting, now: float) -> bool:
        """Whether this message has waited long enough."""

    async def give_up(self, waiting: Waiting, failures: dict[int, Outcome]) -> None:
        """Targets that failed for good: tell whom it concerns, then record them as finished."""

    async def put_off(self, waiting: Waiting, outcome: Outcome) -> None:
        """These targets stay pending; `waiting.due` is set."""

    async def taken(self, waiting: Waiting, targets: list[int], outcome: Outcome, courier: Courier) -> None:
        """These targets are with the next hop: record them as finished."""


class Records:
    """The part of an `Errand` that needs no opinion: outcomes are recorded and told."""

    _log = Logger()

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

    async def put_off(self, waiting: Waiting, outcome: Outcome) -> None:
        """They stay pending until `waiting.due`."""
        id = waiting.live.envelope.id
        self._log.info(
            "{id} deferred by {remote}: {code} {reply}",
            id=id,
            remote=outcome.remote,
            code=outcome.code,
            reply=outcome.reply,
        )
        await self._spool.tried(id, waiting.targets, waiting.due, outcome)

    async def give_up(self, waiting: Waiting, failures: dict[int, Outcome]) -> None:
        """Final failures: told by rule C6, then recorded."""
        await self._bounces.failed(waiting.live, failures)
