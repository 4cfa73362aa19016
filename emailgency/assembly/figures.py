"""The figures at /metrics and where each is read. No customer's name and no address stands in them."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

from emailgency.flows.relaying.incidents import Incidents
from emailgency.flows.relaying.lane import Lane
from emailgency.flows.relaying.means import Means
from emailgency.flows.relaying.outbound import OutboundFlow
from emailgency.flows.relaying.relay import RelayFlow
from emailgency.servers.imap.server import ImapServer
from emailgency.servers.pop3.server import Pop3Server
from emailgency.servers.smtp_service import SmtpService
from emailgency.servers.stall import Stall
from emailgency.servers.web.metrics import Figure
from emailgency.store.keys.certificates import Certificates
from emailgency.store.redis.redis import Redis
from emailgency.store.spool.spool import Spool
from emailgency.store.storing.line import Storer

if TYPE_CHECKING:
    from emailgency.servers.web.site import PublicSite

PAGE = os.sysconf("SC_PAGE_SIZE")


class Parts(Protocol):
    """What is looked at."""

    certificates: Certificates
    clock: Callable[[], float]
    imap: ImapServer | None
    incidents: Incidents
    means: Means
    outbound: OutboundFlow
    pop3: Pop3Server | None
    redis: Redis
    relay: RelayFlow
    smtp: dict[str, SmtpService]
    spool: Spool
    stall: Stall
    storer: Storer
    web: "PublicSite | None"


def figures(parts: Parts) -> list[Figure]:
    """All of them; each is read when somebody asks."""
    spool, stall, certificates, attempts = parts.spool, parts.stall, parts.certificates, parts.means.attempts
    return [
        Figure("emailgency_connections", "Open connections.", lambda: connections(parts), "service"),
        Figure("emailgency_connections_refused_total", "Refused by the limits.", lambda: refused(parts), "service"),
        Figure(
            "emailgency_accepting",
            "1: mail is taken in; 0: the disk is low or the storer hangs.",
            lambda: spool.accepting is None,
        ),
        Figure("emailgency_live_messages", "Messages with a target left.", lambda: len(spool.live)),
        Figure("emailgency_pending_messages", "Messages for other servers.", lambda: pending(parts)),
        Figure("emailgency_oldest_pending_seconds", "Age of the oldest of them.", lambda: oldest(parts)),
        Figure("emailgency_next_hops", "Servers that mail is pending for.", lambda: next_hops(parts), "state"),
        Figure("emailgency_incidents", "Open incidents.", lambda: len(parts.incidents.ongoing())),
        Figure(
            "emailgency_maybe_given_total",
            "Messages whose final reply was lost: they are sent again, and may arrive twice.",
            lambda: attempts.doubtful,
        ),
        Figure(
            "emailgency_unrecorded_seconds_worst",
            "Longest time since the start from a final dot to its record; a crash in it sends a message twice.",
            lambda: attempts.window,
        ),
        Figure("emailgency_redis_connected", "1: Redis answers.", lambda: parts.redis.connected),
        Figure("emailgency_storer_busy", "1: the disk does not keep up, clients wait.", lambda: parts.storer.busy),
        Figure("emailgency_storer_seconds", "Age of the oldest open request to it.", lambda: parts.storer.waited),
        Figure("emailgency_stall_seconds", "Longest stall of the reactor in the last minutes.", lambda: stall.recent),
        Figure("emailgency_stall_seconds_worst", "Longest stall since the start.", lambda: stall.worst),
        Figure(
            "emailgency_certificate_end_seconds",
            "When they end, since the epoch.",
            lambda: certificates.expire_at,
            "file",
        ),
        Figure("process_resident_memory_bytes", "Memory of the main process.", resident),
        Figure("process_open_fds", "Descriptors of the main process.", lambda: len(os.listdir("/proc/self/fd"))),
    ]


def connections(parts: Parts) -> dict[str, float]:
    """Open ones, by service."""
    return {service: len(one.connections) for service, one in services(parts)}


def refused(parts: Parts) -> dict[str, float]:
    return {service: one.connections.refused for service, one in services(parts)}


def services(parts: Parts) -> Iterator[tuple[str, "SmtpService | ImapServer | Pop3Server | PublicSite"]]:
    yield from parts.smtp.items()
    if parts.imap is not None:
        yield "imap", parts.imap
    if parts.pop3 is not None:
        yield "pop3", parts.pop3
    if parts.web is not None:
        yield "web", parts.web


def lanes(parts: Parts) -> list[Lane]:
    return [*parts.relay.lanes(), *parts.outbound.lanes()]


def pending(parts: Parts) -> int:
    return sum(len(lane.queue) + lane.carrying for lane in lanes(parts))


def oldest(parts: Parts) -> float:
    """0 when nothing is pending."""
    ages = [parts.clock() - received for lane in lanes(parts) if (received := lane.queue.oldest()) is not None]
    return max(ages, default=0.0)


def next_hops(parts: Parts) -> Mapping[str, float]:
    return Counter(lane.health.state.value for lane in lanes(parts))


def resident() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * PAGE
