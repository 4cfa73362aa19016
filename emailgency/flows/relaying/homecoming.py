"""Outbound mail whose recipient turns out to live here: a forward to another mailbox of ours, say.

It never goes over the network, where the way to us may be closed or lead back in a circle (attack row 13): it becomes
a message of its own with the targets that its address has here. Each time it gets a Received field, and a Delivered-To
field for its address and for the one that forwarded it; an address that it has already been at does not get it again,
and too many Received fields end it in any case.
"""

from typing import TYPE_CHECKING

from twisted.logger import Logger

from emailgency.codec import trace
from emailgency.flows.relaying import octets
from emailgency.flows.relaying.copying import copied
from emailgency.model.envelope import Envelope, Outbound, Outcome, Recipient
from emailgency.model.errors import Temporary

if TYPE_CHECKING:
    from emailgency.flows.relaying.bounce import Bounces
    from emailgency.flows.relaying.means import Means
    from emailgency.rules.routing import Route
    from emailgency.store.spool.spool import Live


class Homecoming:
    """Commits the new message first, then records the old target: a crash between the two may bring it twice."""

    _log = Logger()

    def __init__(self, bounces: "Bounces", means: "Means") -> None:
        self._bounces = bounces
        self._spool = bounces.spool
        self._means = means
        self._reactor = means.reactor
        self._clock = means.clock
        self._host_name = means.name

    async def bring(self, live: "Live", index: int, route: "Route") -> None:
        """Target `index` of this message is an address of ours. Raises Temporary: then nothing has changed."""
        envelope = live.envelope
        target = envelope.plan[index]
        assert isinstance(target, Outbound)
        if route.verdict and route.verdict.temporary:
            raise Temporary(f"{target.address} takes no mail now: {route.verdict.text}")
        try:
            header = octets.header(self._spool.path(envelope.id), envelope.return_path)
        except OSError as error:
            raise Temporary(str(error)) from error
        if route.verdict:
            await self._fail(live, index, route.verdict.code, route.verdict.enhanced, route.verdict.text)
        elif _was_at(target.address, header):
            await self._end(live, index, Outcome(word="dropped", enhanced="5.4.6", reply="has been there before"))
        elif _received(header) >= self._means.hops:
            await self._fail(live, index, 554, "5.4.6", "too many Received fields, this is a loop")
        else:
            forwarder = envelope.recipients[target.recipient].as_given
            places = [target.address]
            if target.origin == "forward" and not _was_at(forwarder, header) and forwarder != target.address:
                places.append(forwarder)
            fields = b"".join(map(_delivered_to, places))
            id = await self._accept(envelope, target, route, fields) if route.targets else "nothing"
            await self._end(live, index, Outcome(word="delivered", reply=f"as {id}"))

    async def _accept(self, envelope: Envelope, target: Outbound, route: "Route", fields: bytes) -> str:
        now = self._clock()

        def received(id: str) -> bytes:
            stamp = trace.Stamp(
                helo=self._host_name,
                ip="127.0.0.1",
                host_name=self._host_name,
                protocol="LMTP",
                id=id,
                at=now,
                recipient=target.address,
            )
            return trace.received(stamp) + fields

        recipient = envelope.recipients[target.recipient]
        own = Recipient(as_given=target.address, notify=recipient.notify, original=recipient.original)
        return await copied(
            self._spool,
            self._reactor,
            envelope,
            now,
            received,
            customer=route.customer.id,
            recipients=(own,),
            plan=route.targets,
            ret=envelope.ret,
            envid=envelope.envid,
        )

    async def _end(self, live: "Live", index: int, outcome: Outcome) -> None:
        await self._spool.finished(live.envelope.id, (index,), outcome)
        self._log.info("{id} {word} here: {reply}", id=live.envelope.id, word=outcome.word, reply=outcome.reply)

    async def _fail(self, live: "Live", index: int, code: int, enhanced: str, text: str) -> None:
        outcome = Outcome(word="bounced", code=code, enhanced=enhanced, reply=text)
        await self._bounces.failed(live, {index: outcome})


def _received(header: bytes) -> int:
    scan = trace.HeaderScan()
    scan.feed(header)
    return scan.received()


def _delivered_to(address: str) -> bytes:
    return f"Delivered-To: {address}\r\n".encode()


def _was_at(address: str, header: bytes) -> bool:
    return b"\r\n" + _delivered_to(address).lower() in b"\r\n" + header.lower()
