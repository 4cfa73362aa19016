"""A pending message becomes mail of ours: a copy in a mailbox, or in Undelivered, in place of the way it waited for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from emailgency.flows.relaying.copying import copied
from emailgency.model.directory import Mailbox
from emailgency.model.envelope import Deliver, Envelope, Outbound, Outcome, Relay, Target, Undelivered
from emailgency.model.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Callable

    from emailgency.store.spool.spool import Live, Spool


class KeepHere:
    """Commits the copy first, then records the old targets: a crash between the two leaves both."""

    def __init__(self, reactor: Any, spool: "Spool", clock: "Callable[[], float]") -> None:
        self._reactor = reactor
        self._spool = spool
        self._clock = clock

    def check(self, envelope: Envelope, targets: Sequence[int], mailbox: Mailbox | None) -> None:
        """Raises Invalid: one customer's mail is never given to another, nor a copy to whoever has one."""
        if mailbox is None:
            return
        if any(target.customer != mailbox.customer for target in (envelope.plan[index] for index in targets)):
            raise Invalid(
                "%(address)s belongs to another customer than %(id)s", address=mailbox.address, id=envelope.id
            )
        if any(isinstance(target, Deliver) and target.mailbox == mailbox.id for target in envelope.plan):
            raise Invalid(
                "%(address)s has %(id)s already: drop it, if its server shall not have it",
                address=mailbox.address,
                id=envelope.id,
            )

    async def keep(self, live: "Live", targets: Sequence[int], mailbox: Mailbox | None, who: str = "") -> None:
        """For these remote targets. Without a mailbox in Undelivered. Raises Temporary: then nothing has changed."""
        envelope = live.envelope
        remote = [target for index in targets if isinstance(target := envelope.plan[index], Relay | Outbound)]
        plan: tuple[Target, ...]
        if mailbox:
            plan = (Deliver(customer=mailbox.customer, mailbox=mailbox.id, recipient=remote[0].recipient),)
        else:
            plan = tuple(dict.fromkeys(Undelivered(customer=one.customer, recipient=one.recipient) for one in remote))
        id = await copied(self._spool, self._reactor, envelope, self._clock(), plan=plan)
        await self._spool.finished(envelope.id, targets, Outcome(word="delivered", reply=f"as {id}", by=who))
