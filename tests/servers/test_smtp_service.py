"""What a port promises besides the words of the protocol: commits, trouble, repetitions, back-pressure, a good end."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from emailgency.codec.smtp.limits import SmtpLimits
from emailgency.model.errors import Temporary
from emailgency.model.verdict import Verdict
from emailgency.servers.smtp_service import SmtpSettings
from tests.support.smtp import FewAddresses, IdleStorer, MemorySpool, Talk, build

HELLO = b"EHLO client.example\r\n"
ENVELOPE = b"MAIL FROM:<bob@sender.example>\r\nRCPT TO:<paul@mydomain.zz>\r\n"
MESSAGE = b"DATA\r\nSubject: hello\r\n\r\nbody\r\n.\r\n"


def test_250_comes_only_when_the_commit_has() -> None:
    spool = MemorySpool()
    spool.hold = Deferred()
    client = Talk(build(Clock(), spool))
    assert client.codes(HELLO + ENVELOPE + MESSAGE) == [220, 250, 250, 250, 354]
    spool.hold.callback(None)
    assert client.wire.lines() == ["250 2.0.0 queued as id1"]


def test_trouble_of_our_own_is_never_told_as_5xx() -> None:
    for trouble in (Temporary("disk"), OSError("EIO"), KeyError("bug"), RecursionError()):
        spool, resolver = MemorySpool(), FewAddresses()
        client = Talk(build(Clock(), spool, resolver))
        client.say(HELLO)
        spool.trouble = trouble
        assert client.codes(ENVELOPE + MESSAGE) == [250, 250, 354, 451]
        resolver.trouble, spool.trouble = trouble, None
        assert client.codes(ENVELOPE) == [250, 451]
        assert client.codes(b"RSET\r\n") == [250]
        resolver.trouble = None
        assert client.codes(ENVELOPE + MESSAGE) == [250, 250, 354, 250]


def test_trouble_found_after_a_wait_is_told_alike() -> None:
    spool = MemorySpool()
    spool.hold = Deferred()
    client = Talk(build(Clock(), spool))
    client.say(HELLO + ENVELOPE + MESSAGE)
    spool.hold.errback(OSError("EIO"))
    assert client.wire.lines() == ["451 4.3.0 temporary trouble of our own, try again later"]


def test_a_full_disk_is_told_at_mail() -> None:
    spool = MemorySpool()
    spool.accepting = Verdict(452, "4.3.1", "disk is full")
    client = Talk(build(Clock(), spool))
    assert client.codes(HELLO + b"MAIL FROM:<bob@sender.example>\r\n")[-1] == 452


def test_what_is_refused_after_data_leaves_nothing() -> None:
    spool = MemorySpool()
    client = Talk(build(Clock(), spool))
    client.say(HELLO)
    loop = b"Received: from a by b\r\n" * 30 + b"RECEIVED :\tx\r\n" * 20
    assert client.codes(ENVELOPE + b"DATA\r\n" + loop + b"\r\n.\r\n")[-1] == 554
    assert client.codes(ENVELOPE + b"DATA\r\n" + loop[25:] + b"\r\n.\r\n")[-1] == 250
    assert client.codes(ENVELOPE + b"DATA\r\n" + b"a" * 70 + b"\r\nbare\n\r\n.\r\n")[-1] == 550
    big = b"a" * 1022 + b"\r\n"
    for _ in range(2):
        client.say(ENVELOPE + b"DATA\r\n")
        for _ in range(10 << 10):
            client.protocol.dataReceived(big)
        assert client.codes(b"x\r\n.\r\n") == [552]
    client.say(ENVELOPE + b"DATA\r\n")
    client.protocol.dataReceived(big * (10 << 10))
    assert client.codes(b".\r\n") == [250]
    assert len(spool.messages) == 2


def test_received_fields_in_the_body_do_not_count() -> None:
    spool = MemorySpool()
    client = Talk(build(Clock(), spool))
    body = b"Subject: x\r\n\r\n" + b"Received: from a by b\r\n" * 60
    assert client.codes(HELLO + ENVELOPE + b"DATA\r\n" + body + b".\r\n")[-1] == 250


def test_mail_for_banished_addresses_alone_is_read_and_gone_without_touching_the_disk() -> None:
    spool = MemorySpool()
    client = Talk(build(Clock(), spool))
    replies = client.say(HELLO + b"MAIL FROM:<>\r\nRCPT TO:<gone@mydomain.zz>\r\n" + MESSAGE + b"NOOP\r\n")
    assert replies[-2:] == ["250 2.0.0 queued as id1", "250 2.0.0 Ok"]
    assert (spool.messages, spool.written) == ([], 0)


def test_each_mailbox_gets_a_message_once() -> None:
    spool = MemorySpool()
    client = Talk(build(Clock(), spool))
    client.say(
        HELLO + b"MAIL FROM:<>\r\n" + b"RCPT TO:<paul@mydomain.zz>\r\nRCPT TO:<PAUL@mydomain.zz>\r\n" * 3 + MESSAGE
    )
    envelope, octets = spool.messages[0]
    assert [target.mailbox for target in envelope.plan] == ["paul"]
    assert len(envelope.recipients) == 6
    assert b"for <" not in octets


def test_a_repeated_transaction_is_stored_once_until_its_sender_has_spoken() -> None:
    spool = MemorySpool()
    factory = build(Clock(), spool)
    first = Talk(factory)
    first.say(HELLO + ENVELOPE + MESSAGE)
    first.hang_up()  # before it has read our 250
    again = Talk(factory, "192.0.2.200")
    assert again.say(HELLO + ENVELOPE + MESSAGE)[-1] == "250 2.0.0 already queued as id1"
    assert spool.confirmed == []
    assert again.codes(b"NOOP\r\n") == [250]
    assert spool.confirmed == ["id1"]
    assert again.codes(ENVELOPE + MESSAGE)[-1] == 250
    assert len(spool.messages) == 2  # the same again, and meant


def test_a_repetition_waits_for_the_end_of_the_first_try() -> None:
    for trouble, replies in ((None, "250 2.0.0 already queued as id1"), (OSError("EIO"), "250 2.0.0 queued as id2")):
        spool = MemorySpool()
        spool.hold = hold = Deferred()
        factory = build(Clock(), spool)
        first, again = Talk(factory), Talk(factory)
        first.say(HELLO + ENVELOPE + MESSAGE)
        first.hang_up()  # the disk is slow, and its patience has an end
        again.say(HELLO + ENVELOPE + MESSAGE)
        assert again.wire.lines() == []
        spool.hold = None
        if trouble is None:
            hold.callback(None)
        else:
            hold.errback(trouble)
        assert again.wire.lines() == [replies]
        assert len(spool.messages) == 1


def test_another_message_is_no_repetition() -> None:
    spool = MemorySpool()
    factory = build(Clock(), spool)
    for ip, envelope, message in [
        ("192.0.2.9", ENVELOPE, MESSAGE),
        ("198.51.100.9", ENVELOPE, MESSAGE),
        ("192.0.2.9", ENVELOPE.replace(b"bob", b"rob"), MESSAGE),
        ("192.0.2.9", ENVELOPE.replace(b"paul", b"saul"), MESSAGE),
        ("192.0.2.9", ENVELOPE, MESSAGE.replace(b"body", b"bodx")),
    ]:
        client = Talk(factory, ip)
        assert client.say(HELLO + envelope + message)[-1].startswith("250 2.0.0 queued as")
        client.hang_up()


def test_a_command_sent_before_our_250_confirms_nothing() -> None:
    spool = MemorySpool()
    client = Talk(build(Clock(), spool))
    assert client.codes(HELLO + ENVELOPE + MESSAGE + b"QUIT\r\n")[-2:] == [250, 221]
    assert spool.confirmed == []


def test_a_client_that_leaves_in_the_middle_leaves_nothing() -> None:
    spool = MemorySpool()
    client = Talk(build(Clock(), spool))
    client.say(HELLO + ENVELOPE + b"DATA\r\nSubject: half\r\n")
    client.hang_up()
    assert spool.aborted == ["id1"]
    assert spool.messages == []


def test_a_message_that_came_whole_is_kept_when_its_client_is_gone() -> None:
    spool = MemorySpool()
    spool.hold = Deferred()
    client = Talk(build(Clock(), spool))
    client.say(HELLO + ENVELOPE + MESSAGE)
    client.hang_up()
    spool.hold.callback(None)
    assert len(spool.messages) == 1
    assert spool.confirmed == []


def test_while_the_storer_is_behind_no_message_is_read() -> None:
    spool, storer, clock = MemorySpool(), IdleStorer(), Clock()
    client = Talk(build(clock, spool, storer=storer))
    client.say(HELLO + ENVELOPE + b"DATA\r\n")
    storer.set_busy(True)
    client.protocol.dataReceived(b"a\r\n" * 1000)
    assert client.wire.producerState == "paused"
    client.protocol.dataReceived(b"b\r\n.\r\nNOOP\r\n")  # was on its way
    clock.pump([1.0] * 1000)  # our fault, so no deadline runs
    storer.set_busy(False)
    assert client.wire.producerState == "producing"
    assert client.wire.lines() == ["250 2.0.0 queued as id1", "250 2.0.0 Ok"]


def test_a_stop_lets_transactions_end_and_takes_no_new_ones() -> None:
    spool, clock = MemorySpool(), Clock()
    factory = build(clock, spool)
    idle, busy = Talk(factory), Talk(factory)
    idle.say(HELLO)
    busy.say(HELLO + ENVELOPE + b"DATA\r\n")
    drained: list[None] = []
    factory.service.drain(30.0).addCallback(drained.append)
    assert idle.wire.lines() == ["421 4.3.2 stopping, try again later", "<closed>"]
    idle.hang_up()
    late = Talk(factory)
    assert late.wire.lines() == ["421 4.3.2 stopping, try again later", "<closed>"]
    late.hang_up()
    assert busy.say(b"Subject: x\r\n\r\n.\r\n") == [
        "250 2.0.0 queued as id1",
        "421 4.3.2 stopping, try again later",
        "<closed>",
    ]
    assert not drained
    busy.hang_up()
    assert drained == [None]
    assert not clock.getDelayedCalls()


def test_a_stop_cuts_after_the_grace_but_never_behind_the_last_octet() -> None:
    spool, clock = MemorySpool(), Clock()
    spool.hold = Deferred()
    factory = build(clock, spool)
    slow, waiting, gone = Talk(factory), Talk(factory), Talk(factory)
    slow.say(HELLO + ENVELOPE + b"DATA\r\nSubject: slow\r\n")
    waiting.say(HELLO + ENVELOPE + MESSAGE)
    gone.say(HELLO + ENVELOPE + MESSAGE.replace(b"body", b"other"))
    gone.hang_up()
    drained: list[None] = []
    factory.service.drain(30.0).addCallback(drained.append)
    clock.pump([1.0] * 31)
    assert slow.wire.lines() == ["421 4.3.2 stopping, try again later", "<closed>"]
    slow.hang_up()
    assert waiting.wire.lines() == []
    clock.pump([1.0] * 600)
    spool.hold.callback(None)
    assert waiting.wire.lines()[0].startswith("250 2.0.0 queued as")
    assert not drained
    waiting.hang_up()
    assert drained == [None]
    assert len(spool.messages) == 2


def test_an_old_connection_gets_no_other_transaction() -> None:
    clock = Clock()
    settings = SmtpSettings(limits=SmtpLimits(connection_time=100.0, greeting_time=1000.0))
    client = Talk(build(clock, MemorySpool(), settings=settings))
    assert client.codes(HELLO) == [220, 250]
    clock.advance(101)
    assert client.codes(b"MAIL FROM:<>\r\n") == [421]


def test_recipients_of_one_message_are_limited() -> None:
    settings = SmtpSettings(limits=SmtpLimits(recipients=100))
    client = Talk(build(Clock(), MemorySpool(), settings=settings))
    client.say(HELLO + b"MAIL FROM:<>\r\n")
    assert client.codes(b"RCPT TO:<paul@mydomain.zz>\r\n" * 103) == [250] * 100 + [452] * 3
