"""Ports 587 and 465 with a real directory, real passwords, real TLS and mail programs we did not write."""

import contextlib
import smtplib
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from emailgency.codec.address import parse
from emailgency.flows.receiving.receive import ReceptionLimits
from emailgency.flows.receiving.submit import Submission, SubmissionLimits
from emailgency.model.envelope import Deliver, Outbound, Relay
from emailgency.servers.smtp import SmtpFactory
from emailgency.servers.smtp_service import SmtpService, SmtpSettings
from emailgency.store.keys.certificates import Certificates, TlsSettings
from tests.support.customers import AUTHOR, PASSWORD, RealCustomers
from tests.support.smtp import IdleStorer, MemorySpool

PAUL, ANNA, EVE = "paul@mydomain.zz", "anna@mydomain.zz", "eve@other.zz"
BODY = b"From: Paul <paul@mydomain.zz>\r\nSubject: hello\r\n\r\n.body\r\n"


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class SubmissionTests(TestCase):
    async def setUp(self) -> None:
        self.customers = RealCustomers()
        await self.customers.begin()
        self.addCleanup(self.customers.stop)
        await self.customers.customer("mydomain.zz")
        await self.customers.customer("other.zz")
        for address in (PAUL, ANNA, EVE):
            await self.customers.mailbox(address, PASSWORD)
        self.spool = MemorySpool()
        folder = tempfile.mkdtemp(prefix="certificates-")
        self.certificates = Certificates(TlsSettings(), folder, ("mx.example",), lambda: 1_800_000_000.0)
        self.port = self.listen()

    def listen(
        self, implicit_tls: bool = False, clear_login: bool = False, proxies: tuple[str, ...] = (), **limits: Any
    ) -> int:
        self.submission = Submission(
            self.customers.resolver,
            self.spool,
            lambda: 1_800_000_000.0,
            "mx.example",
            ReceptionLimits(),
            self.customers.directory,
            SubmissionLimits(**limits),
        )
        service = SmtpService(
            reactor,
            self.submission,
            IdleStorer(),
            SmtpSettings(clear_login=clear_login, proxies=proxies),
            self.certificates,
            self.customers.login,
            implicit_tls,
        )
        port = reactor.listenTCP(0, SmtpFactory(service), interface="127.0.0.1")
        self.addCleanup(lambda: service.drain(0.0))
        self.addCleanup(port.stopListening)
        return port.getHost().port

    def talk(self, what: Callable[[smtplib.SMTP], Any], user: str = PAUL) -> Any:
        def run() -> Any:
            with smtplib.SMTP("127.0.0.1", self.port, "client.example", timeout=20) as client:
                client.starttls(context=trusting())
                client.login(user, PASSWORD)
                return what(client)

        return deferToThread(run)

    async def refused(self, sender: str, to: str, message: bytes, user: str = PAUL) -> int:
        """The code a message was refused with."""

        def send(client: smtplib.SMTP) -> int:
            try:
                client.sendmail(sender, [to], message)
            except smtplib.SMTPRecipientsRefused as error:
                return error.recipients[to][0]
            except smtplib.SMTPResponseException as error:
                return error.smtp_code
            return 250

        return await self.talk(send, user)

    async def test_a_user_sends_to_colleagues_and_to_the_world(self) -> None:
        message = b"Bcc: secret@else.example\r\n" + BODY
        await self.talk(lambda client: client.sendmail(PAUL, [ANNA, "who@else.example", EVE], message))
        envelope, octets = self.spool.messages[0]
        kinds = [type(target) for target in envelope.plan]
        assert kinds == [Deliver, Relay, Outbound, Deliver, Relay]
        assert envelope.plan[2] == Outbound(
            customer=envelope.customer, address="who@else.example", recipient=1, origin="submit"
        )
        assert len({target.customer for target in envelope.plan}) == 2
        assert envelope.client.mailbox is not None
        assert b"with ESMTPSA id id1" in octets
        assert b"(TLSv1.3 " in octets
        assert b"\r\nDate: Fri, 15 Jan 2027 08:00:00 +0000\r\nMessage-ID: <id1@mx.example>\r\n" in octets
        assert b"secret" not in octets
        assert octets.endswith(BODY)

    async def test_a_user_writes_to_addresses_that_only_others_understand(self) -> None:
        await self.talk(lambda client: client.sendmail(PAUL, ["a..b@docomo.example"], BODY))
        (target,) = self.spool.messages[0][0].plan
        assert target.address == "a..b@docomo.example"
        assert await self.refused(PAUL, "a..b@mydomain.zz", BODY) == 553
        assert await self.refused("a..b@docomo.example", ANNA, BODY) == 550

    async def test_a_user_reaches_the_postmaster_of_this_server(self) -> None:
        await self.talk(lambda client: client.sendmail(PAUL, ["postmaster", "postmaster@mx.example"], BODY))
        assert {target.customer for target in self.spool.messages[0][0].plan} == {"operator"}

    async def test_what_a_mail_program_wrote_is_kept_octet_by_octet(self) -> None:
        message = b"date: x\r\nMESSAGE-ID: <1@a>\r\nFrom: paul@MyDomain.zz\r\nX: \xff\r\n\ty\r\n\r\n..\r\n"
        await self.talk(lambda client: client.sendmail(PAUL, [ANNA], message))
        assert self.spool.messages[0][1].endswith(b"+0000\r\n" + message)

    async def test_attack_10_nobody_sends_as_somebody_else(self) -> None:
        other = BODY.replace(b"paul@mydomain.zz", b"eve@other.zz")
        colleague = BODY.replace(b"paul@mydomain.zz", b"anna@mydomain.zz")
        assert await self.refused(EVE, ANNA, BODY) == 550
        assert await self.refused(ANNA, ANNA, BODY) == 550
        assert await self.refused("paul@elsewhere.example", ANNA, BODY) == 550
        for message in (
            other,
            colleague,
            b"Sender: eve@other.zz\r\n" + BODY,
            b"From: eve@other.zz\r\n" + BODY,
            BODY.replace(b"Paul <", b"eve@other.zz <"),
            BODY.replace(b"zz>", b"zz>, eve@other.zz"),
            BODY.replace(b"From:", b"X:"),
            BODY.replace(b"From:", b"From :", 1) + b"",
        ):
            expected = 250 if b"From :" in message else 550
            assert await self.refused(PAUL, ANNA, message) == expected, message
        assert len(self.spool.messages) == 1

    async def test_an_alias_and_the_alternate_domain_are_ones_own(self) -> None:
        customer = await self.customers.directory.domain("mydomain.zz")
        alternate = (await self.customers.directory.customer(customer.customer)).alternate_domain
        await self.customers.addresses.add_alias(AUTHOR, parse("boss@mydomain.zz"), parse(PAUL))
        for address in ("boss@mydomain.zz", f"paul@{alternate}"):
            message = BODY.replace(b"paul@mydomain.zz", address.encode())
            assert await self.refused(address, ANNA, message) == 250
            assert await self.refused(address, ANNA, message, ANNA) == 550

    async def test_attack_11_denying_works_in_open_sessions(self) -> None:
        def send(client: smtplib.SMTP) -> None:
            client.sendmail(PAUL, [ANNA], BODY)

        client = await deferToThread(smtplib.SMTP, "127.0.0.1", self.port, "client.example", 20)
        self.addCleanup(client.close)
        await deferToThread(client.starttls, context=trusting())
        await deferToThread(client.login, PAUL, PASSWORD)
        await deferToThread(send, client)
        await self.customers.addresses.set_mailbox(AUTHOR, parse(PAUL), smtp_denied=True)
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            await deferToThread(send, client)
        assert refused.value.smtp_code == 550

    async def test_attack_11_denying_all_at_once_works_in_open_sessions_and_in_a_message_under_way(self) -> None:
        one, other = [await deferToThread(smtplib.SMTP, "127.0.0.1", self.port, "client.example", 20) for _ in range(2)]
        for client, user in ((one, PAUL), (other, ANNA)):
            self.addCleanup(client.close)
            await deferToThread(client.starttls, context=trusting())
            await deferToThread(client.login, user, PASSWORD)
        await deferToThread(one.mail, PAUL)
        await deferToThread(one.rcpt, ANNA)
        assert (await deferToThread(one.docmd, "DATA"))[0] == 354
        customer = await self.customers.directory.domain("mydomain.zz")
        await self.customers.accounts.set(AUTHOR, customer.customer, smtp_denied=True)
        one.send(BODY + b".\r\n")
        assert (await deferToThread(one.getreply))[0] == 550
        assert (await deferToThread(other.mail, ANNA))[0] == 550
        assert self.spool.messages == []
        await self.customers.accounts.set(AUTHOR, customer.customer, smtp_denied=False)
        assert (await deferToThread(other.mail, ANNA))[0] == 250

    async def test_attack_11_one_mailbox_sends_only_so_much(self) -> None:
        self.port = self.listen(recipients_at_once=10, recipients_per_hour=10)
        for number in range(12):
            assert await self.refused(PAUL, ANNA, BODY) == (250 if number < 10 else 450)
        assert await self.refused(ANNA, PAUL, BODY.replace(b"paul", b"anna"), ANNA) == 250

    async def test_other_limits_count_at_once(self) -> None:
        for _ in range(12):
            assert await self.refused(PAUL, ANNA, BODY) == 250
        self.submission.adopt(SubmissionLimits(recipients_at_once=10, recipients_per_hour=10))
        refusals = [await self.refused(PAUL, ANNA, BODY) for _ in range(12)]
        assert refusals == [250] * 10 + [450] * 2

    async def test_a_notice_of_reading_has_no_sender_and_one_recipient(self) -> None:
        assert await self.refused("", ANNA, BODY) == 250
        refusals = await self.talk(lambda client: client.sendmail("", ["a@else.example", "b@else.example"], BODY))
        assert refusals["b@else.example"][0] == 452

    async def test_stealth_does_not_stop_colleagues(self) -> None:
        customer = await self.customers.directory.domain("mydomain.zz")
        await self.customers.accounts.set(AUTHOR, customer.customer, stealth=True)
        assert await self.refused(PAUL, ANNA, BODY) == 250
        plan = self.spool.messages[0][0].plan
        assert plan[1].address == ANNA

    async def test_attack_06_nobody_logs_in_or_sends_in_clear(self) -> None:
        def look() -> list[bytes]:
            with smtplib.SMTP("127.0.0.1", self.port, "client.example", timeout=20) as client:
                client.ehlo()
                replies = [client.docmd("AUTH", "PLAIN AGEAYg=="), client.docmd("MAIL", "FROM:<paul@mydomain.zz>")]
                return [client.ehlo_resp, *(b"%d" % code for code, _ in replies)]

        features, login, mail = await deferToThread(look)
        assert b"AUTH" not in features
        assert b"STARTTLS" in features
        assert (login, mail) == (b"538", b"530")

    async def test_on_loopback_the_settings_may_allow_it(self) -> None:
        self.port = self.listen(clear_login=True)

        def send() -> None:
            with smtplib.SMTP("127.0.0.1", self.port, "client.example", timeout=20) as client:
                client.login(PAUL, PASSWORD)
                client.sendmail(PAUL, [ANNA], BODY)

        await deferToThread(send)
        assert b"with ESMTPA id" in self.spool.messages[0][1]

    async def test_port_465_speaks_tls_at_once(self) -> None:
        port = self.listen(implicit_tls=True)

        def send() -> None:
            with smtplib.SMTP_SSL("127.0.0.1", port, "client.example", timeout=20, context=trusting()) as client:
                assert not client.has_extn("starttls")
                client.login(PAUL, PASSWORD)
                client.sendmail(PAUL, [ANNA], BODY)

        await deferToThread(send)
        assert len(self.spool.messages) == 1

    async def test_a_proxy_header_comes_before_tls_even_in_one_segment_with_it(self) -> None:
        port = self.listen(implicit_tls=True, proxies=("127.0.0.1",))

        def send() -> bytes:
            read, written = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = trusting().wrap_bio(read, written)
            greeting = None
            with socket.create_connection(("127.0.0.1", port), 20) as line:
                line.sendall(b"PROXY TCP4 203.0.113.7 192.0.2.1 4711 465\r\n" + step(tls.do_handshake, written))
                while greeting is None:
                    read.write(line.recv(65536))
                    step(tls.do_handshake, written, line)
                    with contextlib.suppress(ssl.SSLWantReadError):
                        greeting = tls.read(1000)
                return greeting

        def step(deed: Callable[[], None], written: ssl.MemoryBIO, line: socket.socket | None = None) -> bytes:
            with contextlib.suppress(ssl.SSLWantReadError):
                deed()
            octets = written.read()
            if line is not None:
                line.sendall(octets)
            return octets

        assert await deferToThread(send) == b"220 mx.example ESMTP\r\n"

    async def test_attack_06_old_tls_is_refused(self) -> None:
        port = self.listen(implicit_tls=True)

        def shake() -> None:
            context = trusting()
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
            with socket.create_connection(("127.0.0.1", port), 20) as line:
                context.wrap_socket(line)

        with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"):
            await deferToThread(shake)

    async def test_attack_04_what_came_in_clear_is_never_obeyed_under_tls(self) -> None:
        def inject() -> bytes:
            with socket.create_connection(("127.0.0.1", self.port), 20) as line:
                line.recv(1000)
                line.sendall(b"EHLO x\r\n")
                line.recv(1000)
                line.sendall(b"STARTTLS\r\nEHLO injected\r\n")
                came = b""
                while octets := line.recv(1000):
                    came += octets
                return came

        assert await deferToThread(inject) == b"554 5.5.0 nothing may follow STARTTLS in clear\r\n"

    async def test_attack_08_wrong_and_unknown_are_told_alike(self) -> None:
        def guess(name: str, password: str) -> tuple[int, bytes]:
            with smtplib.SMTP_SSL("127.0.0.1", port, "client.example", timeout=20, context=trusting()) as client:
                with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
                    client.login(name, password)
                return refused.value.smtp_code, refused.value.smtp_error

        port = self.listen(implicit_tls=True)
        wrong = await deferToThread(guess, PAUL, "wrong horse 7")
        assert wrong == await deferToThread(guess, "nobody@mydomain.zz", "wrong horse 7")
        assert wrong[0] == 535

    async def program(self, *words: str, given: bytes = b"") -> None:
        done = await deferToThread(subprocess.run, words, input=given, capture_output=True, timeout=30)
        assert done.returncode == 0, done.stdout + done.stderr

    @pytest.mark.peer("swaks")
    async def test_swaks_logs_in_and_pipelines(self) -> None:
        port = str(self.listen(clear_login=True))  # without a Perl module that is not everywhere it knows no TLS
        for number, mechanism in enumerate(("PLAIN", "LOGIN")):
            words = ["swaks", "--server", "127.0.0.1", "--port", port, "--auth", mechanism, "--auth-user", PAUL]
            words += ["--auth-password", PASSWORD, "--from", PAUL, "--to", f"{ANNA},who@else.example", "--pipeline"]
            await self.program(*words, "--body", f"body {number}")
        assert len(self.spool.messages) == 2
        assert [type(target) for target in self.spool.messages[1][0].plan] == [Deliver, Relay, Outbound]

    @pytest.mark.peer("curl")
    async def test_curl_sends_over_both_kinds_of_tls(self) -> None:
        implicit = self.listen(implicit_tls=True)
        for number, place in enumerate((f"smtp://127.0.0.1:{self.port}", f"smtps://127.0.0.1:{implicit}")):
            words = ["curl", "--silent", "--show-error", "--insecure", "--ssl-reqd", "--url", f"{place}/client.example"]
            words += ["--user", f"{PAUL}:{PASSWORD}", "--mail-from", PAUL, "--mail-rcpt", ANNA, "--upload-file", "-"]
            await self.program(*words, given=b"X-Number: %d\r\n" % number + BODY)
        assert len(self.spool.messages) == 2
        assert all(b"with ESMTPSA id" in octets for _, octets in self.spool.messages)
