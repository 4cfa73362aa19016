"""What became of each message is found long after it has gone: the ledger over a real spool, process and files."""

import os
import signal
import sqlite3

from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred

from emailgency.model.envelope import Catchall, Client, Deliver, Outbound, Outcome, Recipient
from emailgency.model.story import Facts, Happening, Kind
from emailgency.rules.whereabouts import State, outline, whereabouts
from emailgency.store.ledger import file, line
from emailgency.store.ledger.facts import into, sent_by
from emailgency.store.ledger.file import LedgerFile
from emailgency.store.ledger.ledger import Ledger
from emailgency.store.ledger.messages import Bounds
from emailgency.store.ledger.search import Query, find
from emailgency.store.ledger.shelf import Shelf
from emailgency.store.spool import records as spool_records
from emailgency.store.spool.pending import HELD
from emailgency.store.spool.records import Void
from emailgency.store.storing.messages import Record
from tests.support.ledger_case import LedgerCase
from tests.support.spool_case import INBOX, LATER, RELAY

TAKEN = Outcome(word="relayed", code=250, enhanced="2.0.0", reply="Ok: queued as 4Z", remote="mx.zz[192.0.2.7]:25")


class Told(LedgerCase):
    def test_the_whole_story_is_there_when_the_message_is_not(self):
        return ensureDeferred(self._the_whole_story())

    async def _the_whole_story(self):
        await self.begin()
        id = await self.take(INBOX, RELAY)
        await self.until(lambda: self.spool.live[id].remaining == {1})
        assert await self.states(id) == [State.STORED, State.PENDING, State.DROPPED]  # ringo's is Paul's, or nobody's
        await self.spool.tried(id, (1,), self.now + 60, LATER)
        self.now += 1
        await self.spool.tried(id, (1,), self.now + 60, Outcome(word="doubtful", reply="connection lost"))
        assert (await self.states(id))[1] is State.DOUBTFUL
        self.now += 1
        await self.spool.finished(id, (1,), TAKEN)
        await self.until(lambda: id not in self.spool.live)
        (story,) = await self.found(id=id)
        first, second, _ = whereabouts(story)
        assert (first.copy.kind, first.copy.place, first.state) == (Kind.MAILBOX, "m1", State.STORED)
        assert (second.copy.kind, second.copy.place, second.state) == (Kind.SERVER, "a@mydomain.zz", State.GIVEN)
        assert [one.word for one in second.happenings] == ["deferred", "doubtful", "relayed"]
        assert (second.happenings[2].reply, second.happenings[2].remote) == (TAKEN.reply, TAKEN.remote)
        facts = story.facts
        assert (facts.subject, facts.message_id, facts.ip, facts.tls) == (
            "Café at noon",
            "1@far.example",
            "192.0.2.1",
            "TLSv1.3",
        )
        assert outline(one.state for one in (first, second)) is State.GIVEN

    def test_it_is_found_by_address_subject_date_and_id(self):
        return ensureDeferred(self._it_is_found())

    async def _it_is_found(self):
        await self.begin()
        early = self.now
        old = await self.take(INBOX)
        self.now += 3600
        new = await self.take(RELAY, subject="100% _sure_", message_id="2@far.example", sender="")
        for query, ids in (
            ({}, [new, old]),
            ({"limit": 1}, [new]),
            ({"before": new}, [old]),
            ({"address": "anna@EXAMPLE.org"}, [old]),
            ({"address": "aul@myd"}, [new, old]),
            ({"address": "a@mydomain.zz"}, [new]),
            ({"address": "2@far"}, []),  # a Message-ID is no address
            ({"subject": "CAFÉ"}, [old]),
            ({"subject": "0% _SURE"}, [new]),
            ({"subject": "%"}, [new]),
            ({"id": old}, [old]),
            ({"message_id": "<2@far.example>"}, [new]),
            ({"since": self.now}, [new]),
            ({"until": early + 60}, [old]),
            ({"parties": frozenset({into("m1")})}, [old]),
            ({"parties": frozenset({sent_by("m1")})}, []),
        ):
            assert [one.facts.id for one in await self.found(**query)] == ids, query
        assert await self.found("another") == []

    def test_a_kill_of_everything_loses_nothing(self):
        return ensureDeferred(self._a_kill())

    async def _a_kill(self):
        await self.begin()
        first = await self.take(INBOX, RELAY, fingerprint="f")
        await self.found()
        second = await self.take(RELAY)
        await self.spool.finished(second, (0,), TAKEN)
        await self.until(lambda: second not in self.spool.live)
        await self.kill()  # the second one is not in the ledger yet, and no longer in the spool
        await self.begin()
        assert await self.states(second) == [State.GIVEN, State.DROPPED]
        assert (await self.states(first))[:2] == [State.STORED, State.PENDING]
        (story,) = await self.found(id=second)
        assert len(story.happenings) == 1

    def test_no_segment_of_the_journal_goes_before_it_is_read(self):
        return ensureDeferred(self._no_segment_goes())

    async def _no_segment_goes(self):
        await self.begin()
        await self.ledger.caught_up()
        os.kill(self.ledger._line._process.pid, signal.SIGSTOP)
        ids = [await self.take(INBOX) for _ in range(30)]
        await self.until(lambda: not self.spool.live)
        assert len(self.segments()) > 2
        os.kill(self.ledger._line._process.pid, signal.SIGCONT)
        assert [one.facts.id for one in await self.found()] == ids[::-1]
        await self.until(lambda: self.ledger.needed() > 1)
        await self.take(INBOX)
        await self.until(lambda: not self.spool.live)
        await self.until(lambda: len(self.segments()) < 4)

    def test_a_message_that_was_refused_after_all_never_was(self):
        return ensureDeferred(self._never_was())

    async def _never_was(self):
        await self.begin()
        id = await self.take(RELAY)
        assert await self.found(id=id)
        await self.storer.ask(Record(self.storer.number(), (spool_records.encode(Void((id,))),)))
        assert await self.found(id=id) == []
        assert await self.found(address="anna@example.org") == []
        await self.spool.finished(id, (0,), TAKEN)

    def test_who_had_it_in_hand_is_told(self):
        return ensureDeferred(self._in_hand())

    async def _in_hand(self):
        await self.begin()
        id = await self.take(RELAY)
        await self.spool.tried(id, (0,), HELD, Outcome(word="held", by="root"))
        assert (await self.states(id))[0] is State.HELD
        self.now += 1
        await self.spool.tried(id, (0,), self.now, Outcome(word="released", by="root"))
        assert (await self.states(id))[0] is State.PENDING
        await self.spool.finished(id, (0,), Outcome(word="dropped", by="root"))
        (story,) = await self.found(id=id)
        assert whereabouts(story)[0].state is State.DROPPED
        assert [one.by for one in story.happenings] == ["root", "root", "root"]

    def test_each_customer_sees_his_own_part_of_a_message(self):
        return ensureDeferred(self._own_part())

    async def _own_part(self):
        await self.begin()
        theirs = Deliver(customer="d", mailbox="m9", recipient=1)
        secret = Outbound(customer="d", address="secret@home.example", recipient=1, origin="forward")
        away = Outbound(customer="c", address="x@away.example", recipient=0, origin="submit")
        client = Client(ip="198.51.100.9", helo="[10.0.0.1]", mailbox="m1")
        recipients = (Recipient(as_given="x@away.example"), Recipient(as_given="r@d.zz"))
        id = await self.take(away, theirs, secret, client=client, recipients=recipients)
        await self.until(lambda: 1 not in self.spool.live[id].remaining)
        await self.spool.finished(id, (0, 2), TAKEN)
        (his,) = await self.found("c", id=id)
        (hers,) = await self.found("d", id=id)
        assert [(one.copy.kind, one.state) for one in whereabouts(his)] == [
            (Kind.ELSEWHERE, State.GIVEN),
            (Kind.ANOTHER, State.GIVEN),
        ]
        assert (his.facts.ip, his.facts.mailbox) == ("198.51.100.9", "m1")
        assert [(one.copy.kind, one.copy.recipient, one.state) for one in whereabouts(hers)] == [
            (Kind.MAILBOX, 0, State.STORED),
            (Kind.FORWARD, 0, State.GIVEN),
        ]
        assert (hers.facts.recipients, hers.facts.ip, hers.facts.helo, hers.facts.mailbox) == (("r@d.zz",), "", "", "")
        assert "secret" not in repr(his)
        assert "away" not in repr(hers)

    def test_what_readers_do_is_told_of_their_own_copies(self):
        return ensureDeferred(self._readers())

    async def _readers(self):
        await self.begin()
        id = await self.take(INBOX, RELAY)
        await self.until(lambda: self.spool.live[id].remaining == {1})
        self.now += 5
        names = [f"1.{id}.host,S=1,U=1:2,S", "1.strange.host,S=1:2,S"]
        self.ledger.touched("customers/c/mailboxes/m2", names, "read")
        assert (await self.states(id))[0] is State.STORED
        self.ledger.touched("customers/c/mailboxes/m1/.Sub", [f"1.kffff.host,E={id},U=3:2,"], "read")
        assert (await self.states(id))[:2] == [State.READ, State.PENDING]
        self.now += 5
        self.ledger.touched("customers/c/mailboxes/m1", names, "expunged")
        assert (await self.states(id))[0] is State.EXPUNGED

    def test_mail_that_nobody_wanted_is_told(self):
        return ensureDeferred(self._nobody_wanted())

    async def _nobody_wanted(self):
        await self.begin()
        arrival = self.spool.begin(self.now)
        self.ledger.dropped(self.letter(arrival, ()))
        arrival.abort()
        (story,) = await self.found()
        assert [(one.copy.kind, one.state) for one in whereabouts(story)] == [(Kind.NOWHERE, State.DROPPED)] * 2


class Bounded(LedgerCase):
    def test_the_oldest_go_by_age(self):
        return ensureDeferred(self._by_age())

    async def _by_age(self):
        await self.begin(days=100)
        day = 86_400
        now, self.now = self.now, self.now - 30 * day
        old = await self.take(INBOX)
        self.now = now
        new = await self.take(INBOX)
        assert [one.facts.id for one in await self.found()] == [new, old]
        await self.until(lambda: not self.spool.live)
        await self.stop()
        await self.begin(days=10)  # the bounds are looked at when it starts, and hourly
        await self.ledger.caught_up()
        assert [one.facts.id for one in await self.found()] == [new]
        assert await self.found(parties=frozenset({into("m1")}), until=now - day) == []
        assert await self.found(address="paul@mydomain.zz", until=now - day) == []

    def test_a_customer_that_is_gone_leaves_nothing(self):
        return ensureDeferred(self._gone())

    async def _gone(self):
        await self.begin()
        id = await self.take(RELAY)
        assert await self.found()
        self.ledger.forget("c")
        await self.spool.finished(id, (0,), TAKEN)
        assert await self.found() == []
        assert self.ledger.customers() == []

    def test_what_a_kill_left_of_a_customer_goes_at_the_next_start(self):
        return ensureDeferred(self._strangers())

    async def _strangers(self):
        await self.begin()
        await self.take(INBOX)
        await self.take(INBOX, customer="operator")
        assert await self.found("c")
        await self.until(lambda: not self.spool.live)
        await self.stop()

        async def known():
            return frozenset({"operator"})

        await self.start()
        self.ledger = Ledger(reactor, self.data, lambda: self.now, known=known)
        self.ledger.start()
        await self.until(lambda: self.ledger._forgotten == ["c"])
        await self.ledger.caught_up()
        assert self.ledger.customers() == ["operator"]

    def test_without_days_nothing_is_remembered(self):
        return ensureDeferred(self._nothing())

    async def _nothing(self):
        await self.begin(days=0)
        await self.take(INBOX)
        await self.until(lambda: not self.spool.live)
        assert await self.found() == []
        assert self.ledger.needed() > 1 << 40

    def test_a_damaged_file_is_put_aside(self):
        return ensureDeferred(self._damaged())

    async def _damaged(self):
        os.makedirs(f"{self.data}/ledger")
        with open(f"{self.data}/ledger/c.sqlite", "wb") as file:
            file.write(b"no database at all, whatever its name says" * 200)
        await self.begin()
        id = await self.take(INBOX)
        assert (await self.states(id))[0] is State.STORED
        assert os.path.exists(f"{self.data}/ledger/c.sqlite.damaged")

    def test_a_process_that_dies_goes_on_where_it_was(self):
        return ensureDeferred(self._dies())

    async def _dies(self):
        await self.begin()
        first = await self.take(INBOX)
        await self.found()
        self.patch(line, "RESTART", (0.01, 0.01))
        dead = self.ledger._line._process
        dead.signalProcess("KILL")
        second = await self.take(Catchall(customer="c", address="paul@mydomain.zz", recipient=0))
        await self.until(lambda: self.ledger._line._process not in (None, dead))
        assert [one.facts.id for one in await self.found()] == [second, first]


def filled(shelf: Shelf, customer: str, count: int, at: int) -> None:
    messages = [
        Facts(f"{at + number:08x}0000ffff", at, "s@far.example", "s" * 100, f"{number}@x", 1, ("r@x.zz",), ())
        for number in range(count)
    ]
    happened = [(one.id, Happening(at, "relayed", (0,))) for one in messages]
    shelf.write(customer, lambda file: file.add(messages, happened))


def test_the_oldest_go_when_the_disk_space_is_used_up(tmp_path, monkeypatch):
    monkeypatch.setattr(file, "_SLICE", 20)
    shelf = Shelf(str(tmp_path), Bounds(36_500, 400_000, 600_000))
    filled(shelf, "a", 1000, 1_000_000)
    filled(shelf, "b", 500, 900_000)
    filled(shelf, "c", 500, 2_000_000)
    sizes = {one: shelf.write(one, lambda file: file.octets) for one in "abc"}
    assert sizes["a"] > 400_000
    while shelf.keep_bounds(3_000_000):
        pass
    left = {one: shelf.write(one, lambda file: file.octets) for one in "abc"}
    assert left["a"] <= 400_000
    assert sum(left.values()) <= 600_000
    assert left["c"] == sizes["c"]  # younger than what went
    assert left["b"] < sizes["b"]
    (found,) = find(f"{tmp_path}/ledger/a.sqlite", Query(limit=1))
    assert found.facts.id == f"{1_000_999:08x}0000ffff"
    shelf.close()
    assert os.path.getsize(f"{tmp_path}/ledger/a.sqlite") < sizes["a"]


def test_files_are_private(tmp_path):
    path = f"{tmp_path}/c.sqlite"
    LedgerFile(path).close()
    assert os.stat(path).st_mode & 0o777 == 0o600
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (1,)


def test_what_was_added_while_somebody_reads_is_on_stable_storage_all_the_same(tmp_path, monkeypatch):
    path, synced = f"{tmp_path}/ledger/a.sqlite", []
    shelf = Shelf(str(tmp_path), Bounds(36_500, 1 << 30, 1 << 30))
    filled(shelf, "a", 3, 1_000_000)
    shelf.settle()
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM message").fetchone() == (3,)
    filled(shelf, "a", 3, 2_000_000)
    fsync = os.fsync

    def noted(descriptor):
        fsync(descriptor)
        synced.append(os.path.realpath(f"/proc/self/fd/{descriptor}"))

    monkeypatch.setattr(os, "fsync", noted)
    shelf.settle()
    assert synced == [os.path.realpath(f"{path}-wal")]  # SQLite itself moves nothing under a reader, and syncs nothing
    reader.close()
    filled(shelf, "a", 3, 3_000_000)
    shelf.settle()
    assert len(synced) == 1  # now it has
    shelf.close()
