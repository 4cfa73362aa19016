"""Redis stopped, killed, emptied: known addresses still resolve, nothing unknown is ever said not to be there."""

import time

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from emailgency.model.directory import Domain, DomainKind
from emailgency.model.errors import Temporary
from emailgency.store.directory import rows
from emailgency.store.directory.changes import Author, edit
from emailgency.store.directory.journal import Mark, Tables
from tests.support.directory import RealDirectory

AUTHOR = Author("tests", "command line")
KNOWN = Domain("known.zz", "c1", DomainKind.MAIN)
OTHER = Domain("other.zz", "c1", DomainKind.ALIAS)


class RedisAwayTests(TestCase):
    async def setUp(self) -> None:
        self.real = RealDirectory(reply_timeout=0.5)
        self.directory = await self.real.start()
        for domain in (KNOWN, OTHER):
            await self.directory.change(AUTHOR, "add", [edit("domain", domain.name, None, domain)])
        self.directory.forget()
        self.assertEqual(await self.directory.domain("known.zz"), KNOWN)

    async def tearDown(self) -> None:
        self.real.redis.resume()
        await self.real.stop()

    async def temporary(self, name: str) -> None:
        started = time.monotonic()
        try:
            found = await self.directory.domain(name)
        except Temporary:
            self.assertLess(time.monotonic() - started, 15)
        else:
            self.fail(f"answered {found!r}")

    async def ready_again(self) -> None:
        for name in ("known.zz", "other.zz"):
            await self.answered(name)

    async def answered(self, name: str) -> None:
        deadline = time.monotonic() + 15
        while True:
            try:
                found = await self.directory.domain(name)
            except Temporary:
                if time.monotonic() > deadline:
                    raise
                await deferLater(reactor, 0.02)
            else:
                self.assertEqual(found.name if found else None, name)
                return

    async def test_killed(self) -> None:
        self.real.redis.kill()
        await self.temporary("other.zz")
        await self.temporary("unknown.zz")
        self.assertEqual(await self.directory.domain("known.zz"), KNOWN)
        self.real.redis.start()  # empty: nothing was saved
        await self.ready_again()
        self.assertIsNone(await self.directory.domain("unknown.zz"))

    async def test_stopped(self) -> None:
        self.real.redis.pause()
        await self.temporary("other.zz")
        self.assertEqual(await self.directory.domain("known.zz"), KNOWN)
        await self.temporary("unknown.zz")
        self.real.redis.resume()
        await self.ready_again()

    async def test_while_it_is_down_the_answer_is_immediate(self) -> None:
        self.real.redis.kill()
        await self.temporary("other.zz")
        started = time.monotonic()
        for _ in range(100):
            await self.temporary("other.zz")
        self.assertLess(time.monotonic() - started, 15)  # a hundred times the timeout are 50

    async def test_emptied_it_is_rebuilt_and_nobody_is_unknown_meanwhile(self) -> None:
        self.real.redis.command("FLUSHALL")
        await self.temporary("other.zz")
        await self.ready_again()
        self.assertIsNone(await self.directory.domain("unknown.zz"))

    async def test_emptied_again_and_again_under_load(self) -> None:
        for _ in range(10):
            self.real.redis.command("FLUSHALL")
            self.directory.forget()
            await self.answered("other.zz")

    async def test_a_change_after_an_outage_is_seen_at_once(self) -> None:
        self.real.redis.kill()
        self.real.redis.start()
        await self.answered("other.zz")
        moved = Domain("known.zz", "c2", DomainKind.MAIN)
        await self.directory.change(AUTHOR, "move", [edit("domain", "known.zz", KNOWN, moved)])
        self.real.redis.kill()
        self.assertEqual(await self.directory.domain("known.zz"), moved)

    async def test_an_older_redis_is_brought_to_the_journal(self) -> None:
        self.real.redis.command("SET", "directory:mark", "1-00000000")
        self.real.redis.command("HDEL", "directory:domain", "other.zz")
        await self.temporary("other.zz")
        await self.ready_again()

    async def test_a_rotten_row_is_not_believed_and_the_copy_is_made_anew(self) -> None:
        for rotten in ("\n", "null", "{}", '{"name":1}', "\x00\xff", "[" * 5000, '"c1"'):
            self.real.redis.command("HSET", "directory:domain", "other.zz", rotten)
            self.directory.forget()
            await self.temporary("other.zz")
            await self.ready_again()

    async def test_another_history_with_the_same_position_is_not_believed(self) -> None:
        position = self.directory._journal.mark.position
        self.real.redis.command("SET", "directory:mark", f"{position}-00000000")
        await self.temporary("other.zz")
        await self.ready_again()

    async def test_killed_while_it_is_filled_it_is_filled_again(self) -> None:
        rebuild, kills = self.directory._rows._copy.rebuild, [self.real.redis.kill]

        async def rebuild_and_die(tables: Tables, mark: Mark) -> None:
            if kills:
                kills.pop()()
            await rebuild(tables, mark)

        self.directory._rows._copy.rebuild = rebuild_and_die
        self.real.redis.command("FLUSHALL")
        await self.temporary("other.zz")
        await self.temporary("unknown.zz")
        deadline = time.monotonic() + 60
        while kills:
            self.assertLess(time.monotonic(), deadline)
            await deferLater(reactor, 0.01)
        self.real.redis.start()
        await self.ready_again()
        self.assertIsNone(await self.directory.domain("unknown.zz"))

    async def test_emptied_while_it_is_filled_it_is_filled_again_and_nobody_is_unknown(self) -> None:
        self.patch(rows, "_RETRY", 0.05)
        copy = self.directory._rows._copy
        fill, floods = copy._pipeline, ["FLUSHALL"]

        async def fill_and_empty(commands: list[list[str | bytes]]) -> None:
            await fill(commands)
            if floods:
                self.real.redis.command(floods.pop())

        copy._pipeline = fill_and_empty
        self.real.redis.command("FLUSHALL")
        await self.temporary("other.zz")
        await self.ready_again()
        self.assertEqual(floods, [])
        self.directory.forget()
        self.assertEqual(await self.directory.domain("known.zz"), KNOWN)

    async def test_a_redis_that_refuses_to_be_filled_is_tried_again(self) -> None:
        self.patch(rows, "_RETRY", 0.05)
        self.real.redis.command("CONFIG", "SET", "maxmemory", "1")
        self.real.redis.command("DEL", "directory:mark")
        await self.temporary("other.zz")
        await self.temporary("unknown.zz")
        self.real.redis.command("CONFIG", "SET", "maxmemory", "0")
        await self.ready_again()

    async def test_lists_of_rows_are_never_short(self) -> None:
        self.real.redis.command("FLUSHALL")
        with self.assertRaises(Temporary):
            await self.directory.plans()
        await self.answered("other.zz")
        self.assertEqual(len(await self.directory.plans()), 2)

    async def test_changes_need_redis_and_are_all_or_nothing(self) -> None:
        self.real.redis.kill()
        new = Domain("new.zz", "c1", DomainKind.ALIAS)
        try:
            await self.directory.change(AUTHOR, "add", [edit("domain", "new.zz", None, new)])
        except Temporary:
            pass
        else:
            self.fail("changed")
        self.real.redis.start()
        await self.answered("other.zz")
        self.assertIsNone(await self.directory.domain("new.zz"))

    async def test_a_change_that_redis_did_not_take_has_happened(self) -> None:
        new = Domain("new.zz", "c1", DomainKind.ALIAS)
        work = Deferred.fromCoroutine(self.directory.change(AUTHOR, "add", [edit("domain", "new.zz", None, new)]))
        append = self.directory._journal._journal.append

        def append_and_kill(change):
            self.real.redis.kill()
            return append(change)

        self.directory._journal._journal.append = append_and_kill
        await work
        self.assertEqual(await self.directory.domain("new.zz"), new)
        self.real.redis.start()
        self.directory.forget()
        await self.answered("new.zz")
