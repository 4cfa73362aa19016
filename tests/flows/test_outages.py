"""Many outages in fake time against the real rules and flows; `python -m tests.support.outages` is the long run."""

import pytest

from emailgency.rules import guard
from tests.support.outages import KINDS, Story

SEED = 1


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_lost_nothing_comes_twice_and_no_failure_of_a_server_makes_a_bounce(kind):
    story = Story(kind, 4.0, SEED).run()
    assert not story.lost()
    assert not story.wrongly_bounced()
    assert not story.twice()
    assert not story.waiting()
    assert story.bounced(), "what nobody has, and spam, is told in the end"
    assert story.incidents.current("acme") is None


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", KINDS)
def test_a_thousand_hours_of_each_kind(kind):
    story = Story(kind, 1000.0, SEED).run()
    assert (story.lost(), story.wrongly_bounced(), story.twice(), story.waiting()) == (set(), set(), set(), set())


def test_the_stories_have_teeth(monkeypatch):
    """With every refusal believed at once, a server that lost its users makes hundreds of bounces."""
    monkeypatch.setattr(guard, "final", lambda *_: True)
    assert Story("back without users", 4.0, SEED).run().wrongly_bounced()


def test_a_dead_server_costs_one_probe_at_a_time_however_much_is_pending():
    story = Story("dead", 0.0, SEED)
    story.flow.start()
    story.peer.trouble = "dead"
    story._mail(12 * 3600.0)
    assert len(story.spool.live) > 100
    assert story.peer.visits < 12 * 3600 / 250 + 10, "the longest wait between probes is 300 s"
    assert not story.spool.attempts
