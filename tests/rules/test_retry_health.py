"""Waits and probes."""

from hypothesis import given
from hypothesis import strategies as st

from emailgency.rules import health as rule
from emailgency.rules.health import Health, State
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


def test_one_failure_makes_suspect_and_the_next_down_with_one_probe_at_a_time():
    once = failed(Health(connections=5))
    assert (once.state, rule.allowed(once, 4.9), rule.allowed(once, 5)) == (State.SUSPECT, 0, 1)
    twice = failed(once, 5)
    assert (twice.state, twice.next_probe, rule.allowed(twice, 14), rule.allowed(twice, 15)) == (State.DOWN, 15, 0, 1)


def test_one_success_brings_it_up_and_connections_grow_step_by_step():
    health = failed(failed(Health()))
    limits = []
    for _ in range(5):
        health = rule.taken(health, 100, 4)
        limits.append(rule.allowed(health, 100))
    assert (health.state, limits) == (State.UP, [2, 3, 4, 4, 4])


def test_a_flush_hurries_the_probe_and_nothing_else():
    down = failed(failed(Health()))
    assert rule.allowed(rule.hurried(down, 1), 1) == 1
    assert rule.hurried(Health(connections=3), 1) == Health(connections=3)


def test_a_server_that_refuses_one_more_connection_is_not_ill():
    crowded = rule.crowded(Health(connections=5), 100, 2)
    assert (crowded.state, rule.allowed(crowded, 100)) == (State.UP, 2)
    assert rule.taken(crowded, 159, 5) == crowded
    assert rule.taken(crowded, 160, 5).connections == 3
    assert rule.crowded(Health(connections=5), 100, 0).connections == 1
