"""Domains that ask for it are told each day how our connections to them fared under TLS (RFC 8460).

Sessions are counted in memory, and kept in Redis each hour and over restarts; a lost hour is a lost hour. Reports leave
by mail, signed by the server's own key: without one nobody would believe them, so then none are written.
"""

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, field
from twisted.logger import Logger

from emailgency.codec import tls_report, trace
from emailgency.codec.tls_report import DAY, Report
from emailgency.model.directory import OPERATOR
from emailgency.model.envelope import Client, Envelope, Outbound, Recipient
from emailgency.model.errors import Temporary
from emailgency.model.tls_tally import Failed, Tally
from emailgency.net.dns import Dns

if TYPE_CHECKING:
    from emailgency.flows.trust.protection import Demand
    from emailgency.flows.trust.signing import Signing
    from emailgency.net.peer_identity import Fault
    from emailgency.rules.next_hop import Destination
    from emailgency.store.redis.redis import Redis
    from emailgency.store.spool.spool import Spool

DOMAINS = 10_000  # counted in a day
POLICIES = 10  # of one domain in a day
FAILURES = 100  # kinds of one policy
_KEY = "tls_tallies"


class Kept(Struct):
    """The sessions of one day, by domain; `day` in days since the epoch."""

    day: int
    domains: dict[str, list[Tally]] = field(default_factory=dict)


_decoder = msgspec.msgpack.Decoder(list[Kept])


class TlsReports:
    """`start` when Redis is awake; `turn` each hour."""

    _log = Logger()

    def __init__(
        self, dns: Dns, spool: "Spool", redis: "Redis", signing: "Signing", clock: Callable[[], float], name: str
    ) -> None:
        self._dns = dns
        self._spool = spool
        self._redis = redis
        self._signing = signing
        self._clock = clock
        self._name = name
        self.stopping: Callable[[], bool] = bool  # whether a turn should end early; bool() is no
        self._today = Kept(self._day())
        self._over: list[Kept] = []  # days whose reports are to be written

    def note(self, domain: str, destination: "Destination", demand: "Demand", fault: "Fault | None") -> None:
        """One session with a server of that domain; `fault`: what was wrong with its TLS."""
        if self._today.day != self._day():
            self._turn_over()
        domains = self._today.domains
        if domain not in domains and len(domains) >= DOMAINS:
            return
        tallies = domains.setdefault(domain, [])
        text = demand.text.decode("utf-8", "replace")
        tally = next((one for one in tallies if one.kind == demand.kind and one.text == text), None)
        if tally is None:
            if len(tallies) >= POLICIES:
                return
            tally = Tally(demand.kind, text)
            tallies.append(tally)
        if fault is None:
            tally.successes += 1
            return
        failed = Failed(fault.word, destination.host, destination.ip)
        if failed in tally.failures or len(tally.failures) < FAILURES:
            tally.failures[failed] = tally.failures.get(failed, 0) + 1

    async def start(self) -> None:
        """Go on where the process before us ended."""
        try:
            found = await self._redis.execute("GET", _KEY)
            kept = _decoder.decode(found) if found is not None else []
        except (Temporary, msgspec.MsgspecError):
            return
        for one in kept:
            if one.day == self._today.day:
                self._today.domains = one.domains | self._today.domains
            else:
                self._over.append(one)

    async def stop(self) -> None:
        """Before Redis is put to sleep."""
        await self.save()

    async def save(self) -> None:
        """What is counted, for the process behind us. Never fails."""
        try:
            octets = msgspec.msgpack.encode([*self._over, self._today])
            await self._redis.execute("SET", _KEY, octets, "EX", 3 * DAY)
        except Temporary as error:
            self._log.warn("TLS sessions of today are not kept: {error}", error=str(error))

    async def turn(self) -> None:
        """Write the reports of days that are over; what fails for now is tried again in an hour."""
        if self._today.day != self._day():
            self._turn_over()
        for kept in list(self._over):
            if await self._signing.key_for(self._name) is None or self._day() - kept.day > 3:
                self._over.remove(kept)
                continue
            for domain in list(kept.domains):
                if self.stopping():
                    return  # `stop` saves the rest
                await self._report(kept.day, domain, tuple(kept.domains[domain]))
                del kept.domains[domain]
            self._over.remove(kept)
        await self.save()

    def _turn_over(self) -> None:
        if self._today.domains:
            self._over.append(self._today)
        self._today = Kept(self._day())

    def _day(self) -> int:
        return int(self._clock() // DAY)

    async def _report(self, day: int, domain: str, tallies: tuple[Tally, ...]) -> None:
        answer = await self._dns.txt(f"_smtp._tls.{domain}")
        for recipient in tls_report.recipients(answer.records):
            id = f"{day}.{secrets.token_hex(8)}"
            report = Report(domain=domain, name=self._name, id=id, day=day * DAY, tallies=tallies)
            await self._send(tls_report.mail(report, recipient, self._clock()), recipient)

    async def _send(self, octets: bytes, recipient: str) -> None:
        now, return_path = self._clock(), trace.return_path("")
        arrival = self._spool.begin(now)
        arrival.write(return_path + octets)
        envelope = Envelope(
            id=arrival.id,
            customer=OPERATOR,
            sender="",
            received_at=now,
            size=arrival.size,
            checksum=arrival.checksum,
            return_path=len(return_path),
            recipients=(Recipient(as_given=recipient, notify=("NEVER",)),),
            plan=(Outbound(customer=OPERATOR, address=recipient, recipient=0, origin="notice"),),
            client=Client(ip="127.0.0.1"),
        )
        await self._spool.commit(arrival, envelope)
        self._log.info("{id} TLS report for {recipient}", id=arrival.id, recipient=ascii(recipient))
