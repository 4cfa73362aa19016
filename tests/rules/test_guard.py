"""Guarded recovery (row G1): what a reply says, waves, shares, belief, strangers; and forecasts (row G8)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailgency.rules import guard as rule
from emailgency.rules.forecast import Span, expires_at, full_at
from emailgency.rules.guard import CANARY, HOUR, OPEN, Gate, GuardSettings, Identity, Said, Tally
from emailgency.rules.health import Health, State

SETTINGS = GuardSettings()


@pytest.mark.parametrize(
    ("stage", "code", "enhanced", "known", "says"),
    [
        ("end of data", 250, "2.0.0", False, Said.TAKEN),
        ("MAIL", 550, "5.7.1", False, Said.DENIED),
        ("RCPT", 550, "5.1.1", True, Said.DENIED),
        ("RCPT", 550, "5.1.1", False, Said.REFUSED),
        ("end of data", 554, "5.7.1", True, Said.REFUSED),
        ("DATA", 554, "", False, Said.REFUSED),
        ("MAIL", 503, "5.5.1", False, Said.LATER),
        ("RCPT", 450, "4.2.0", False, Said.LATER),
        ("RCPT", 452, "4.3.1", False, Said.BUSY),
        ("RCPT", 452, "4.2.2", False, Said.LATER),
        ("MAIL", 452, "", False, Said.BUSY),
        ("end of data", 421, "4.7.0", False, Said.BUSY),
        ("end of data", 451, "4.7.1", False, Said.LATER),
    ],
)
def test_a_reply_speaks_of_the_server_or_of_the_message(stage, code, enhanced, known, says):
    assert rule.said(stage, code, enhanced, known) is says


def test_of_several_recipients_the_one_that_should_not_have_been_refused_counts_most():
    assert rule.heaviest([Said.TAKEN, Said.REFUSED, Said.DENIED]) is Said.DENIED
    assert rule.heaviest([Said.LATER, Said.TAKEN]) is Said.TAKEN


def waves(outcome):
    """The sizes of the waves that pass when messages end as `outcome(number)` says."""
    gate, sizes, number = CANARY, [], 0
    while gate.wave and len(sizes) < 8:
        if not gate.begun:
            sizes.append(gate.wave)
        gate = rule.ended(rule.begin(gate), outcome(number), SETTINGS)
        number += 1
    return sizes


def test_after_the_canary_come_waves_of_5_25_125_625_and_then_all():
    assert waves(lambda _: True) == [1, 5, 25, 125, 625]


def test_a_wave_of_which_less_than_half_is_taken_is_repeated():
    assert waves(lambda number: number == 0 or number > 5) == [1, 5, 5, 25, 125, 625]
    assert waves(lambda _: False) == [1] * 8


def test_a_wave_lets_no_more_begin_than_its_size_and_waits_until_it_opens():
    gate = Gate(5, opens_at=100.0)
    assert (gate.room(99), gate.room(100), OPEN.room(0)) == (0, 5, None)
    for _ in range(5):
        gate = rule.begin(gate)
    assert gate.room(100) == 0
    assert rule.came_back(gate).room(100) == 1


def test_a_share_of_refused_messages_stops_the_flow_and_a_few_say_nothing():
    tally = Tally()
    assert [tally.note(True, SETTINGS) for _ in range(5)] == [False] * 4 + [True]
    tally.clear()
    assert not any(tally.note(number % 2 == 0, SETTINGS) for number in range(200))
    assert any(tally.note(True, SETTINGS) for _ in range(20))


@given(st.lists(st.booleans(), max_size=200))
def test_the_tally_counts_the_last_ones(refused):
    tally = Tally()
    for one in refused:
        tally.note(one, SETTINGS)
    assert tally._refused == sum(refused[-SETTINGS.sample :])


WELL = Health(recovered_at=0.0)
LATE = SETTINGS.lenient * HOUR


@pytest.mark.parametrize(
    ("health", "refused_at", "last_taken", "now", "believed"),
    [
        (WELL, LATE + 10, LATE + 20, LATE + 60, True),
        (WELL, None, LATE + 20, LATE + 60, False),  # the first time
        (WELL, LATE + 10, LATE + 5, LATE + 60, False),  # nothing was taken since: 550 to everybody
        (WELL, 10, 20, 60, False),  # the first hours after a recovery
        (Health(State.RECOVERING, recovered_at=0.0), LATE + 10, LATE + 20, LATE + 60, False),
        (Health(State.SUSPECT, recovered_at=0.0), LATE + 10, LATE + 20, LATE + 60, False),
        (Health(), 10, 20, 60, True),  # it was never down
    ],
)
def test_a_refusal_is_believed_of_a_server_that_is_well_for_hours_says_it_twice_and_takes_others(
    health, refused_at, last_taken, now, believed
):
    assert rule.final(health, refused_at, last_taken, now, SETTINGS) is believed


@pytest.mark.parametrize(
    ("before", "now", "strange"),
    [
        (None, Identity("a.zz"), False),
        (Identity("a.zz", "X", "1"), Identity("a.zz", "Y", "2"), False),  # renewed, moved
        (Identity("a.zz", "X"), Identity("b.zz", "X"), False),  # a new name, the same key
        (Identity("a.zz", "X"), Identity("b.zz", "Y"), True),
        (Identity("a.zz"), Identity("b.zz"), True),
        (Identity("a.zz", "X"), Identity("b.zz"), True),
    ],
)
def test_a_server_with_another_name_and_certificate_is_a_stranger(before, now, strange):
    assert bool(rule.stranger(before, now)) is strange


def test_time_within_incidents_does_not_count_and_nothing_expires_while_one_is_open():
    assert expires_at(100, 1000, []) == 1100
    assert expires_at(100, 1000, [Span(200, 700)]) == 1600
    assert expires_at(100, 1000, [Span(0, 300)]) == 1300
    assert expires_at(100, 1000, [Span(1200, 1300)]) == 1100  # began after it had expired
    assert expires_at(100, 1000, [Span(0, 50), Span(1000, 2000), Span(2050, 2100)]) == 2150
    assert expires_at(100, 1000, [Span(200, None)]) is None


def test_room_runs_out_as_fast_as_mail_came_in():
    assert full_at(now=10_000, room=3_000, octets=1_000, since=0) == 40_000
    assert full_at(now=10_000, room=3_000, octets=0, since=0) is None
    assert full_at(now=10, room=3_000, octets=1_000, since=0) is None
