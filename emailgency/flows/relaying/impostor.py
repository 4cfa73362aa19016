"""Is it the customer's server that answers at his address? Looked at before it is given anything (product row G1).

A machine by another name and with another certificate may be his new one. One that also takes mail for an address that
nobody can have may be anybody's, and what it takes may be gone: it gets nothing until a person says that it is his.
Nothing is asked of a server that is known by its name or its certificate.
"""

import secrets
from collections.abc import Sequence

from msgspec.structs import replace

from emailgency.codec.smtp.client import Path, Result
from emailgency.flows.relaying.means import Means
from emailgency.net.callout import Callout
from emailgency.net.client_tls import Opportunistic
from emailgency.net.parcel import Closure
from emailgency.rules.guard import Identity, wholly_strange
from emailgency.rules.next_hop import Destination

ADDRESSES = 6  # as many as a journey tries
_STEP = 30.0  # seconds for each thing the server does
_PATIENCE = 120.0  # seconds for one address


async def impostor(means: Means, destinations: Sequence[Destination], domain: str, known: Sequence[Identity]) -> str:
    """Why mail for `domain` must not go there now, "" when it may. `known`: who took mail before, one at least."""
    closure = Closure(reason="no address to try")
    for destination in destinations[:ADDRESSES]:
        if forbidden := means.egress.check(destination.ip, destination.port):
            closure = Closure(reason=forbidden)
            continue
        look = _Look(means, destination, domain, known)
        closure = await look.visit()
        if closure.tls_failed:
            return ""  # what follows is for whoever carries mail to decide
        if closure.greeted:
            return look.words
    return closure.reason


class _Look:
    """One connection: who is it, and does it take what nobody has?"""

    def __init__(self, means: Means, destination: Destination, domain: str, known: Sequence[Identity]) -> None:
        self.words = ""
        self._means = means
        self._destination = destination
        self._known = known
        self._nobody = f"x{secrets.token_hex(10)}@{domain}"
        patience = replace(means.courier, connect=_STEP, greeting=_STEP, handshake=_STEP, command=_STEP)
        tls = Opportunistic(destination.host)
        self._callout = Callout(self._next, patience, means.reactor, means.name, tls)

    async def visit(self) -> Closure:
        alarm = self._means.reactor.callLater(_PATIENCE, self._callout.abort, "it takes too long")
        closure = await self._callout.visit(self._destination)
        if alarm.active():
            alarm.cancel()
        return closure

    def _next(self, answered: Result | None) -> Path | None:
        """For net.callout."""
        now = self._callout.identity
        if answered is None:
            return Path(self._nobody) if all(wholly_strange(one, now) for one in self._known) else None
        if not answered.ours and answered.reply.code < 300:
            self.words = (
                f"another server answers: it calls itself {now.name}, before {self._known[0].name}, has another "
                "certificate, and takes mail for addresses that nobody has; it gets nothing until somebody says that "
                "it is yours"
            )
        return None
