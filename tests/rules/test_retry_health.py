"""Waits and probes, health and pace."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailgency.rules import health as rule
from emailgency.rules import pace as paces
from emailgency.rules.health import Health, State
from emailgency.rules.pace import Pace
from emailgency.rules.retry import RetrySettings, message_wait, probe_wait

SETTINGS = RetrySettings(jitter=0)


def middle():
    return 0.5


def test_the_waits_of_a_message_double_up_to_the_longest():
    waits = [0.0]
    for _ in range(9):
        waits.append(message_wait(SETTINGS, waits[-1], middle))
    assert waits[1:] == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_probes_of_a_dead_server_are_soon_and_then_rarer():
    assert [probe_wait(SETTINGS, n, middle) for n in (1, 2, 3, 7, 8, 10_000)] == [5, 10, 20, 300, 300, 300]


@given(st.floats(0, 0.999), st.integers(1, 100_000))
def test_jitter_stays_within_its_share(chance, failures):
    wait = probe_wait(RetrySettings(jitter=0.1), failures, lambda: chance)
    assert 4.5 <= wait <= 330


def failed(health, now=0.0):
    return rule.failed(health, now, "refused", SETTINGS, middle)


def stopped(health, now=0.0):
    return rule.stopped(health, now, "550 to everybody", SETTINGS, middle)


def passed(health, now=0.0):
    return rule.passed(health, now, guarded=True)


UP, SUSPECT = Health(), failed(Health())
DOWN = failed(SUSPECT)
RECOVERING = passed(DOWN)


@pytest.mark.parametrize(
    ("before", "seen", "after"),
    [
        (UP, failed, State.SUSPECT),
        (UP, stopped, State.SUSPECT),
        (UP, passed, State.UP),
        (SUSPECT, failed, State.DOWN),
        (SUSPECT, stopped, State.DOWN),
        (SUSPECT, passed, State.UP),
        (DOWN, failed, State.DOWN),
        (DOWN, stopped, State.DOWN),
        (DOWN, passed, State.RECOVERING),
        (RECOVERING, failed, State.DOWN),
        (RECOVERING, stopped, State.DOWN),
        (RECOVERING, passed, State.RECOVERING),
        (RECOVERING, lambda health: rule.recovered(health, 1.0), State.UP),
        (DOWN, lambda health: rule.recovered(health, 1.0), State.DOWN),
        (DOWN, lambda health: rule.passed(health, 1.0, guarded=False), State.UP),
    ],
)
def test_one_failure_is_a_suspicion_two_are_an_outage_and_back_is_a_way_of_two_steps(before, seen, after):
    assert seen(before).state is after


def test_a_dead_server_is_probed_at_growing_intervals_and_a_stopped_one_at_once():
    assert (SUSPECT.next_probe, failed(SUSPECT, 5).next_probe) == (5, 15)
    assert stopped(UP, 7).next_probe == 7
    assert stopped(SUSPECT, 7).next_probe == 17


def test_a_server_that_comes_and_goes_is_probed_as_rarely_as_before():
    """Failures are forgotten when it is UP, and not when one probe passed."""
    health, waits = UP, []
    for _ in range(6):
        health = failed(passed(health) if health.state is State.DOWN else health)
        waits.append(health.next_probe)
    assert waits == [5, 10, 20, 40, 80, 160]
    assert rule.recovered(passed(health), 1).failures == 0


def test_the_time_of_recovery_is_remembered_while_it_is_up_and_over_the_next_outage():
    up = rule.recovered(passed(DOWN, 100.0), 200.0)
    assert (up.recovered_at, failed(up).recovered_at) == (100.0, 100.0)
    assert passed(failed(failed(up)), 500.0).recovered_at == 500.0


def test_a_flush_hurries_the_probe_and_nothing_else():
    assert rule.hurried(DOWN, 1).next_probe == 1
    assert rule.hurried(UP, 1) == UP


def test_connections_grow_one_by_one_with_what_is_taken():
    pace, numbers = Pace(), []
    for _ in range(5):
        pace = paces.taken(pace, 100, 0.01, 4)
        numbers.append(pace.connections)
    assert numbers == [2, 3, 4, 4, 4]


def test_a_server_that_refuses_one_more_connection_gets_no_more_for_a_while():
    pace = paces.crowded(Pace(5), 100, 2)
    assert paces.taken(pace, 159, 0.01, 5).connections == 2
    assert paces.taken(pace, 160, 0.01, 5).connections == 3
    assert paces.crowded(Pace(5), 100, 0).connections == 1


def test_distress_halves_the_connections_once_in_a_while():
    pace = paces.eased(Pace(16), 100)
    assert (pace.connections, paces.eased(pace, 105).connections, paces.eased(pace, 110).connections) == (8, 8, 4)
    assert paces.eased(Pace(1), 100).connections == 1


@pytest.mark.parametrize(
    ("best", "waited", "connections"),
    [(0.01, 0.5, 5), (0.5, 1.9, 5), (0.3, 1.3, 4), (0.3, 6.0, 2), (6.0, 6.0, 5), (1.0, 11.0, 4)],
)
def test_a_server_that_becomes_slow_gets_no_more_connections_and_a_very_slow_one_fewer(best, waited, connections):
    assert paces.taken(Pace(4, best=best), 100, waited, 10).connections == connections
