"""The figures at /metrics and where each is read. No customer's name and no address stands in them."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from emailgency.servers.web.metrics import Figure

if TYPE_CHECKING:
    from emailgency.app import App
    from emailgency.flows.lane import Lane
    from emailgency.servers.imap.server import ImapServer
    from emailgency.servers.smtp_service import SmtpService

PAGE = os.sysconf("SC_PAGE_SIZE")


def figures(app: "App") -> list[Figure]:
    """All of them; each is read when somebody asks."""
    spool, stall, certificates = app.spool, app.stall, app.certificates
    return [
        Figure("emailgency_connections", "Open connections.", lambda: connections(app), "service"),
        Figure("emailgency_connections_refused_total", "Refused by the limits.", lambda: refused(app), "service"),
        Figure("emailgency_accepting", "1: mail is taken in; 0: the disk is low.", lambda: spool.accepting is None),
        Figure("emailgency_live_messages", "Messages with a target left.", lambda: len(spool.live)),
        Figure("emailgency_pending_messages", "Messages for other servers.", lambda: pending(app)),
        Figure("emailgency_oldest_pending_seconds", "Age of the oldest of them.", lambda: oldest(app)),
        Figure("emailgency_next_hops", "Servers that mail is pending for.", lambda: next_hops(app), "state"),
        Figure("emailgency_redis_connected", "1: Redis answers.", lambda: app.redis.connected),
        Figure("emailgency_storer_busy", "1: the disk does not keep up, clients wait.", lambda: app.storer.busy),
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


def connections(app: "App") -> dict[str, float]:
    """Open ones, by service."""
    return {service: len(one.connections) for service, one in services(app)}


def refused(app: "App") -> dict[str, float]:
    return {service: one.connections.refused for service, one in services(app)}


def services(app: "App") -> "Iterator[tuple[str, SmtpService | ImapServer]]":
    yield from app.smtp.items()
    if app.imap is not None:
        yield "imap", app.imap


def lanes(app: "App") -> "list[Lane]":
    return [*app.relay.lanes(), *app.outbound.lanes]


def pending(app: "App") -> int:
    return sum(len(lane.queue) + lane.carrying for lane in lanes(app))


def oldest(app: "App") -> float:
    """0 when nothing is pending."""
    ages = [app.clock() - received for lane in lanes(app) if (received := lane.queue.oldest()) is not None]
    return max(ages, default=0.0)


def next_hops(app: "App") -> Mapping[str, float]:
    return Counter(lane.health.state.value for lane in lanes(app))


def resident() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * PAGE
