"""Sessions: TLS, time, rights, other programs beside us, restarts, the end."""

import os
import shutil
import tempfile
import time

from msgspec.structs import replace
from twisted.internet import reactor
from twisted.internet import ssl as twisted_ssl
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from emailgency.model.directory import STANDARD
from emailgency.servers.imap.limits import Imap
from emailgency.store.keys.certificates import Certificates, TlsSettings
from tests.support.imap import MESSAGE, PASSWORD, Office, all_of


class Sessions(TestCase):
    office: Office

    async def begin(self, **settings: object) -> Office:
        self.office = await Office(**settings).start()
        return self.office

    async def tearDown(self) -> None:
        await self.office.stop()


class Login(Sessions):
    async def test_no_password_in_the_clear_unless_the_settings_allow_it(self) -> None:
        office = await self.begin(clear_login=False)
        client = await office.client()
        assert b"LOGINDISABLED" in await client.line()
        assert b"PRIVACYREQUIRED" in await client.no(b"LOGIN paul " + PASSWORD.encode())
        assert b"PRIVACYREQUIRED" in await client.no(b"AUTHENTICATE PLAIN AHBhdWwAc2VjcmV0MUE=")

    async def test_trouble_at_login_is_not_a_wrong_password(self) -> None:
        office = await self.begin()
        client = await office.client()
        await client.line()
        office.people.trouble = True
        assert b"UNAVAILABLE" in await client.no(b"LOGIN paul " + PASSWORD.encode())
        office.people.trouble = False
        await client.ok(b"LOGIN paul " + PASSWORD.encode())

    async def test_a_guest_has_the_login_time_in_all_and_no_more(self) -> None:
        office = await self.begin(login_seconds=5)
        client = await office.client()
        await client.line()
        [session] = office.server.sessions
        session.line.login_by = reactor.seconds() + 0.5
        while not client.closed:  # a command now and then does not help
            client.send(b"a NOOP\r\n")
            await client.more()
        assert b"* BYE" in client.buffer

    async def test_silence_ends_a_session(self) -> None:
        office = await self.begin()
        client = await office.member()
        [session] = office.server.sessions
        session.line.patience = 0.2
        await client.ok(b"NOOP")
        assert (await client.line()).startswith(b"* BYE")
        await client.end()

    async def test_too_many_connections_to_one_mailbox_are_refused(self) -> None:
        office = await self.begin(mailbox_connections=2)
        await office.member()
        await office.member()
        await office.member("mary")
        client = await office.client()
        await client.line()
        assert b"[LIMIT]" in await client.no(b"LOGIN paul " + PASSWORD.encode())

    async def test_a_changed_password_ends_open_sessions(self) -> None:
        office = await self.begin()
        paul, mary = await office.member(folder="INBOX"), await office.member("mary")
        paul.send(b"i IDLE\r\n")
        await paul.line()
        office.people.mailboxes["paul"] = replace(office.people.mailboxes["paul"], generation=1)
        await office.server.look()
        assert (await paul.line()).startswith(b"* BYE")
        await mary.ok(b"NOOP")
        del office.people.mailboxes["mary"]
        await office.server.look()
        assert (await mary.line()).startswith(b"* BYE")

    async def test_new_settings_hold_for_the_next_command(self) -> None:
        office = await self.begin()
        client = await office.member()
        assert (await client.append(b"INBOX", MESSAGE)).startswith(b"OK")
        office.server.adopt(Imap(clear_login=True, append_limit=1024))
        assert (await client.append(b"INBOX", MESSAGE * 10)).startswith(b"NO [TOOBIG]")


class Tls(Sessions):
    async def begin_tls(self, **settings: object) -> Office:
        self.folder = tempfile.mkdtemp(prefix="tls-")
        self.addCleanup(shutil.rmtree, self.folder)
        tls = Certificates(TlsSettings(), self.folder, ("imap.mydomain.zz",), time.time)
        return await self.begin(tls=tls, clear_login=False, **settings)

    async def test_starttls_then_login(self) -> None:
        office = await self.begin_tls()
        client = await office.client()
        greeting = await client.line()
        assert b"STARTTLS" in greeting
        assert b"LOGINDISABLED" in greeting
        await client.ok(b"STARTTLS")
        client.transport.startTLS(twisted_ssl.CertificateOptions(verify=False))
        [capability] = await client.ok(b"CAPABILITY")
        assert b"AUTH=PLAIN" in capability
        assert b"STARTTLS" not in capability
        await client.bad(b"STARTTLS")
        await client.ok(b"LOGIN paul " + PASSWORD.encode())
        await office.fill(MESSAGE * 2000)
        await client.ok(b"SELECT INBOX")
        body, _ = await client.ok(b"FETCH 1 BODY[]")
        assert MESSAGE * 2000 in body

    async def test_attack_04_octets_behind_starttls_in_the_clear_close_the_connection(self) -> None:
        office = await self.begin_tls()
        client = await office.client()
        await client.line()
        client.send(b"a STARTTLS\r\nb LOGIN evil evil\r\n")
        await client.end()
        assert b"b " not in client.buffer
        await office.until(lambda: not office.server.sessions)

    async def test_tls_from_the_first_octet(self) -> None:
        office = await self.begin_tls(secure=True)
        client = await office.client()
        client.transport.startTLS(twisted_ssl.CertificateOptions(verify=False))
        assert b"AUTH=PLAIN" in await client.line()
        await client.ok(b"LOGIN paul " + PASSWORD.encode())

    async def test_a_listed_proxy_tells_who_the_client_is(self) -> None:
        office = await self.begin_tls(proxies=("127.0.0.1",))
        client = await office.client()
        client.send(b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 143\r\na NOOP\r\n")
        await client.line()
        assert (await client.line()).startswith(b"a OK")
        [session] = office.server.sessions
        assert session.line.ip == "192.0.2.7"
        other = await office.client()
        other.send(b"a NOOP\r\n")
        await other.end()

    async def test_a_proxy_in_front_of_a_tls_port(self) -> None:
        office = await self.begin_tls(proxies=("127.0.0.1",), secure=True)
        client = await office.client()
        client.send(b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 993\r\n")
        client.transport.startTLS(twisted_ssl.CertificateOptions(verify=False))
        assert b"AUTH=PLAIN" in await client.line()

    async def test_a_sleeping_client_under_tls_does_not_hold_up_the_stop(self) -> None:
        office = await self.begin_tls(secure=True)
        client = await office.client()
        client.transport.startTLS(twisted_ssl.CertificateOptions(verify=False))
        await client.line()
        client.transport.pauseProducing()
        begun = time.monotonic()
        await office.server.drain()
        assert time.monotonic() - begun < 20


class OtherPrograms(Sessions):
    """Another Maildir program works on the same files."""

    async def test_its_mail_flags_and_removals_are_noticed_by_noop(self) -> None:
        office = await self.begin()
        await office.fill(MESSAGE, MESSAGE, MESSAGE)
        client = await office.member(folder="INBOX")
        folder = office.disk()
        first, second, _ = sorted(os.listdir(f"{folder}/new"), key=lambda name: int(name.partition("U=")[2]))
        os.rename(f"{folder}/new/{first}", f"{folder}/cur/{first}:2,F")
        os.unlink(f"{folder}/new/{second}")
        with open(f"{folder}/new/1700000000.x.elsewhere", "wb") as file:
            file.write(MESSAGE)
        news = await client.ok(b"NOOP")
        assert news == [
            b"* 2 EXPUNGE",
            b"* 3 EXISTS",
            b"* 3 RECENT",
            b"* 1 FETCH (FLAGS (\\Flagged \\Recent))",
        ]
        assert await client.ok(b"UID FETCH 1:* UID") == [
            b"* 1 FETCH (UID 1)",
            b"* 2 FETCH (UID 3)",
            b"* 3 FETCH (UID 4)",
        ]
        [body] = await client.ok(b"UID FETCH 4 (RFC822.SIZE BODY.PEEK[])")
        assert body.endswith(MESSAGE + b")")

    async def test_a_message_it_renamed_just_now_is_found(self) -> None:
        office = await self.begin()
        await office.fill(MESSAGE, MESSAGE)
        client = await office.member(folder="INBOX")
        folder = office.disk()
        for name in os.listdir(f"{folder}/new"):
            os.rename(f"{folder}/new/{name}", f"{folder}/cur/{name}:2,S")
        assert len(await client.ok(b"FETCH 1:2 INTERNALDATE")) == 4  # and the flags, which are new
        bodies = await client.ok(b"FETCH 1:2 BODY.PEEK[TEXT]")
        assert sum(b"Hello" in line for line in bodies) == 2
        await client.ok(b"STORE 1 +FLAGS (\\Flagged)")
        assert sorted(name.partition(":2,")[2] for name in os.listdir(f"{folder}/cur")) == ["FS", "S"]

    async def test_an_idle_client_hears_of_it_at_the_next_look(self) -> None:
        office = await self.begin()
        client = await office.member(folder="INBOX")
        client.send(b"i IDLE\r\n")
        await client.line()
        with open(f"{office.disk()}/new/1700000000.x.elsewhere", "wb") as file:
            file.write(MESSAGE)
        await office.server.look()
        assert await client.line() == b"* 1 EXISTS"

    async def test_inbox_is_there_again_after_a_wipe(self) -> None:
        office = await self.begin()
        await office.fill(MESSAGE)
        client = await office.member()
        shutil.rmtree(office.disk())
        assert b"* 0 EXISTS" in await client.ok(b"SELECT INBOX")
        assert (await client.append(b"INBOX", MESSAGE)).startswith(b"OK")

    async def test_a_folder_that_vanished_ends_the_session(self) -> None:
        office = await self.begin()
        client = await office.member(folder="Archive")
        shutil.rmtree(office.disk("Archive"))
        client.send(b"a NOOP\r\n")
        assert (await client.line()).startswith(b"* BYE")


class Consistency(Sessions):
    async def test_flags_set_by_two_sessions_at_once_are_all_kept(self) -> None:
        office = await self.begin()
        await office.fill(*[MESSAGE] * 20)
        clients = [await office.member(folder="INBOX") for _ in range(4)]
        words = (b"\\Seen", b"\\Flagged", b"\\Answered", b"$Work")
        await all_of(
            *(client.ok(b"STORE 1:* +FLAGS.SILENT (%b)" % word) for client, word in zip(clients, words, strict=True))
        )
        for client in clients:
            await client.ok(b"NOOP")
            fetched = await client.ok(b"FETCH 1:* FLAGS")
            assert all(all(word in line for word in words) for line in fetched), fetched

    async def test_moves_from_two_sessions_neither_lose_nor_double(self) -> None:
        office = await self.begin()
        await office.fill(*[MESSAGE] * 30)
        one, two = await office.member(folder="INBOX"), await office.member(folder="INBOX")
        await all_of(one.command(b"MOVE 1:20 Archive"), two.command(b"MOVE 11:30 Junk"))
        client = await office.member()
        counts = [
            int((await client.ok(b"STATUS %b (MESSAGES)" % name))[0].rpartition(b" ")[2].rstrip(b")"))
            for name in (b"INBOX", b"Archive", b"Junk")
        ]
        assert sum(counts) == 30, counts
        assert len(os.listdir(office.disk("Archive") + "/new")) == counts[1]

    async def test_mail_that_arrives_is_told_to_all_and_recent_to_one(self) -> None:
        office = await self.begin()
        one, two = await office.member(folder="INBOX"), await office.member(folder="INBOX")
        for client in (one, two):
            client.send(b"i IDLE\r\n")
            await client.line()
        await office.fill(MESSAGE)
        told = [(await client.line(), await client.line()) for client in (one, two)]
        assert [exists for exists, _ in told] == [b"* 1 EXISTS"] * 2
        assert sorted(recent for _, recent in told) == [b"* 0 RECENT", b"* 1 RECENT"]

    async def test_uids_survive_a_restart_and_recent_is_not_told_twice(self) -> None:
        office = await self.begin()
        await office.fill(*[MESSAGE] * 5)
        client = await office.member(folder="INBOX")
        await client.ok(b"STORE 2 +FLAGS.SILENT (\\Deleted $Work)")
        await client.ok(b"EXPUNGE")
        await client.ok(b"FETCH 1:* (ENVELOPE BODYSTRUCTURE)")
        asked = b"STATUS INBOX (MESSAGES UIDNEXT UIDVALIDITY UNSEEN RECENT)"
        before = [await client.ok(asked), await client.ok(b"UID FETCH 1:* (UID ENVELOPE)")]
        await office.until(lambda: os.path.exists(office.disk() + "/summaries.sqlite"))
        await client.ok(b"LOGOUT")
        await office.restart()
        client = await office.member()
        status = await client.ok(asked)
        await client.ok(b"SELECT INBOX")
        assert [status, await client.ok(b"UID FETCH 1:* (UID ENVELOPE)")] == before

    async def test_a_damaged_summary_cache_is_made_anew(self) -> None:
        office = await self.begin()
        await office.fill(*[MESSAGE] * 5)
        client = await office.member(folder="INBOX")
        expected = await client.ok(b"FETCH 1:* ENVELOPE")
        cache = office.disk() + "/summaries.sqlite"
        await office.until(lambda: os.path.exists(cache))
        await client.ok(b"LOGOUT")
        await office.close_port()
        with open(cache, "wb") as file:
            file.write(b"nonsense" * 1000)
        await office.restart()
        client = await office.member(folder="INBOX")
        assert await client.ok(b"FETCH 1:* ENVELOPE") == expected


class Ending(Sessions):
    async def test_a_running_command_is_finished_before_bye(self) -> None:
        office = await self.begin()
        await office.fill(*[MESSAGE] * 300)
        working, resting, idling = [await office.member(folder="INBOX") for _ in range(3)]
        idling.send(b"i IDLE\r\n")
        await idling.line()
        working.send(b"a COPY 1:* Archive\r\n")
        await office.until(lambda: any(not session.line.at_rest for session in office.server.sessions))
        drained = Deferred.fromCoroutine(office.server.drain())
        _, tagged = await working.answer(b"a")
        assert tagged.startswith(b"OK [COPYUID")
        for client in (working, resting, idling):
            assert (await client.line()).startswith(b"* BYE")
        await drained

    async def test_quota_is_hard_for_append_and_copy(self) -> None:
        office = await self.begin(plan=replace(STANDARD, mailbox_quota=3 * len(MESSAGE) + 10))
        client = await office.member(folder="INBOX")
        assert (await client.append(b"INBOX", MESSAGE)).startswith(b"OK")
        assert (await client.append(b"Sent", MESSAGE)).startswith(b"OK")
        await client.ok(b"COPY 1 Archive")
        assert (await client.append(b"INBOX", MESSAGE)).startswith(b"NO [OVERQUOTA]")
        assert b"OVERQUOTA" in await client.no(b"COPY 1 Archive")
        await client.ok(b"MOVE 1 Archive")

    async def test_the_twenty_seventh_keyword_is_refused(self) -> None:
        office = await self.begin()
        await office.fill(MESSAGE)
        client = await office.member(folder="INBOX")
        words = [b"k%d" % number for number in range(26)]
        await client.ok(b"STORE 1 +FLAGS.SILENT (%b)" % b" ".join(words))
        assert b"[LIMIT]" in await client.no(b"STORE 1 +FLAGS (k26)")
        await client.ok(b"STORE 1 +FLAGS (K3)")
        selected = await client.ok(b"SELECT INBOX")
        assert not any(b"\\*" in line for line in selected)
        [fetched] = await client.ok(b"FETCH 1 FLAGS")
        assert all(word in fetched for word in words)


class Literals(Sessions):
    async def test_with_literal_minus_large_literals_wait(self) -> None:
        office = await self.begin(large_literals_wait=True)
        client = await office.member()
        [capability] = await client.ok(b"CAPABILITY")
        assert b" LITERAL- " in capability
        assert b"LITERAL+" not in capability
        large = b"Subject: x\r\n\r\n" + b"y" * 5000
        assert (await client.append(b"INBOX", large)).startswith(b"BAD")
        assert (await client.append(b"INBOX", MESSAGE)).startswith(b"OK")
        client.send(b"w APPEND INBOX {%d}\r\n" % len(large))
        assert (await client.line()).startswith(b"+ ")
        client.send(large + b"\r\n")
        assert (await client.answer(b"w"))[1].startswith(b"OK")
        # a message behind a small one, too; its octets are passed over
        client.send(b"m APPEND INBOX {6+}\r\na: b\r\n {%d+}\r\n" % len(large) + large + b"\r\n")
        assert (await client.answer(b"m"))[1].startswith(b"BAD")
        await client.ok(b"SELECT INBOX")
        assert await client.ok(b"SEARCH ALL") == [b"* SEARCH 1 2"]
