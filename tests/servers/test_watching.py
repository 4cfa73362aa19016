"""The stall gauge, the loops that live on, and the pages for watching programs."""

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import TestCase

from emailgency.servers.periodic import Periodic
from emailgency.servers.stall import TICK, WINDOW, Stall
from emailgency.servers.web.local import site
from emailgency.servers.web.metrics import Figure, text


def test_a_stall_is_how_late_a_tick_came() -> None:
    clock = Clock()
    stall = Stall(clock)
    stall.start()
    clock.pump([TICK] * 4)
    assert stall.recent == pytest.approx(0.0)
    clock.advance(TICK + 0.3)
    assert stall.recent == pytest.approx(0.3)
    stall.stop()
    assert clock.getDelayedCalls() == []


def test_an_old_stall_leaves_recent_and_stays_the_worst() -> None:
    clock = Clock()
    stall = Stall(clock)
    stall.start()
    clock.advance(TICK + 0.3)
    for _ in range(int(2.2 * WINDOW / TICK)):
        clock.advance(TICK)
    assert stall.recent < 0.01
    assert stall.worst == pytest.approx(0.3)


class PeriodicTest(TestCase):
    def test_an_error_is_logged_and_the_loop_lives_on(self) -> None:
        clock, done = Clock(), []

        async def deed() -> None:
            done.append(clock.seconds())
            raise RuntimeError("no")

        loop = Periodic(clock, "tidy", 120, deed)
        loop.start()
        clock.advance(120)
        clock.advance(120)
        assert done == [120, 240]
        assert len(self.flushLoggedErrors(RuntimeError)) == 2

    def test_stop_waits_for_the_deed_under_way(self) -> None:
        clock, under_way = Clock(), Deferred[None]()

        async def deed() -> None:
            await under_way

        loop = Periodic(clock, "tidy", 120, deed)
        loop.start()
        clock.advance(120)
        stopped = Deferred.fromCoroutine(loop.stop(20))
        self.assertNoResult(stopped)
        under_way.callback(None)
        self.successResultOf(stopped)
        assert clock.getDelayedCalls() == []

    def test_stop_waits_for_a_deed_without_end_only_so_long(self) -> None:
        clock, under_way, done = Clock(), Deferred[None](), []

        async def deed() -> None:
            await under_way
            done.append(clock.seconds())

        loop = Periodic(clock, "tidy", 120, deed)
        loop.start()
        clock.advance(120)
        stopped = Deferred.fromCoroutine(loop.stop(20))
        clock.advance(19)
        self.assertNoResult(stopped)
        clock.advance(1)
        self.successResultOf(stopped)
        under_way.callback(None)  # it may still end, and does not come again
        clock.advance(1000)
        assert done == [140]
        assert clock.getDelayedCalls() == []

    def test_a_loop_that_sleeps_stops_at_once(self) -> None:
        clock = Clock()
        loop = Periodic(clock, "tidy", 120, lambda: None)
        self.successResultOf(Deferred.fromCoroutine(loop.stop(20)))
        loop.start()
        self.successResultOf(Deferred.fromCoroutine(loop.stop(20)))
        assert clock.getDelayedCalls() == []


def broken() -> float:
    raise RuntimeError


FIGURES = [
    Figure("eg_pending", "Messages with a target left.", lambda: 3.0),
    Figure("eg_received_total", "Messages.", lambda: {'a"\n': 1, "b": 2}, "service"),
    Figure("eg_broken", "Never there.", broken),
]


def test_figures_are_prometheus_text_and_a_broken_one_hides_no_other() -> None:
    assert text(FIGURES).decode() == (
        "# HELP eg_pending Messages with a target left.\n# TYPE eg_pending gauge\neg_pending 3.0\n"
        "# HELP eg_received_total Messages.\n# TYPE eg_received_total counter\n"
        'eg_received_total{service="a\\"\\n"} 1.0\neg_received_total{service="b"} 2.0\n'
        "# eg_broken cannot be read now\n"
    )


def ask(path: str, reasons: list[str]) -> bytes:
    transport = StringTransport()
    channel = site(FIGURES, lambda: reasons).buildProtocol(None)
    channel.makeConnection(transport)
    channel.dataReceived(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    return transport.value()


def test_the_pages() -> None:
    assert ask("/health", ["no"]).startswith(b"HTTP/1.0 200")
    assert ask("/ready", []).startswith(b"HTTP/1.0 200")
    assert ask("/ready", ["the storer is away"]).startswith(b"HTTP/1.0 503")
    assert ask("/ready", ["the storer is away"]).endswith(b"the storer is away\n")
    assert b"eg_pending 3.0" in ask("/metrics", [])
    assert ask("/else", []).startswith(b"HTTP/1.0 404")
