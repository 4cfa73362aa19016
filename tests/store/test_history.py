"""What customers' servers went through outlives restarts, torn writes and rot, and stays small."""

import os
import tempfile

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from emailgency.model.incident import Incident, Turn
from emailgency.store.experience import event_file
from emailgency.store.experience import history as rooms
from emailgency.store.experience.history import History
from tests.support.asynchronous import run, until


def turn(number, domain="mydomain.zz", state="down"):
    return Turn(customer="acme", domain=domain, at=float(number), state=state, reason=f"reason {number}")


OPEN = Incident(id="i1", customer="acme", began_at=1.0, reason="refused")
CLOSED = Incident(id="i1", customer="acme", began_at=1.0, reason="refused", ended_at=9.0)


class Histories(TestCase):
    def setUp(self):
        self.data = tempfile.mkdtemp()
        self.path = os.path.join(self.data, "history")
        self.logged = []

    def read(self):
        history = History(reactor, self.data)
        history.start()
        return history

    async def written(self, history):
        await until(lambda: not history._file.busy)

    @run
    async def test_what_was_added_is_there_after_a_restart(self):
        history = self.read()
        for event in (turn(1), turn(2, state="up"), OPEN, turn(3, "other.zz"), CLOSED):
            history.add(event)
        await self.written(history)
        again = self.read()
        assert again.turns("acme", "mydomain.zz") == [turn(1), turn(2, state="up")]
        assert again.last("acme", "other.zz") == turn(3, "other.zz")
        assert again.incidents("acme") == [CLOSED]
        assert again.hops() == [("acme", "mydomain.zz"), ("acme", "other.zz")]

    @run
    async def test_only_the_last_ones_are_kept_in_memory_and_on_disk(self):
        self.patch(event_file, "GROWN", 50_000)
        history = self.read()
        for number in range(3000):
            history.add(turn(number))
            if number % 100 == 0:
                await self.written(history)
        await self.written(history)
        assert len(history.turns("acme", "mydomain.zz")) == rooms.TURNS
        assert os.path.getsize(self.path) < 100_000
        assert self.read().turns("acme", "mydomain.zz") == history.turns("acme", "mydomain.zz")

    @run
    async def test_a_torn_last_record_is_left_out_and_what_follows_is_not_lost(self):
        history = self.read()
        history.add(turn(1))
        history.add(turn(2))
        await self.written(history)
        with open(self.path, "rb+") as file:
            file.truncate(os.path.getsize(self.path) - 3)
        again = self.read()
        assert again.turns("acme", "mydomain.zz") == [turn(1)]
        again.add(turn(3))
        await self.written(again)
        assert self.read().turns("acme", "mydomain.zz") == [turn(1), turn(3)]

    @run
    async def test_rot_costs_its_record_alone(self):
        history = self.read()
        for number in range(5):
            history.add(turn(number))
        await self.written(history)
        with open(self.path, "rb+") as file:
            lines = file.read().splitlines(keepends=True)
            file.seek(len(lines[0]) + 20)
            file.write(b"\xff")
        again = self.read()
        assert [one.at for one in again.turns("acme", "mydomain.zz")] == [0, 2, 3, 4]

    @run
    async def test_what_a_full_disk_does_not_take_is_written_with_the_next(self):
        history = self.read()
        write, full = event_file._append, [True]

        def append(path, octets):
            if full:
                raise OSError(28, "no space left on device")
            write(path, octets)

        self.patch(event_file, "_append", append)
        history.add(turn(1))
        await until(lambda: not history._file._writing)
        full.clear()
        history.add(turn(2))
        await self.written(history)
        assert self.read().turns("acme", "mydomain.zz") == [turn(1), turn(2)]

    def test_one_that_is_not_started_writes_nothing(self):
        History(reactor, self.data).add(turn(1))
        assert not os.path.exists(self.path)
