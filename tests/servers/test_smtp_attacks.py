"""Attack rows at the SMTP door, each tried as an attacker would (reliability, section 2)."""

import tracemalloc

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, eventAsText

from emailgency.codec.smtp.limits import SmtpLimits
from emailgency.model.verdict import Verdict
from emailgency.servers.connections import ConnectionLimits
from emailgency.servers.smtp_service import SmtpSettings
from tests.support.foreign import FOREIGN
from tests.support.smtp import FewAddresses, MemorySpool, Talk, Wire, build

HELLO = b"EHLO client.example\r\n"
ENVELOPE = b"MAIL FROM:<bob@sender.example>\r\nRCPT TO:<paul@mydomain.zz>\r\n"
SECOND = b"MAIL FROM:<evil@bank.example>\r\nRCPT TO:<ceo@mydomain.zz>\r\nDATA\r\nSubject: forged\r\n\r\n.\r\n"


def talk(spool: MemorySpool, ip: str = "192.0.2.9", **settings: object) -> Talk:
    return Talk(build(Clock(), spool, settings=SmtpSettings(**settings)), ip)


FALSE_ENDS = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r",
    b"\r\n.\r",
    b"\r.\r\n",
    b"\n\r.\r\n",
    b"\r\r\n.\r\r\n",
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n",
    b"\n.\r\r\n",
    b"\r\n\x0b.\r\n",
    b"\r\n.\r\r\n",
    b"\0\r\n.\r\0\n",
]


@pytest.mark.parametrize("end", FALSE_ENDS, ids=repr)
@pytest.mark.parametrize("piece", [0, 1])
def test_attack_01_nothing_but_crlf_dot_crlf_ends_a_message(end: bytes, piece: int) -> None:
    spool = MemorySpool()
    client = talk(spool)
    client.say(HELLO + ENVELOPE + b"DATA\r\n")
    replies = client.say(b"Subject: a\r\n\r\nbody" + end + SECOND, piece)
    assert len(replies) == 1
    assert not any(b"evil@bank" in octets.partition(b"\r\n")[0] for _, octets in spool.messages)
    assert len(spool.messages) <= 1
    for _, octets in spool.messages:  # kept only when it holds nothing a next hop could read otherwise
        assert octets.count(b"\r\n") == octets.count(b"\n") == octets.count(b"\r")
        assert b"\0" not in octets


@pytest.mark.parametrize(
    "command", [b"NOOP\n", b"NOOP\rNOOP\r\n", b"\n", b"EHLO x\nX-Evil: 1\r\n", b"NOOP\0\r\n"], ids=repr
)
def test_attack_01_a_bare_line_end_or_nul_in_a_command_closes(command: bytes) -> None:
    spool = MemorySpool()
    replies = talk(spool).say(HELLO + command + ENVELOPE + b"DATA\r\n")
    assert replies[-2].startswith("500 5.5.2")
    assert replies[-1] == "<closed>"


@pytest.mark.parametrize("length", [998, 17_000, 1_000_000, 3_000_000])
@pytest.mark.parametrize("piece", [1460, 65536])
def test_attack_03_a_long_line_never_leads_back_to_commands(length: int, piece: int) -> None:
    spool = MemorySpool()
    client = talk(spool)
    client.say(HELLO + ENVELOPE + b"DATA\r\n")
    replies = client.say(b"a" * length + b"\r\n" + SECOND, piece)
    assert len(replies) == 1
    assert [envelope.sender for envelope, _ in spool.messages] == ["bob@sender.example"] * (length <= 1_048_576)


def test_attack_03_a_command_that_never_ends_is_bounded() -> None:
    client = talk(MemorySpool())
    client.wire.clear()
    tracemalloc.start()
    for _ in range(300):
        client.protocol.dataReceived(b"A" * 65536)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20
    assert client.say(b"\r\nNOOP\r\n") == ["500 5.5.6 line too long", "250 2.0.0 Ok"]


class Certificates:
    """Stands for real ones where no handshake is made."""


class SecurableWire(Wire):
    def startTLS(self, context: object) -> None:
        raise AssertionError("no handshake may begin")


@pytest.mark.parametrize("injected", [b"EHLO x\r\n", b"MAIL FROM:<evil@plain.example>\r\n", b"x", b"\r\n"])
def test_attack_04_nothing_said_in_clear_behind_starttls_is_obeyed(injected: bytes) -> None:
    spool = MemorySpool()
    factory = build(Clock(), spool, certificates=Certificates())
    client = Talk(factory)
    client.protocol.makeConnection(SecurableWire())
    client.wire = client.protocol.transport
    client.say(HELLO)
    replies = client.say(b"STARTTLS\r\n" + injected)
    assert replies == ["554 5.5.0 nothing may follow STARTTLS in clear", "<closed>"]


def test_attack_07_three_wrong_passwords_end_a_connection() -> None:
    class Never:
        tried = 0

        async def authenticate(self, name: str, password: str, source: object) -> Verdict:
            self.tried += 1
            return Verdict(535, "5.7.8", "wrong user name or password")

    login = Never()
    factory = build(Clock(), MemorySpool(), settings=SmtpSettings(clear_login=True))
    factory.service.login = login
    client = Talk(factory, "127.0.0.1")
    replies = client.codes(HELLO + b"AUTH PLAIN AGEAYg==\r\n" * 100)
    assert login.tried == 3
    assert replies == [220, 250, 535, 535, 535, 421]


OURS_IF_TAKEN = {
    "who%elsewhere.example@mydomain.zz": "who%elsewhere.example",
    "elsewhere.example!who@mydomain.zz": "elsewhere.example!who",
    '"who@elsewhere.example"@mydomain.zz': "who@elsewhere.example",
    "@elsewhere.example:paul@mydomain.zz": "paul",
    "@a.example,@b.example:paul@mydomain.zz": "paul",
}


@pytest.mark.parametrize("address", FOREIGN)
def test_attack_09_no_spelling_of_a_foreign_address_is_taken(address: str) -> None:
    spool = MemorySpool()
    client = talk(spool)
    client.say(HELLO + b"MAIL FROM:<>\r\n")
    assert client.codes(f"RCPT TO:<{address}>\r\n".encode())[0] >= 500
    assert client.codes(b"DATA\r\n") == [554]


@pytest.mark.parametrize(("address", "local"), OURS_IF_TAKEN.items())
def test_attack_09_what_is_taken_stays_with_us(address: str, local: str) -> None:
    spool = MemorySpool()
    client = talk(spool)
    client.say(HELLO + b"MAIL FROM:<>\r\n")
    assert client.codes(f"RCPT TO:<{address}>\r\n".encode() + b"DATA\r\n.\r\n") == [250, 354, 250]
    assert [target.mailbox for target in spool.messages[0][0].plan] == [local]


def test_attack_12_what_is_refused_is_refused_in_the_session() -> None:
    spool = MemorySpool()
    client = talk(spool)
    assert (
        client.codes(HELLO + b"MAIL FROM:<victim@forged.example>\r\nRCPT TO:<nobody@elsewhere.example>\r\n")[-1] == 550
    )
    assert spool.messages == []


EVIL = [
    b"\nX-Evil: 1",
    b"\r\nX-Evil: 1",
    b"\rX-Evil: 1",
    b"\0X-Evil: 1",
    b"\x1b[31mX-Evil: 1",
    b" X-Evil: 1",
    b"\tX-Evil: 1",
]


@pytest.mark.parametrize("evil", EVIL, ids=repr)
@pytest.mark.parametrize(
    "template",
    [
        b"EHLO x%s\r\n",
        b"HELO x%s\r\n",
        HELLO + b"MAIL FROM:<a%s@b.example>\r\n",
        HELLO + b'MAIL FROM:<"a%s"@b.example>\r\n',
        HELLO + b"MAIL FROM:<a@b.example> ENVID=a%s\r\n",
        HELLO + b"MAIL FROM:<>\r\nRCPT TO:<paul%s@mydomain.zz>\r\n",
        HELLO + b'MAIL FROM:<>\r\nRCPT TO:<"paul%s"@mydomain.zz>\r\n',
        HELLO + b"MAIL FROM:<>\r\nRCPT TO:<paul@mydomain.zz> ORCPT=rfc822;%s\r\n",
        HELLO + b"VRFY %s\r\n",
    ],
)
def test_attack_17_no_text_of_a_client_becomes_a_header_or_a_reply_line(template: bytes, evil: bytes) -> None:
    spool = MemorySpool()
    client = talk(spool)
    client.wire.clear()
    replies = client.say(template % evil + b"HELO y\r\n" + ENVELOPE + b"DATA\r\n\r\n.\r\n")
    assert not any("X-Evil" in line for line in replies)
    for envelope, octets in spool.messages:
        header = octets.partition(b"\r\n\r\n")[0]
        assert b"\r\nX-Evil" not in header
        assert b"\x1b" not in header
        assert not any(ord(character) < 32 for recipient in envelope.recipients for character in recipient.as_given)


def test_attack_17_a_strange_helo_is_written_so_that_it_means_nothing() -> None:
    spool = MemorySpool()
    talk(spool).say(b'EHLO a(b;c)"<d>\\\r\n' + ENVELOPE + b"DATA\r\n\r\n.\r\n")
    assert b"Received: from unknown (a?b?c???d??) ([192.0.2.9])\r\n" in spool.messages[0][1]


def test_attack_28_a_client_that_does_not_read_is_not_read_from_and_then_cut() -> None:
    clock = Clock()
    client = Talk(build(clock, MemorySpool()))
    client.protocol.pauseProducing()  # what the transport says above its high-water mark
    client.protocol.dataReceived(HELLO * 50)
    assert client.wire.producerState == "paused"
    clock.pump([1.0] * 400)
    assert client.wire.aborted


def test_attack_28_pipelined_commands_wait_without_being_read() -> None:
    spool, resolver = MemorySpool(), FewAddresses()
    from twisted.internet.defer import Deferred

    resolver.hold = Deferred()
    client = Talk(build(Clock(), spool, resolver))
    client.say(HELLO)
    assert client.codes(ENVELOPE + b"NOOP\r\n" * 1000) == [250]
    client.protocol.dataReceived(b"NOOP\r\n")
    assert client.wire.producerState == "paused"
    held, resolver.hold = resolver.hold, None
    held.callback(None)
    assert client.wire.producerState == "producing"
    assert client.wire.lines()[0] == "250 2.1.5 recipient ok"


def test_attack_28_octets_that_trickle_do_not_extend_a_deadline() -> None:
    clock = Clock()
    client = Talk(build(clock, MemorySpool()))
    for _ in range(200):
        client.protocol.dataReceived(b"E")
        clock.advance(1)
    assert client.wire.lines()[-2:] == ["421 4.4.2 too slow", "<closed>"]


@pytest.mark.parametrize(("rate", "cut"), [(100, True), (5000, False)])
def test_attack_28_a_message_has_to_come_at_a_least_rate(rate: int, cut: bool) -> None:
    clock, spool = Clock(), MemorySpool()
    client = Talk(build(clock, spool))
    client.say(HELLO + ENVELOPE + b"DATA\r\n")
    for _ in range(600):
        client.protocol.dataReceived(b"a" * (rate - 2) + b"\r\n")
        clock.advance(1)
    assert client.codes(b".\r\n") == ([421] if cut else [250])
    assert len(spool.messages) == (not cut)


def test_attack_28_connections_are_limited_by_network_and_in_all() -> None:
    limits = ConnectionLimits(total=10, reserved=2, per_network=3)
    factory = build(Clock(), MemorySpool(), settings=SmtpSettings(connections=limits))

    def first(ip: str) -> tuple[Talk, str]:
        client = Talk(factory, ip)
        return client, client.wire.lines()[0][:3]

    assert [first(f"192.0.2.{i}")[1] for i in range(5)] == ["220"] * 3 + ["421"] * 2
    assert [first(f"2001:db8::{i}")[1] for i in range(4)] == ["220"] * 3 + ["421"]
    assert first("198.51.100.1")[1] == "220"
    assert first("203.0.113.1")[1] == "220"
    assert len(factory.service.connections) == 8


def test_attack_28_slow_ones_in_any_number_keep_no_good_one_out() -> None:
    limits = ConnectionLimits(total=10, reserved=2)
    spool = MemorySpool()
    factory = build(Clock(), spool, settings=SmtpSettings(connections=limits))
    busy = Talk(factory, "203.0.113.1")
    busy.say(HELLO + ENVELOPE)
    slow = [Talk(factory, f"198.51.{i}.1") for i in range(100)]
    assert [one.wire.aborted for one in slow] == [True] * 93 + [False] * 7
    good = Talk(factory, "203.0.114.1")
    assert good.codes(HELLO + ENVELOPE + b"DATA\r\n.\r\n") == [220, 250, 250, 250, 354, 250]
    assert busy.codes(b"DATA\r\nx\r\n.\r\n") == [354, 250]
    assert len(factory.service.connections) == 8


def test_attack_28_when_all_are_at_work_a_newcomer_is_told_so_unless_he_is_from_here() -> None:
    factory = build(Clock(), MemorySpool(), settings=SmtpSettings(connections=ConnectionLimits(total=10, reserved=2)))
    for i in range(8):
        Talk(factory, f"198.51.{i}.1").say(HELLO + ENVELOPE)
    assert Talk(factory, "203.0.113.1").wire.lines() == ["421 4.7.0 too many connections", "<closed>"]
    assert Talk(factory, "127.0.0.1").wire.lines()[0][:3] == "220"


def test_attack_28_too_many_errors_end_a_connection() -> None:
    client = talk(MemorySpool(), limits=SmtpLimits(errors=5))
    client.wire.clear()
    assert client.codes(b"XYZZY\r\n" * 100) == [500] * 5 + [421]


def test_attack_28_chatter_without_a_message_ends_a_connection() -> None:
    client = talk(MemorySpool(), limits=SmtpLimits(idle_commands=5))
    client.wire.clear()
    assert client.codes(b"NOOP\r\n" * 100) == [250] * 5 + [421]


def test_attack_08_a_dictionary_of_recipients_ends_a_connection() -> None:
    client = talk(MemorySpool(), limits=SmtpLimits(refused_recipients=10))
    client.say(HELLO + b"MAIL FROM:<>\r\n")
    assert client.codes(b"RCPT TO:<x@elsewhere.example>\r\n" * 100) == [550] * 10 + [421]


def test_attack_36_one_event_is_one_clean_line_without_secrets() -> None:
    with capturedLogs() as events:
        client = talk(MemorySpool())
        client.say("EHLO \x1b[2J\u202eevil\r\n".encode())
        client.say(b"EHLO x\x1b[2J\r\nHELO ok\r\nMAIL FROM:<a@b.example>\r\n")
        client.say("RCPT TO:<\u202epaul@elsewhere.example>\r\n".encode())
        client.say(b'RCPT TO:<"a\x7fb"@elsewhere.example>\r\nRCPT TO:<"a b"@elsewhere.example>\r\n')
        client.say(b"AUTH PLAIN AHVzZXIAc2VjcmV0\r\n")
        client.say(b"RCPT TO:<paul@mydomain.zz>\r\nDATA\r\nbody text\r\n.\r\n")
    lines = [eventAsText(event, includeTimestamp=False, includeSystem=False) for event in events]
    assert len(lines) == 2  # one refusal, one message
    for line in lines:
        assert line.isprintable()
        assert line.isascii()
        assert "secret" not in line
        assert "body text" not in line


def test_attack_36_refusals_do_not_flood_the_log() -> None:
    client = talk(MemorySpool())
    client.say(HELLO + b"MAIL FROM:<>\r\n")
    with capturedLogs() as events:
        client.say(b"RCPT TO:<x@elsewhere.example>\r\n" * 90)
    assert len(events) == 20


PROXIED = SmtpSettings(proxies=("192.0.2.9",))
V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c" + bytes([203, 0, 113, 7, 192, 0, 2, 1, 0x12, 0x34, 0, 25])


@pytest.mark.parametrize("header", [b"PROXY TCP4 203.0.113.7 192.0.2.1 4711 25\r\n", V2], ids=["v1", "v2"])
@pytest.mark.parametrize("piece", [0, 1])
def test_attack_38_a_listed_proxy_tells_whose_connection_it_is(header: bytes, piece: int) -> None:
    spool = MemorySpool()
    client = Talk(build(Clock(), spool, settings=PROXIED))
    assert client.wire.lines() == []  # no banner before it is known who it is for
    client.say(header + HELLO, piece)
    client.say(ENVELOPE + b"DATA\r\n\r\n.\r\n")
    assert spool.messages[0][0].client.ip == "203.0.113.7"


@pytest.mark.parametrize(
    "header", [b"PROXY TCP4 203.0.113.7 192.0.2.1 4711 25\r\n", V2, b"XCLIENT ADDR=203.0.113.7\r\n"]
)
def test_attack_38_nobody_else_can_say_so(header: bytes) -> None:
    spool = MemorySpool()
    client = talk(spool, "198.51.100.1")
    replies = client.say(header + HELLO + ENVELOPE + b"DATA\r\n\r\n.\r\n")
    assert replies[1].startswith("500 ")
    assert all(envelope.client.ip == "198.51.100.1" for envelope, _ in spool.messages)
    assert replies[-1] == "<closed>" or header.startswith(b"XCLIENT")


@pytest.mark.parametrize(
    "header", [b"EHLO x\r\n", b"PROXY TCP4 nonsense\r\n", b"PROXY " + b"x" * 200, V2.replace(b"\x21\x11", b"\x31\x11")]
)
def test_attack_38_a_listed_proxy_that_does_not_speak_so_is_cut(header: bytes) -> None:
    client = Talk(build(Clock(), MemorySpool(), settings=PROXIED))
    client.protocol.dataReceived(header)
    assert client.wire.aborted
    assert client.wire.value() == b""
