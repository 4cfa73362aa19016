"""REPLACE and APPEND of several messages as others see them, and within the quota."""

from typing import Any

from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from emailgency.model.directory import STANDARD
from tests.support.imap import MESSAGE, Office


class Replacing(TestCase):
    async def begin(self, **settings: Any) -> Office:
        office = await Office(**settings).start()
        self.addCleanup(lambda: Deferred.fromCoroutine(office.stop()))
        return office

    async def test_another_client_sees_the_new_message_and_the_old_one_go(self) -> None:
        office = await self.begin()
        await office.fill(MESSAGE, MESSAGE, MESSAGE)
        one, other = await office.member(folder="INBOX"), await office.member(folder="INBOX")
        answer = await one.ok(b"UID REPLACE 2 INBOX (\\Draft) {6+}\r\na: b\r\n")
        assert answer[0].startswith(b"* OK [APPENDUID ")
        assert answer[1] == b"* 2 EXPUNGE"
        assert b"* 3 EXISTS" in answer
        news = await other.ok(b"NOOP")
        assert news.index(b"* 2 EXPUNGE") < news.index(b"* 3 EXISTS")
        assert await other.ok(b"UID SEARCH ALL") == [b"* SEARCH 1 3 4"]
        # of a message that is gone meanwhile nothing is replaced, and the new one is not stored
        assert (await one.no(b"UID REPLACE 2 INBOX {6+}\r\na: b\r\n")).startswith(b"NO [NONEXISTENT]")
        await other.ok(b"UID STORE 1 +FLAGS.SILENT (\\Deleted)")
        await other.ok(b"EXPUNGE")
        assert (await one.no(b"REPLACE 1 INBOX {6+}\r\na: b\r\n")).startswith(b"NO [EXPUNGEISSUED]")
        assert await one.ok(b"UID SEARCH ALL") == [b"* SEARCH 3 4"]

    async def test_what_a_replaced_message_frees_is_there_for_the_new_one(self) -> None:
        office = await self.begin(plan=replace(STANDARD, mailbox_quota=10_000))
        client = await office.member()
        large, larger = b"a: b\r\n\r\n" + b"x" * 7000, b"a: b\r\n\r\n" + b"x" * 8000
        assert (await client.append(b"INBOX", large)).startswith(b"OK")
        assert (await client.append(b"INBOX", larger)).startswith(b"NO [OVERQUOTA]")
        await client.ok(b"SELECT INBOX")
        await client.ok(b"REPLACE 1 INBOX {%d+}\r\n%b" % (len(larger), larger))
        assert await client.ok(b"UID SEARCH ALL") == [b"* SEARCH 2"]

    async def test_several_messages_over_the_quota_are_none(self) -> None:
        office = await self.begin(plan=replace(STANDARD, mailbox_quota=10_000))
        client = await office.member(folder="INBOX")
        large = b" {4000+}\r\n" + b"x" * 4000
        assert (await client.no(b"APPEND INBOX" + large * 3)).startswith(b"NO [OVERQUOTA]")
        assert await client.ok(b"UID SEARCH ALL") == [b"* SEARCH"]
        assert (await client.command(b"APPEND INBOX" + large * 2))[1].startswith(b"OK [APPENDUID")
