"""store.spool: the reactor's index of what is live, over a real storer."""

import os
import signal

from twisted.internet.defer import Deferred, fail, gatherResults

from emailgency.model.address import Address
from emailgency.model.envelope import (
    Catchall,
    Relay,
    Undelivered,
)
from emailgency.model.errors import Temporary
from emailgency.store import layout
from emailgency.store.spool.arrival import CHUNK
from tests.support.spool_case import INBOX, LATER, RELAY, RELAYED, SpoolCase


class ALife(SpoolCase):
    async def test_a_local_message_ends_and_leaves_the_spool(self) -> None:
        await self.start()
        await self.accept(INBOX, octets=b"hello")
        await self.until(lambda: not self.spool.live and not self.octets_in_spool())
        self.assertEqual(await self.messages(), [b"hello"])

    async def test_a_message_of_many_chunks_arrives_whole(self) -> None:
        await self.start()
        arrival = self.spool.begin(self.now)
        octets = os.urandom(CHUNK * 3 + 17)
        for at in range(0, len(octets), 60_001):
            arrival.write(octets[at : at + 60_001])
        await self.spool.commit(arrival, self.envelope(arrival, (INBOX,)))
        await self.until(lambda: not self.spool.live)
        self.assertEqual(await self.messages(), [octets])

    async def test_remote_targets_stay_until_they_are_finished(self) -> None:
        await self.start()
        told = []
        self.spool.listeners.append(told.append)
        id = await self.accept(INBOX, RELAY)
        self.assertEqual([live.envelope.id for live in told], [id])
        await self.until(lambda: self.spool.live[id].remaining == {1})
        await self.spool.tried(id, [1], self.now + 60, LATER)
        self.assertEqual(self.spool.live[id].tried[1].next, self.now + 60)
        await self.spool.finished(id, [1], RELAYED)
        self.assertNotIn(id, self.spool.live)

    async def test_what_is_live_survives_a_stop(self) -> None:
        await self.start()
        id = await self.accept(INBOX, RELAY, Relay(customer="c", address="b@mydomain.zz", recipient=0))
        await self.until(lambda: self.spool.live[id].remaining == {1, 2})
        await self.spool.finished(id, [2], RELAYED)
        await self.spool.tried(id, [1], self.now + 60, LATER)
        before = self.spool.live[id]
        await self.stop()
        await self.start()
        after = self.spool.live[id]
        self.assertEqual(after.envelope, before.envelope)
        self.assertEqual((after.remaining, after.tried), (before.remaining, before.tried))
        self.assertEqual(len(await self.messages()), 1)

    async def test_a_caller_who_gives_up_changes_nothing(self) -> None:
        await self.start()
        waiting = Deferred.fromCoroutine(self.accept(INBOX, RELAY))
        waiting.addErrback(lambda failure: None)
        waiting.cancel()
        await self.until(lambda: len(self.spool.live) == 1)
        (live,) = self.spool.live.values()
        await self.until(lambda: live.remaining == {1})

    async def test_old_segments_are_given_up_and_nothing_live_with_them(self) -> None:
        self.segment_size = 4096
        await self.start()
        old = await self.accept(RELAY, RELAY, fingerprint="f")
        self.spool.acknowledged(old)
        await self.spool.finished(old, [0], RELAYED)
        await self.spool.tried(old, [1], self.now + 9, LATER)
        for _ in range(12):
            await gatherResults([Deferred.fromCoroutine(self.accept(INBOX, octets=b"y")) for _ in range(10)])
        await self.until(lambda: len(self.spool.live) == 1 and self.segments()[0] > "00000003.log")
        await self.crash()
        await self.start()
        live = self.spool.live[old]
        self.assertEqual((live.remaining, live.tried[1].next, live.acknowledged), ({1}, self.now + 9, True))


class Repetitions(SpoolCase):
    """RFC 1047."""

    async def test_a_repetition_is_known_until_the_sender_speaks_again(self) -> None:
        await self.start()
        id = await self.accept(INBOX, fingerprint="f")
        self.assertEqual(self.spool.repeated("f"), id)
        await self.until(lambda: not self.spool.live)
        self.assertEqual(self.spool.repeated("f"), id)
        self.spool.acknowledged(id)
        self.assertIsNone(self.spool.repeated("f"))
        await self.until(lambda: not self.octets_in_spool())

    async def test_a_repetition_is_known_after_a_crash(self) -> None:
        await self.start()
        unheard = await self.accept(INBOX, fingerprint="f")
        heard = await self.accept(RELAY, fingerprint="g")
        self.spool.acknowledged(heard)
        await self.until(lambda: not self.spool._acknowledged)
        await self.spool.tried(heard, [0], 0.0, LATER)  # the journal is in order: the acknowledgement is in it too
        await self.crash()
        await self.start()
        self.assertEqual(self.spool.repeated("f"), unheard)
        self.assertIsNone(self.spool.repeated("g"))

    async def test_after_a_day_nobody_is_expected_back(self) -> None:
        await self.start()
        await self.accept(INBOX, fingerprint="f")
        await self.until(lambda: not self.spool.live)
        await self.stop()
        self.now += 25 * 3600
        await self.start()
        self.assertIsNone(self.spool.repeated("f"))
        await self.until(lambda: not self.octets_in_spool())


class Crashes(SpoolCase):
    async def test_a_storer_that_dies_is_replaced_and_deliveries_go_on(self) -> None:
        await self.start()
        first = await self.accept(INBOX, RELAY)
        assert self.storer is not None
        pid = self.storer._process.pid
        os.kill(pid, signal.SIGSTOP)
        waiting = Deferred.fromCoroutine(self.accept(INBOX, octets=b"lost"))
        recording = Deferred.fromCoroutine(self.spool.finished(first, [1], RELAYED))
        os.kill(pid, signal.SIGKILL)
        for asked in (waiting, recording):
            with self.assertRaises(Temporary):
                await asked
        with self.assertRaises(Temporary):
            await self.accept(INBOX)
        await self.until(lambda: self.storer._transport is not None)
        await self.accept(INBOX, octets=b"again")
        await self.until(lambda: not self.spool.live)  # the record of `finished` was written by the next storer
        self.assertEqual(sorted(await self.messages()), [b"again", b"x"])

    async def test_a_record_that_was_refused_is_owed_until_a_retry_wrote_it(self) -> None:
        """What `Lane` waits for before it sends anything more."""
        await self.start()
        id = await self.accept(RELAY)
        live = self.spool.live[id]
        assert self.storer is not None
        self.patch(self.storer, "ask", lambda request: fail(Temporary("no space left on device")))
        with self.assertRaises(Temporary):
            await self.spool.finished(id, [0], RELAYED)
        self.spool._retry()
        self.assertEqual((live.remaining, live.recording), (set(), 1))
        del self.storer.ask
        self.spool._retry()
        self.assertEqual(live.recording, 1)
        await self.until(lambda: not live.recording and id not in self.spool.live)

    async def test_a_message_whose_pieces_died_with_the_storer_is_refused(self) -> None:
        await self.start()
        assert self.storer is not None
        arrival = self.spool.begin(self.now)
        arrival.write(b"x" * CHUNK)
        restarted: list[None] = []
        self.storer.on_restart.append(lambda: restarted.append(None))
        self.storer._kill()
        await self.until(lambda: bool(restarted))
        arrival.write(b"rest")
        with self.assertRaises(Temporary):
            await self.spool.commit(arrival, self.envelope(arrival, (INBOX,)))
        await self.accept(INBOX)
        await self.until(lambda: not self.spool.live)
        self.assertEqual(await self.messages(), [b"x"])

    async def test_a_commit_refused_by_a_dying_storer_never_arrives(self) -> None:
        """Its Accepted may be on the disk; the sender was told 451 and comes again."""
        await self.start()
        assert self.storer is not None
        arrival = self.spool.begin(self.now)
        arrival.write(b"refused")
        self.storer.replied = lambda reply: None  # what the storer says does not arrive any more
        waiting = Deferred.fromCoroutine(self.spool.commit(arrival, self.envelope(arrival, (RELAY,))))
        await self.until(lambda: any(self.journal_octets()))
        self.storer._kill()
        with self.assertRaises(Temporary):
            await waiting
        del self.storer.replied
        await self.until(lambda: self.storer._transport is not None)
        await self.accept(INBOX)
        await self.crash()
        await self.start()
        self.assertNotIn(arrival.id, self.spool.live)

    def journal_octets(self) -> list[int]:
        return [os.stat(os.path.join(self.data, layout.JOURNAL, name)).st_size for name in self.segments()]

    async def test_a_crash_before_local_delivery_is_made_good_at_the_next_start(self) -> None:
        await self.start()
        for target in (INBOX, Catchall(customer="c", address="who@mydomain.zz", recipient=0)):
            await self.accept(target, Undelivered(customer="c", recipient=0))
        await self.crash()
        await self.start()
        await self.until(lambda: not self.spool.live)
        self.assertEqual(await self.messages(), [b"x"])
        self.assertEqual(await self.messages(layout.catchall("c", Address("who", "mydomain.zz"))), [b"x"])
        copies = await self.messages(layout.undelivered("c"))
        self.assertEqual(copies, [b"X-Original-To: who@mydomain.zz\r\nx"] * 2)

    async def test_a_message_whose_octets_are_wrong_is_put_aside_and_told(self) -> None:
        await self.start()
        id = await self.accept(RELAY, octets=b"good")
        await self.crash()
        with open(os.path.join(self.data, layout.message(id)), "wb") as stream:
            stream.write(b"baad")
        await self.start()
        self.assertNotIn(id, self.spool.live)
        corrupt = os.path.join(self.data, layout.CORRUPT)
        self.assertEqual(sorted(os.listdir(corrupt)), [f"{id}.json", f"{id}.msg"])

    async def test_a_bad_record_is_kept_as_evidence_and_costs_nothing_else(self) -> None:
        await self.start()
        first = await self.accept(RELAY)
        second = await self.accept(RELAY)
        await self.crash()
        path = os.path.join(self.data, layout.JOURNAL, self.segments()[-1])
        with open(path, "r+b") as stream:
            stream.seek(40)
            stream.write(b"#")
        await self.start()
        self.assertEqual([id in self.spool.live for id in (first, second)], [False, True])
        self.assertEqual(len(os.listdir(os.path.join(self.data, layout.CORRUPT))), 1)
        await self.crash()
        os.unlink(path)

    async def test_the_octets_of_a_message_whose_record_is_lost_are_kept(self) -> None:
        await self.start()
        lost = await self.accept(RELAY, octets=b"the only copy")
        await self.crash()
        path = os.path.join(self.data, layout.JOURNAL, self.segments()[-1])
        with open(path, "r+b") as stream:
            stream.seek(40)
            stream.write(b"#")
        self.now += 2 * 3600.0
        await self.start()
        await self.spool._sweeping
        with open(os.path.join(self.data, layout.CORRUPT, f"{lost}.msg"), "rb") as kept:
            self.assertEqual(kept.read(), b"the only copy")
        await self.crash()
        os.unlink(path)

    async def test_files_that_belong_to_nothing_go_after_an_hour(self) -> None:
        await self.start()
        id = self.spool.begin(self.now).id
        await self.accept(RELAY)
        other = f"{id[:-1]}{'e' if id.endswith('f') else 'f'}"
        for age, name in ((0, id), (7200, other)):
            path = os.path.join(self.data, layout.hour(id), f"{name}.msg")
            with open(path, "wb"):
                os.utime(path, (self.now - age, self.now - age))
        await self.crash()
        await self.start()
        await self.until(lambda: len(self.octets_in_spool()) == 2)
        self.assertIn(f"{id}.msg", self.octets_in_spool())
        os.unlink(os.path.join(self.data, layout.message(id)))
