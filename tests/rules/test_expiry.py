"""What goes because it is old, what because there is no room, and what stays in any case."""

import pytest
from hypothesis import given
from hypothesis import strategies as some
from msgspec.structs import replace

from emailgency.model.address import Address
from emailgency.model.directory import STANDARD, Mailbox
from emailgency.rules.expiry import (
    DAY,
    EMPTY,
    FULL,
    ROOMY,
    Arrived,
    Sweep,
    came_before,
    delay_of,
    quota_of,
    roomy,
    swept,
)
from emailgency.rules.forecast import Span, expires_at

NOW = 1_800_000_000.0
PAUL = Mailbox(id="m1", customer="c1", address=Address("paul", "mydomain.zz"))


def arrived(*days: float, octets: int = 100) -> list[Arrived]:
    """Messages that came so many days ago, the oldest first."""
    return [Arrived(NOW - ago * DAY, octets) for ago in sorted(days, reverse=True)]


@pytest.mark.parametrize(
    ("chosen", "shortened", "delay"),
    [(None, None, 30), (7, None, 7), (80, None, 80), (400, None, 90), (80, 12, 12), (5, 12, 5), (None, 12, 12)],
)
def test_the_delay_is_what_was_chosen_within_the_plan_and_never_longer_than_what_was_shortened(
    chosen: int | None, shortened: int | None, delay: int
) -> None:
    assert delay_of(replace(PAUL, expiration_delay=chosen, shortened_to=shortened), STANDARD) == delay


def test_a_vip_has_more_room() -> None:
    assert quota_of(PAUL, STANDARD) == STANDARD.mailbox_quota
    assert quota_of(replace(PAUL, vip=True), STANDARD) == STANDARD.vip_quota


def test_what_is_older_than_the_delay_goes() -> None:
    messages = arrived(40, 31, 30.1, 29.9, 3, 0)
    assert swept(messages, 30, 1 << 30, NOW, ()) == Sweep(3)


def test_the_oldest_mail_makes_room_and_the_delay_becomes_what_that_leaves() -> None:
    messages = arrived(*range(20))
    assert swept(messages, 30, 2000, NOW, ()) == Sweep(2, 17)  # 18 messages are nine tenths
    assert swept(messages, 30, 2200, NOW, ()) == Sweep(0)  # 2000 of 2200 octets are not too much yet


def test_nobody_loses_for_want_of_room_what_he_has_had_for_less_than_a_day() -> None:
    assert swept(arrived(0.9, 0.5, 0), 30, 10, NOW, ()) == Sweep(0)
    assert swept(arrived(3, 2, 0.9, 0.5), 30, 10, NOW, ()) == Sweep(2, 1)


def test_while_an_incident_is_open_nothing_goes() -> None:
    spans = [Span(NOW - 5 * DAY, NOW - 4 * DAY), Span(NOW - DAY / 2, None)]
    assert came_before(NOW, DAY, spans) is None
    assert swept(arrived(400, 300, 2), 30, 10, NOW, spans) == Sweep(0)


def test_time_within_incidents_does_not_count() -> None:
    spans = [Span(NOW - 20 * DAY, NOW - 10 * DAY)]
    assert swept(arrived(41, 39, 31), 30, 1 << 30, NOW, spans) == Sweep(1)
    assert swept(arrived(15, 0), 30, 10, NOW, [Span(NOW - 20 * DAY, NOW - 60)]) == Sweep(0)  # read it first


def test_a_shortened_delay_is_given_back_when_half_is_free() -> None:
    assert (roomy(500, 1000), roomy(501, 1000)) == (True, False)
    assert EMPTY < ROOMY < FULL < 1


@given(
    some.lists(some.tuples(some.floats(0, 1e7), some.floats(0, 1e6)), max_size=5),
    some.floats(0, 1e7),
    some.floats(1, 1e6),
)
def test_mail_expires_here_when_the_forecast_says_so(
    given: list[tuple[float, float]], received: float, lifetime: float
) -> None:
    now, spans, at = 2e7, [], 0.0
    for gap, length in given:  # one after the other, as incidents are
        spans.append(Span(at + gap, at + gap + length))
        at += gap + length
    expires, before = expires_at(received, lifetime, spans), came_before(now, lifetime, spans)
    assert expires is not None
    assert before is not None
    if abs(expires - now) > 1:
        assert (received < before) == (expires < now)


@given(
    some.lists(some.tuples(some.floats(0, 100), some.integers(1, 1000))), some.integers(1, 90), some.integers(1, 9999)
)
def test_a_second_look_finds_nothing_to_do(given: list[tuple[float, int]], days: int, quota: int) -> None:
    messages = sorted((Arrived(NOW - ago * DAY, octets) for ago, octets in given), key=lambda one: one.at)
    sweep = swept(messages, days, quota, NOW, ())
    left = messages[sweep.count :]
    assert swept(left, sweep.days or days, quota, NOW, ()).count == 0
    assert all(message.at <= NOW - DAY for message in messages[: sweep.count])
