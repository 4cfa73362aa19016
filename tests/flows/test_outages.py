"""Many outages in fake time against the real rules and flows; `python -m tests.support.outages` is the long run."""

import pytest
from msgspec.structs import replace

from emailgency.model.envelope import Relay
from emailgency.rules import guard
from tests.support.null_spool import envelope
from tests.support.outages import DEAD, EPOCH, KINDS, TARPIT, WELL, Line, Peer, Story

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


def given_to_others(trouble, seconds=1.5):
    """Messages that nine servers got in so many seconds while the tenth had this trouble; 600 wait for each.

    The seconds are of a clock that stands still while we work: what is counted is work, whatever the machine.
    """
    story = Story("dead", 0.0, SEED)
    made, clock = story.flow._means, story.clock
    peers = {f"c{number}": Peer(clock, story.chance) for number in range(10)}
    peers["c0"].trouble = trouble
    made.couriers = lambda cargo, *_: Line(peers[cargo._errand._hop.customer], cargo, clock)
    customer = story.flow.directory.by_id.pop("acme")
    for id in peers:
        story.flow.directory.by_id[id] = replace(customer, id=id)
    story.flow.start()
    for number in range(6_000):
        plan = (Relay(customer=f"c{number % 10}", address="user@mydomain.zz", recipient=0),)
        story.spool.accept(envelope(f"m{number}", plan, received_at=EPOCH))
    story._advance(seconds)
    return sum(len(peer.given) for id, peer in peers.items() if id != "c0")


@pytest.mark.parametrize("trouble", [DEAD, TARPIT])
def test_one_bad_host_among_ten_costs_the_others_less_than_a_twentieth(trouble):
    well = given_to_others(WELL)
    assert 0 < well < 9 * 600, "they are in the midst of it"
    assert given_to_others(trouble) > 0.95 * well
