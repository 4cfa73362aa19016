"""Mail to the rest of the world: what users submit, their forwards, our own notifications (product row D1, "Outbound").

Other rules than for giving mail back: a 5xx is final, so is a domain that does not exist or takes no mail; after some
hours the sender is told of the delay, after some days of the failure.
"""

import re
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct
from twisted.logger import Logger

from emailgency.background import background
from emailgency.flows.receiving.resolve import resolve_from_within
from emailgency.flows.relaying import octets
from emailgency.flows.relaying.errand import Records
from emailgency.flows.relaying.exchanges import Exchanges, Unroutable
from emailgency.flows.relaying.homecoming import Homecoming
from emailgency.flows.relaying.lane import Lane
from emailgency.flows.relaying.lanes import Lanes
from emailgency.flows.relaying.means import Means
from emailgency.flows.trust.protection import Demand, Protection, opportunistic
from emailgency.flows.trust.signing import SIGNED, Signing
from emailgency.model.envelope import Outbound, Outcome, Recipient
from emailgency.model.errors import Temporary
from emailgency.model.verdict import Verdict
from emailgency.net.parcel import Closure
from emailgency.net.peer_identity import Fault
from emailgency.rules.next_hop import Destination
from emailgency.store.spool.pending import Hop, Waiting, waitings

if TYPE_CHECKING:
    from emailgency.flows.relaying.bounce import Bounces
    from emailgency.flows.relaying.reverse_path import ReversePaths
    from emailgency.flows.trust.sealing import Sealing
    from emailgency.store.spool.spool import Live

_NOT_REQUIRED = re.compile(rb"(?:\A|\r\n)tls-required[ \t]*:[ \t]*no[ \t]*\r\n", re.IGNORECASE)  # section 3
NO_STARTTLS = "STARTTLS refused"  # how a session ends for which it was a must
DAY = 86_400.0
HOUR = 3600.0


class OutboundSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Mail to servers that are not our customers'."""

    connections: Annotated[int, Meta(ge=1, le=100, description="Connections for one domain at most")] = 3
    lifetime: Annotated[float, Meta(gt=0, description="Days until mail that cannot be sent fails")] = 5.0
    notice: Annotated[float, Meta(gt=0, description="Hours until the sender is told of a delay")] = 4.0
    look: Annotated[float, Meta(gt=0, description="Seconds between looks for mail that is late or too old")] = 60.0


class DomainErrand(Records):
    """To the servers of one domain."""

    def __init__(
        self,
        domain: str,
        exchanges: Exchanges,
        bounces: "Bounces",
        settings: Callable[[], OutboundSettings],
        protection: Protection | None = None,
        tls: str = "",
    ) -> None:
        super().__init__(bounces)
        self._domain = domain
        self._exchanges = exchanges
        self._settings = settings
        self._protection = protection  # None: as well as it goes
        self._tls = tls  # of the hop

    @property
    def name(self) -> str:
        return self._domain

    @property
    def limit(self) -> int:
        return self._settings().connections

    async def destinations(self) -> list[Destination]:
        if self._domain.startswith("["):  # RFC 5321 section 4.1.3
            ip = self._domain[1:-1].removeprefix("ipv6:")
            return [Destination(self._domain, ip)]
        found = await self._exchanges.of_domain(self._domain)
        if self._tls == "required":
            refusals = [(await self.demand(one)).refused for one in found]
            if all(one is not None and one.word == "validation-failure" for one in refusals) and refusals[0]:
                raise Unroutable(refusals[0].reason, "5.7.30", permanent=True)
        return found

    async def demand(self, destination: Destination) -> Demand:
        if self._protection is None or self._tls == "no":
            return opportunistic(destination)
        if self._tls == "required":
            return await self._protection.required(self._domain, destination)
        return await self._protection.of(self._domain, destination)

    def visited(self, destination: Destination, demand: Demand, secure: bool, closure: Closure) -> None:
        if self._protection is None or self._tls == "no":
            return
        fault = demand.fault or demand.trouble
        if fault is None and closure.tls_failed:
            fault = Fault("validation-failure", closure.reason)
        if fault is None and not secure and (closure.greeted or closure.reason.startswith(NO_STARTTLS)):
            fault = Fault("starttls-not-supported", closure.reason)
        if fault is not None or (secure and closure.greeted):
            self._protection.told(self._domain, destination, demand, fault)

    def hopeless(self, reason: Unroutable) -> bool:
        return reason.permanent

    def outlived(self, waiting: Waiting, now: float) -> bool:
        return now > self.expires_at(waiting.term_from)

    def expires_at(self, term_from: float) -> float:
        return term_from + self._settings().lifetime * DAY


class OutboundFlow(Lanes):
    """All lanes to foreign domains. `start` after the spool has started."""

    _log = Logger()

    def __init__(
        self,
        exchanges: Exchanges,
        reverse_paths: "ReversePaths",
        signing: Signing,
        bounces: "Bounces",
        means: Means,
        settings: OutboundSettings,
    ) -> None:
        super().__init__(means)
        self._exchanges = exchanges
        self._reverse_paths = reverse_paths
        self._signing = signing
        self._bounces = bounces
        self.settings = settings
        self.sealing: Sealing | None = None  # set before the start; None: no forward is sealed
        self.protection: Protection | None = None  # the same; None: TLS as well as it goes
        self._young: deque[tuple[float, Live]] = deque()  # by arrival; the sender of these knows of no delay yet
        self._homecoming = Homecoming(bounces, means)
        self._placeless: list[tuple[Live, int]] = []  # while the directory does not answer

    def start(self) -> None:
        self._means.spool.listeners.append(self.arrived)
        for live in sorted(self._means.spool.live.values(), key=lambda live: live.envelope.received_at):
            self.arrived(live)
        self._young = deque((at, live) for at, live in self._young if not self._was_told(live))
        self._go_round()

    def arrived(self, live: "Live") -> None:
        """A message was committed, or found in the spool at the start."""
        plan = live.envelope.plan
        targets = [index for index in sorted(live.remaining) if isinstance(plan[index], Outbound)]
        if targets:
            self._young.append((live.envelope.received_at, live))
            background("finding the way of outbound mail", self._place(live, targets))

    async def _place(self, live: "Live", targets: list[int]) -> None:
        """What is for an address of ours stays here, the rest goes to the lane of its domain."""
        by_way: dict[tuple[str, str, str], list[int]] = {}  # domain, reverse-path, what stands before the message
        for index in targets:
            try:
                await self._means.holds.know(_outbound(live, index).customer)
                if not await self._brought_home(live, index):
                    sender = await self._reverse_paths.of(live.envelope, _outbound(live, index))
                    origin = _outbound(live, index).origin
                    mark = "signature" if origin in SIGNED else "seal" if origin == "forward" else ""
                    by_way.setdefault((_domain(live, index), sender, mark), []).append(index)
            except Exception as error:  # whatever it was, the message must not be forgotten
                self._placeless.append((live, index))
                if isinstance(error, Temporary):
                    self._log.warn("{id} has no way yet: {reason}", id=live.envelope.id, reason=str(error))
                else:
                    self._log.failure("{id} has no way yet", id=live.envelope.id)
        fields = {"": b""}
        for (domain, sender, mark), group in by_way.items():
            if mark not in fields:
                fields[mark] = await self._fields(live, mark)
            lane = self._lane(domain, _tls(live, self._means.spool.path(live.envelope.id)))
            for waiting in waitings(live, group, sender, fields[mark]):
                lane.add(waiting)

    async def _fields(self, live: "Live", mark: str) -> bytes:
        envelope, path = live.envelope, self._means.spool.path(live.envelope.id)
        if mark == "signature":
            return await self._signing.field(envelope.id, path, envelope.return_path)
        return await self.sealing.forwarded(envelope, path) if self.sealing else b""

    async def _brought_home(self, live: "Live", index: int) -> bool:
        target = _outbound(live, index)
        route = await resolve_from_within(self._bounces.resolver, Recipient(as_given=target.address), 0)
        if isinstance(route, Verdict):  # none of ours
            return False
        await self._homecoming.bring(live, index, route)
        return True

    def _lane(self, domain: str, tls: str) -> Lane:
        hop = Hop(domain, tls=tls)
        if lane := self._lanes.get(hop):
            return lane
        return self._open(
            hop, DomainErrand(domain, self._exchanges, self._bounces, lambda: self.settings, self.protection, tls)
        )

    # ---- now and then --------------------------------------------------------------------------------------

    def _pause(self) -> float:
        return self.settings.look

    async def _look_after(self) -> None:
        for hop, lane in list(self._lanes.items()):
            lane.give_up_old()
            if lane.forgettable:
                del self._lanes[hop]
        placeless, self._placeless = self._placeless, []
        for live, index in placeless:
            await self._place(live, [index])
        late = self._means.clock() - self.settings.notice * HOUR
        while self._young and self._young[0][0] < late:
            _, live = self._young.popleft()
            await self._tell_of_delay(live)

    def _was_told(self, live: "Live") -> bool:
        """Each notice leaves a `Tried` record: one after the hour of the notice is its memory over a restart."""
        hour = live.envelope.received_at + self.settings.notice * HOUR
        return any(tried.at >= hour for tried in live.tried.values())

    async def _tell_of_delay(self, live: "Live") -> None:
        envelope = live.envelope
        for index in sorted(live.remaining):
            if not isinstance(envelope.plan[index], Outbound) or index not in live.remaining:
                continue  # it may have gone while the one before was told of
            tried = live.tried.get(index)
            outcome = tried.outcome if tried else Outcome(word="deferred", reply=self._reason(live, index))
            freed_at = tried.freed_at if tried else 0.0
            until = max(envelope.received_at, freed_at) + self.settings.lifetime * DAY
            await self._bounces.delayed(live, [index], outcome, until)
            if index not in live.remaining:
                continue
            now = self._means.clock()
            due = max(now, tried.next if tried else now)
            await self._means.spool.tried(envelope.id, (index,), due, outcome, freed_at)

    def _reason(self, live: "Live", index: int) -> str:
        lanes = (self._lanes.get(Hop(_domain(live, index), tls=tls)) for tls in ("", "no", "required"))
        return next((lane.health.reason for lane in lanes if lane and lane.health.reason), "")


def _outbound(live: "Live", index: int) -> Outbound:
    target = live.envelope.plan[index]
    assert isinstance(target, Outbound)
    return target


def _domain(live: "Live", index: int) -> str:
    return _outbound(live, index).address.rpartition("@")[2].lower()


def _tls(live: "Live", path: str) -> str:
    """What the message says of TLS on its way (RFC 8689): a field is overruled by REQUIRETLS, and a bounce, which has
    no sender, goes on as well as it can.
    """
    if live.envelope.require_tls:
        return "required" if live.envelope.sender else ""
    try:
        header = octets.header(path, live.envelope.return_path)
    except OSError:
        return ""
    return "no" if _NOT_REQUIRED.search(header) else ""
