"""What POP3 promises beside its dialogues: exact octets, nothing removed before QUIT, one story with IMAP, TLS."""

import os
import shutil
import tempfile
import time

from twisted.internet import reactor
from twisted.internet import ssl as twisted_ssl
from twisted.trial.unittest import TestCase

from emailgency.store.keys.certificates import Certificates, TlsSettings
from tests.support.imap import MESSAGE, PASSWORD
from tests.support.pop3 import PopClient, PostOffice


class Reading(TestCase):
    async def setUp(self) -> None:
        self.office = await PostOffice().start()

    async def tearDown(self) -> None:
        await self.office.stop()

    async def test_the_octets_are_those_that_were_stored_wherever_the_chunks_end(self) -> None:
        """Dots at every border of a chunk, and lines of many lengths."""
        head = b"Subject: dots\r\n\r\n"
        bodies = [
            b"x" * (65536 - len(head) - 2 - shift) + b"\r\n.dot\r\n..\r\n.\r\n" + b"y" * 70000 + b"\r\n.\r\n"
            for shift in range(-4, 5)
        ]
        await self.office.fill(*(head + body for body in bodies), b".\r\n")
        client = await self.office.reader()
        for number, body in enumerate(bodies, 1):
            assert await client.ok(b"LIST %d" % number) == b"%d %d" % (number, len(head + body))
            assert await client.message(b"RETR %d" % number) == head + body
            assert await client.message(b"TOP %d 9999999" % number) == head + body
        assert await client.message(b"RETR %d" % (len(bodies) + 1)) == b".\r\n"
        assert await client.ok(b"STAT")

    async def test_lone_line_ends_leave_as_crlf(self) -> None:
        """A client that takes LF for a line end must not find an end of the message where we see none."""
        await self.office.fill(b"Subject: x\n\nbody\n.\nRETR\n", b"no end of line")
        client = await self.office.reader()
        assert await client.message(b"RETR 1") == b"Subject: x\r\n\r\nbody\r\n.\r\nRETR\r\n"
        assert await client.message(b"TOP 1 1") == b"Subject: x\r\n\r\nbody\r\n"
        assert await client.message(b"RETR 2") == b"no end of line\r\n"
        assert await client.ok(b"NOOP")

    async def test_nothing_goes_before_quit(self) -> None:
        await self.office.fill(MESSAGE, MESSAGE)
        client = await self.office.reader()
        await client.ok(b"DELE 1")
        client.transport.abortConnection()
        await self.office.until(lambda: not self.office.pop3.sessions)
        client = await self.office.reader()
        assert (await client.ok(b"STAT")).startswith(b"2 ")
        await client.ok(b"DELE 2")
        await self.office.pop3.drain(1)  # nor when the server stops
        await client.end()
        client = await self.office.reader()
        assert (await client.ok(b"STAT")).startswith(b"2 ")
        await client.ok(b"DELE 1")
        await client.ok(b"QUIT")
        assert (await (await self.office.reader()).ok(b"STAT")).startswith(b"1 ")

    async def test_unique_ids_stay_and_are_never_given_again(self) -> None:
        await self.office.fill(MESSAGE, MESSAGE)
        client = await self.office.reader()
        before = await client.many(b"UIDL")
        await client.ok(b"DELE 2")
        await client.ok(b"QUIT")
        await self.office.restart()
        await self.office.fill(MESSAGE)
        after = await (await self.office.reader()).many(b"UIDL")
        assert after[0] == before[0]
        assert after[1] not in before
        assert all(0x21 <= octet <= 0x7E for line in after for octet in line.split(b" ")[1])

    async def test_imap_goes_on_beside(self) -> None:
        await self.office.fill(MESSAGE, MESSAGE + b"two\r\n", MESSAGE + b"three\r\n")
        pop = await self.office.reader()
        imap = await self.office.member(folder="INBOX")
        await imap.ok(b"STORE 1 +FLAGS (\\Deleted)")
        await imap.ok(b"EXPUNGE")
        await self.office.fill(MESSAGE + b"four\r\n")
        assert (await pop.ok(b"STAT")).startswith(b"3 ")  # the numbers stay
        assert b"gone" in await pop.err(b"RETR 1")
        assert await pop.message(b"RETR 2") == MESSAGE + b"two\r\n"
        await imap.ok(b"STORE 2 +FLAGS (\\Flagged)")  # renames the file
        assert await pop.message(b"RETR 3") == MESSAGE + b"three\r\n"
        await pop.ok(b"DELE 1")
        await pop.ok(b"DELE 3")
        await pop.ok(b"QUIT")
        assert b"* 2 EXPUNGE" in await imap.ok(b"NOOP")
        seen = await imap.ok(b"SEARCH SEEN")
        assert seen == [b"* SEARCH 1"]  # what was fetched and stays is read
        assert await imap.ok(b"SEARCH UNSEEN") == [b"* SEARCH 2"]

    async def test_another_maildir_program_may_rename_and_remove(self) -> None:
        await self.office.fill(MESSAGE, MESSAGE + b"two\r\n")
        client = await self.office.reader()
        new = os.path.join(self.office.disk(), "new")
        first, second = sorted(os.listdir(new), key=lambda name: int(name.partition(",U=")[2].partition(":")[0]))
        os.rename(f"{new}/{first}", f"{self.office.disk()}/cur/{first.partition(':')[0]}:2,S")
        os.unlink(f"{new}/{second}")
        assert await client.message(b"RETR 1") == MESSAGE
        assert b"gone" in await client.err(b"RETR 2")

    async def test_a_maildrop_is_for_one_reader_at_a_time(self) -> None:
        first = await self.office.reader()
        second = await self.office.guest()
        await second.ok(b"USER paul")
        assert (await second.err(b"PASS " + PASSWORD.encode())).startswith(b"[IN-USE]")
        await self.office.reader("mary")
        first.transport.abortConnection()
        await self.office.until(lambda: not self.office.pop3.logged_in(self.office.path()))
        await second.ok(b"USER paul")
        await second.ok(b"PASS " + PASSWORD.encode())

    async def test_a_changed_password_ends_the_session(self) -> None:
        client = await self.office.reader()
        del self.office.people.mailboxes["paul"]
        await self.office.pop3.look_at_rights()
        assert (await client.raw_line()).startswith(b"-ERR [SYS/TEMP]")
        await client.end()

    async def test_trouble_of_ours_is_temporary(self) -> None:
        client = await self.office.guest()
        self.office.people.trouble = True
        await client.ok(b"USER paul")
        assert (await client.err(b"PASS " + PASSWORD.encode())).startswith(b"[SYS/TEMP]")
        self.office.people.trouble = False
        await client.ok(b"USER paul")
        await client.ok(b"PASS " + PASSWORD.encode())

    async def test_when_the_storer_is_away_quit_says_so_and_all_stays(self) -> None:
        await self.office.fill(MESSAGE)
        client = await self.office.reader()
        await client.ok(b"DELE 1")
        await self.office.storer.stop()
        assert (await client.err(b"QUIT")).startswith(b"[SYS/TEMP]")
        await client.end()
        await self.office.until(lambda: not self.office.pop3.sessions)
        await self.office.storer.start()
        assert (await (await self.office.reader()).ok(b"STAT")).startswith(b"1 ")

    async def test_ten_minutes_of_silence_end_the_session_without_a_word(self) -> None:
        await self.office.fill(MESSAGE)
        client = await self.office.reader()
        await client.ok(b"DELE 1")
        [session] = self.office.pop3.sessions
        assert 595 < session.line.deadline - reactor.seconds() <= 600
        session.line.deadline = reactor.seconds()
        await client.end()
        assert client.buffer == b""
        assert (await (await self.office.reader()).ok(b"STAT")).startswith(b"1 ")


class Tls(TestCase):
    async def begin(self, **settings: object) -> PostOffice:
        self.folder = tempfile.mkdtemp(prefix="tls-")
        self.addCleanup(shutil.rmtree, self.folder)
        tls = Certificates(TlsSettings(), self.folder, ("pop.mydomain.zz",), time.time)
        office = await PostOffice(tls=tls, **{"clear_login": False, **settings}).start()
        self.addCleanup(office.stop)
        return office

    async def test_passwords_only_under_tls(self) -> None:
        office = await self.begin()
        client = await office.guest()
        capabilities = await client.many(b"CAPA")
        assert b"STLS" in capabilities
        assert not {b"USER", b"SASL PLAIN LOGIN"} & set(capabilities)
        for line in (b"USER paul", b"PASS x", b"AUTH", b"AUTH PLAIN AHBhdWwAc2VjcmV0MUE="):
            assert b"TLS" in await client.err(line)
        await client.ok(b"STLS")
        client.transport.startTLS(twisted_ssl.CertificateOptions(verify=False))
        capabilities = await client.many(b"CAPA")
        assert b"STLS" not in capabilities
        assert {b"USER", b"SASL PLAIN LOGIN"} <= set(capabilities)
        await client.err(b"STLS")
        await office.fill(MESSAGE * 2000)
        await client.ok(b"AUTH PLAIN AHBhdWwAc2VjcmV0MUE=")
        assert await client.message(b"RETR 1") == MESSAGE * 2000

    async def test_a_name_said_in_the_clear_is_forgotten(self) -> None:
        office = await self.begin(clear_login=True)
        client = await office.guest()
        await client.ok(b"USER paul")
        await client.ok(b"STLS")
        client.transport.startTLS(twisted_ssl.CertificateOptions(verify=False))
        assert b"name comes first" in await client.err(b"PASS " + PASSWORD.encode())

    async def test_stls_does_not_come_after_utf8(self) -> None:
        client = await (await self.begin()).guest()
        await client.ok(b"UTF8")
        await client.err(b"STLS")

    async def test_attack_04_octets_behind_stls_in_the_clear_close_the_connection(self) -> None:
        office = await self.begin()
        client = await office.guest()
        client.send(b"STLS\r\nUSER evil\r\n")
        await client.end()
        assert client.buffer == b""
        await office.until(lambda: not office.pop3.sessions)

    async def test_tls_from_the_first_octet(self) -> None:
        office = await self.begin(secure=True)
        client = await office.caller()
        client.transport.startTLS(twisted_ssl.CertificateOptions(verify=False))
        assert (await client.raw_line()).startswith(b"+OK")
        await client.ok(b"USER paul")
        await client.ok(b"PASS " + PASSWORD.encode())

    async def test_attack_38_only_a_listed_proxy_tells_who_the_client_is(self) -> None:
        office = await self.begin(proxies=("127.0.0.1",))
        client: PopClient = await office.caller()
        client.send(b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 110\r\n")
        assert (await client.raw_line()).startswith(b"+OK")
        [session] = office.pop3.sessions
        assert session.line.ip == "192.0.2.7"
        other = await office.caller()
        other.send(b"CAPA\r\n")
        await other.end()
        assert other.buffer == b""
        office = await self.begin()
        client = await office.guest()
        assert await client.err(b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 110")
