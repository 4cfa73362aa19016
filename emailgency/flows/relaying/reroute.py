"""A pending message is led to another server than its customer's, or back to that one (product row D1).

It goes on as a message of its own whose plan names the server, so that no restart forgets it. It stays as old as it is.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from emailgency.flows.relaying.copying import copied
from emailgency.model.envelope import Envelope, Outcome, Relay
from emailgency.model.errors import Invalid

if TYPE_CHECKING:
    from emailgency.store.spool.spool import Live, Spool


class Reroute:
    """Commits the copy first, then records the old targets: a crash between the two leaves both."""

    def __init__(self, reactor: Any, spool: "Spool", clock: Callable[[], float]) -> None:
        self._reactor = reactor
        self._spool = spool
        self._clock = clock

    def check(self, envelope: Envelope, targets: Sequence[int], via: str) -> None:
        """Raises Invalid. `via` is `host[:port]`, which somebody has looked at; "": his own server."""
        remote = [envelope.plan[index] for index in targets]
        if not all(isinstance(target, Relay) for target in remote):
            raise Invalid("%(id)s is for others too, and their servers are found by the DNS alone", id=envelope.id)
        if all(isinstance(target, Relay) and target.via == via for target in remote):
            raise Invalid("%(id)s goes there already", id=envelope.id)

    async def lead(self, live: "Live", targets: Sequence[int], via: str, who: str) -> str:
        """The id it has from now on. Raises Temporary: then nothing has changed."""
        envelope = live.envelope
        plan = tuple(replace(target, via=via) for index in targets if isinstance(target := envelope.plan[index], Relay))
        id = await copied(
            self._spool,
            self._reactor,
            envelope,
            self._clock(),
            received_at=envelope.received_at,
            plan=plan,
            ret=envelope.ret,
            envid=envelope.envid,
        )
        where = f"to {via}" if via else "to its own server"
        await self._spool.finished(envelope.id, targets, Outcome(word="rerouted", reply=f"as {id}, {where}", by=who))
        return id
