"""The schedule of one next hop."""

from hypothesis import given
from hypothesis import strategies as st

from emailgency.model.envelope import Client, Envelope, Outcome, Recipient, Relay
from emailgency.store.spool.pending import HELD, TRANSACTION, Queue, Waiting, waitings
from emailgency.store.spool.records import Tried
from emailgency.store.spool.spool import Live


def live(received_at=0.0, targets=1):
    recipients = tuple(Recipient(as_given=f"u{i}@mydomain.zz") for i in range(targets))
    plan = tuple(Relay(customer="acme", address=r.as_given, recipient=i) for i, r in enumerate(recipients))
    envelope = Envelope(
        id=str(received_at),
        customer="acme",
        sender="",
        received_at=received_at,
        size=1,
        return_path=0,
        recipients=recipients,
        plan=plan,
        client=Client(ip="192.0.2.1"),
    )
    return Live(envelope, set(range(targets)))


def waiting(received_at=0.0, due=0.0):
    return Waiting(live(received_at), (0,), due)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), max_size=50), st.floats(0, 100))
def test_what_is_due_comes_oldest_first_and_nothing_else_comes(times, now):
    queue = Queue()
    for received_at, due in times:
        queue.add(waiting(received_at, due), 0.0)
    taken = []
    while one := queue.take(now):
        taken.append(one.received_at)
    assert taken == sorted(received_at for received_at, due in times if due <= now)
    assert len(queue) == len(times) - len(taken)
    assert (queue.next_due() is None) == (len(queue) == 0)


def test_hurry_makes_everything_due():
    queue = Queue()
    for received_at in (3.0, 1.0, 2.0):
        queue.add(waiting(received_at, due=1000.0), 0.0)
    assert queue.take(999.0) is None
    queue.hurry()
    assert [queue.take(0.0).received_at for _ in range(3)] == [1.0, 2.0, 3.0]


def test_only_what_is_older_is_taken_for_expiry():
    queue = Queue()
    queue.add(waiting(10.0), 0.0)
    assert queue.take_older(10.0, 50.0) is None
    assert queue.take_older(10.1, 50.0).received_at == 10.0
    assert queue.oldest() is None


def test_what_is_removed_is_gone_from_both_heaps():
    queue = Queue()
    queue.add(waiting(1.0), 0.0)
    queue.add(waiting(2.0, due=1000.0), 0.0)
    queue.add(waiting(3.0), 0.0)
    assert [one.received_at for one in queue.remove(lambda one: one.received_at < 2.5)] == [1.0, 2.0]
    assert [one.received_at for one in queue] == [3.0]


def test_targets_of_one_message_go_together_except_those_with_a_schedule_of_their_own():
    message = live(targets=2 * TRANSACTION + 3)
    message.tried = {7: Tried("x", (7,), 50.0, 110.0, Outcome(word="deferred"))}
    groups = list(waitings(message, sorted(message.remaining)))
    assert [len(group.targets) for group in groups] == [TRANSACTION, TRANSACTION, 2, 1]
    assert (groups[-1].targets, groups[-1].due, groups[-1].wait) == ((7,), 110.0, 60.0)


def test_what_is_held_is_counted_and_never_due():
    queue = Queue()
    queue.add(waiting(1.0, due=HELD), 0.0)
    queue.hurry()
    assert (len(queue), queue.held, queue.oldest()) == (1, 1, 1.0)
    assert queue.take(HELD - 1) is None
    assert queue.next_due() is None
    (held,) = queue.remove(lambda one: one.held)
    assert (len(queue), held.received_at) == (0, 1.0)


def test_what_was_held_is_held_again_and_waits_short_once_released():
    message = live()
    message.tried = {0: Tried("x", (0,), 50.0, HELD, Outcome(word="held"))}
    (held,) = waitings(message, [0])
    assert (held.held, held.wait) == (True, 0.0)
