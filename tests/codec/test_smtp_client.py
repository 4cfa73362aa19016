"""The SMTP client without a network: what it says, what it believes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailgency.codec.smtp import client as smtp
from emailgency.codec.smtp.client import (
    Broken,
    Client,
    Closing,
    Ended,
    GoAhead,
    Goodbye,
    Handshake,
    Mail,
    Ready,
    Refused,
)

EHLO = b"250-mx.customer.zz\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250-DSN\r\n250 SMTPUTF8\r\n"
PLAIN = b"250 mx.customer.zz\r\n"


def mail(*recipients, **more):
    paths = tuple(smtp.Path(recipient) for recipient in recipients or ("a@b.zz",))
    return Mail(**{"sender": "s@t.zz", "recipients": paths, "size": 100, **more})


def greeted(ehlo=EHLO, **options):
    client = Client("mx.eg.test", **options)
    assert client.receive(b"220 hi\r\n") == []
    assert client.outgoing() == b"EHLO mx.eg.test\r\n"
    assert client.receive(ehlo) == [Ready()]
    return client


def codes(events):
    (ended,) = (event for event in events if isinstance(event, Ended))
    return [(result.stage.name, result.reply.code) for result in ended.results]


# ---- a session --------------------------------------------------------------------------------------------


def test_a_transaction_is_pipelined_and_the_next_travels_behind_the_final_dot():
    client = greeted()
    client.begin(mail("a@b.zz", "c@d.zz"))
    assert client.outgoing() == (b"MAIL FROM:<s@t.zz> SIZE=100\r\nRCPT TO:<a@b.zz>\r\nRCPT TO:<c@d.zz>\r\nDATA\r\n")
    assert client.receive(b"250 ok\r\n250 ok\r\n550 5.1.1 no\r\n354 go\r\n") == [GoAhead()]
    client.body(b"Subject: x\r\n\r\n.y\r\n", last=True)
    client.begin(mail())
    assert client.outgoing() == (
        b"Subject: x\r\n\r\n..y\r\n.\r\nMAIL FROM:<s@t.zz> SIZE=100\r\nRCPT TO:<a@b.zz>\r\nDATA\r\n"
    )
    events = client.receive(b"250 2.0.0 taken\r\n250 ok\r\n250 ok\r\n354 go\r\n")
    assert codes(events) == [("BODY", 250), ("RCPT", 550)]
    assert events[1:] == [GoAhead()]
    client.body(b"", last=True)
    assert client.outgoing() == b".\r\n"
    assert codes(client.receive(b"451 4.3.0 later\r\n")) == [("BODY", 451)]
    client.quit()
    assert client.outgoing() == b"QUIT\r\n"
    assert client.receive(b"221 bye\r\n") == [Goodbye()]


def test_without_pipelining_each_command_waits_for_its_answer():
    client = greeted(PLAIN)
    client.begin(mail("a@b.zz", "c@d.zz"))
    for answer, command in [
        (b"250 ok\r\n", b"MAIL FROM:<s@t.zz>\r\n"),
        (b"550 no\r\n", b"RCPT TO:<a@b.zz>\r\n"),
        (b"250 ok\r\n", b"RCPT TO:<c@d.zz>\r\n"),
    ]:
        assert client.outgoing() == command
        assert client.receive(answer) == []
    assert client.outgoing() == b"DATA\r\n"
    assert client.receive(b"354 go\r\n") == [GoAhead()]
    client.body(b"x", last=True)
    client.begin(mail())
    assert client.outgoing() == b"x\r\n.\r\n"
    assert codes(client.receive(b"250 ok\r\n")) == [("RCPT", 550), ("BODY", 250)]
    assert client.outgoing() == b"MAIL FROM:<s@t.zz>\r\n"


@pytest.mark.parametrize("ehlo", [EHLO, PLAIN])
def test_a_refused_sender_ends_the_transaction_and_the_next_begins_clean(ehlo):
    client = greeted(ehlo)
    client.begin(mail("a@b.zz", "c@d.zz"))
    client.outgoing()
    answers = b"550 5.7.1 no\r\n" + (b"503 x\r\n503 x\r\n503 x\r\n" if ehlo is EHLO else b"")
    assert codes(client.receive(answers)) == [("MAIL", 550), ("MAIL", 550)]
    client.begin(mail())
    assert b"MAIL FROM" in client.outgoing() or ehlo is EHLO


def test_no_accepted_recipient_gets_a_lone_dot_after_354_and_rset_before_the_next():
    client = greeted()
    client.begin(mail())
    client.outgoing()
    assert codes(client.receive(b"250 ok\r\n550 no\r\n354 go\r\n")) == [("RCPT", 550)]
    assert client.outgoing() == b".\r\n"
    assert client.receive(b"554 no recipients\r\n") == []
    client.begin(mail())
    assert client.outgoing().startswith(b"RSET\r\nMAIL")
    assert client.receive(b"250 reset\r\n250 ok\r\n250 ok\r\n354 go\r\n") == [GoAhead()]


def test_extensions_are_used_only_where_offered():
    path = smtp.Path("ä@b.zz", ("FAILURE", "DELAY"), "rfc822;a+b=c@d.zz")
    wanted = mail(recipients=(path,), eight_bit=True, smtputf8=True, ret="HDRS", envid="a b")
    client = greeted()
    client.begin(wanted)
    assert (
        client.outgoing()
        == (
            "MAIL FROM:<s@t.zz> SIZE=100 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=a+20b\r\n"
            "RCPT TO:<ä@b.zz> NOTIFY=FAILURE,DELAY ORCPT=rfc822;a+2Bb+3Dc@d.zz\r\nDATA\r\n"
        ).encode()
    )
    bare = greeted(PLAIN)
    bare.begin(mail(eight_bit=True, ret="FULL", envid="x"))
    assert bare.outgoing() == b"MAIL FROM:<s@t.zz>\r\n"


def test_smtputf8_is_not_sent_to_a_server_without_it():
    ended = greeted(PLAIN).begin(mail("ä@b.zz"))
    assert ended.results[0].reply.enhanced == "5.6.7"
    assert ended.results[0].ours


def test_a_message_beyond_the_size_limit_is_not_offered():
    ended = greeted().begin(mail(size=1001))
    assert ended.results[0].reply.enhanced == "5.3.4"
    assert greeted(EHLO.replace(b"SIZE 1000", b"SIZE 0")).begin(mail(size=1001)) is None
    assert greeted(EHLO.replace(b"SIZE 1000", b"SIZE")).begin(mail(size=1001)) is None


@pytest.mark.parametrize(
    "address",
    [
        "a b@c.zz",
        "a\r\nRCPT TO:<evil@z>@c.zz",
        '"a\r\nb"@c.zz',
        "a>@b.zz",
        "<a@b.zz",
        "a@b c.zz",
        "a@",
        "@b",
        "a",
        "",
        '"a@b.zz',
    ],
)
def test_an_address_never_ends_its_command_early(address):
    ended = greeted().begin(mail(address))
    assert ended.results[0].reply.code == 553
    assert greeted().begin(mail(sender=address)) is None if address == "" else True


@pytest.mark.parametrize(
    "address", ['"a b"@c.zz', r'"a\"b"@c.zz', "a@[192.0.2.1]", "a@[IPv6:2001:db8::1]", "x+y=z@c.zz"]
)
def test_unusual_addresses_are_written_as_they_are(address):
    client = greeted()
    client.begin(mail(address))
    assert f"RCPT TO:<{address}>\r\n".encode() in client.outgoing()


# ---- chunks -----------------------------------------------------------------------------------------------


def test_bdat_carries_the_octets_unchanged():
    client = greeted(EHLO.replace(b"DSN", b"CHUNKING"))
    client.begin(mail("a@b.zz", "c@d.zz"))
    assert b"DATA" not in client.outgoing()
    assert client.receive(b"250 ok\r\n550 no\r\n250 ok\r\n") == [GoAhead()]
    client.body(b".first\r\n", last=False)
    client.body(b"..second", last=True)
    assert client.outgoing() == b"BDAT 8\r\n.first\r\nBDAT 8 LAST\r\n..second"
    assert codes(client.receive(b"250 8 octets\r\n250 taken\r\n")) == [("RCPT", 550), ("BODY", 250)]


def test_bdat_is_not_used_when_no_recipient_is_accepted():
    client = greeted(EHLO.replace(b"DSN", b"CHUNKING"))
    client.begin(mail())
    client.outgoing()
    assert codes(client.receive(b"250 ok\r\n550 no\r\n")) == [("RCPT", 550)]
    client.begin(mail())
    assert client.outgoing().startswith(b"RSET\r\n")


def test_a_chunk_refused_in_mid_message_ends_the_session():
    client = greeted(EHLO.replace(b"DSN", b"CHUNKING"))
    client.begin(mail())
    client.receive(b"250 ok\r\n250 ok\r\n")
    client.body(b"x", last=False)
    events = client.receive(b"552 too big\r\n")
    assert codes(events) == [("BODY", 552)]
    assert isinstance(events[1], Broken)


# ---- what it does not believe -----------------------------------------------------------------------------


def test_replies_sent_in_advance_are_not_believed():
    """A server that sends 354 and 250 before the body would have us report success and lose the mail."""
    client = greeted()
    client.begin(mail())
    client.outgoing()
    events = client.receive(b"250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n")
    assert events[0] == GoAhead()
    assert isinstance(events[-1], Broken)
    assert not any(isinstance(event, Ended) for event in events)


@pytest.mark.parametrize(
    "talk", [[b"220 hi\r\n250 mx\r\n"], [b"220 hi\r\n250-m"], [b"220 hi\r\n", b"250 a\r\n250 b\r\n"]]
)
def test_an_early_talker_in_the_greeting_is_not_believed(talk):
    client = Client("mx.eg.test")
    events = [event for octets in talk for event in client.receive(octets)]
    assert isinstance(events[-1], Broken)


def test_a_success_in_the_middle_of_the_body_is_not_believed_but_a_refusal_is():
    for code, believed in ((250, False), (552, True)):
        client = greeted()
        client.begin(mail())
        client.receive(b"250 ok\r\n250 ok\r\n354 go\r\n")
        client.body(b"half", last=False)
        events = client.receive(b"%d what\r\n" % code)
        assert any(isinstance(event, Ended) for event in events) is believed
        assert isinstance(events[-1], Broken)


def test_421_means_that_the_server_hangs_up_whenever_it_comes():
    assert isinstance(Client("x").receive(b"421 busy\r\n")[0], Refused)
    client = greeted()
    assert isinstance(client.receive(b"421 idle\r\n")[0], Closing)
    client = greeted()
    client.begin(mail())
    client.receive(b"250 ok\r\n250 ok\r\n354 go\r\n")
    client.body(b"x", last=True)
    events = client.receive(b"421 out of disk\r\n")
    assert codes(events) == [("BODY", 421)]
    assert isinstance(events[1], Closing)
    assert client.receive(b"250 ok\r\n") == []


def test_a_server_without_ehlo_is_greeted_with_helo():
    client = Client("mx.eg.test")
    client.receive(b"220 hi\r\n")
    client.outgoing()
    assert client.receive(b"502 what\r\n") == []
    assert client.outgoing() == b"HELO mx.eg.test\r\n"
    assert client.receive(b"250 hi\r\n") == [Ready()]


# ---- TLS --------------------------------------------------------------------------------------------------

TLS = EHLO.replace(b"DSN", b"STARTTLS")


def before_starttls(**options):
    client = Client("mx.eg.test", **options)
    client.receive(b"220 hi\r\n")
    client.receive(TLS)
    assert client.outgoing().endswith(b"STARTTLS\r\n")
    return client


@pytest.mark.parametrize("ehlo", [EHLO, PLAIN, EHLO.replace(b"250 ", b"250-CHUNKING\r\n250 ")])
def test_a_question_ends_with_the_answer_to_rcpt_and_never_comes_to_data(ehlo):
    client = greeted(ehlo)
    said = b""
    for code, answer in ((250, b"250 2.1.5 ok\r\n"), (550, b"550 5.1.1 who\r\n"), (450, b"450 later\r\n")):
        client.ask(smtp.Path("a@b.zz"))
        events = []
        while not events:
            said += (out := client.outgoing())
            good = b"250 ok\r\n" * (len(out.splitlines()) - out.count(b"RCPT"))
            events = client.receive(good + answer * out.count(b"RCPT"))
        assert codes(events) == [("RCPT", code)]
    client.quit()
    said += client.outgoing()
    question = b"MAIL FROM:<>\r\nRCPT TO:<a@b.zz>\r\n"
    assert said == question + (b"RSET\r\n" + question) * 2 + b"QUIT\r\n"


@given(
    st.lists(
        st.sampled_from((b"250 ok\r\n", b"354 go\r\n", b"550 5.1.1 no\r\n", b"450 x\r\n", b"250-a\r\n", b"?")),
        max_size=20,
    )
)
def test_whatever_a_server_says_to_a_question_no_body_and_no_data_follow(replies):
    for ehlo in (EHLO, PLAIN, EHLO.replace(b"250 ", b"250-CHUNKING\r\n250 ")):
        client, said = greeted(ehlo), []
        client.ask(smtp.Path("a@b.zz"))
        for reply in replies:
            said.append(client.outgoing())
            events = client.receive(reply)
            assert not any(isinstance(event, GoAhead) for event in events)
            if any(isinstance(event, smtp.Ended) for event in events):
                client.ask(smtp.Path("c@d.zz"))
        commands = b"".join([*said, client.outgoing()]).splitlines()
        assert {command.split()[0] for command in commands} <= {b"MAIL", b"RCPT", b"RSET"}


def test_a_question_whose_sender_is_refused_is_answered_by_that():
    for ehlo, answers in ((EHLO, b"550 no\r\n503 what\r\n"), (PLAIN, b"550 no\r\n")):
        client = greeted(ehlo)
        client.ask(smtp.Path("a@b.zz"))
        client.outgoing()
        assert codes(client.receive(answers)) == [("MAIL", 550)]
    assert greeted(PLAIN).ask(smtp.Path("ä@b.zz")).results[0].ours


def test_starttls_forgets_what_was_said_in_clear():
    client = before_starttls()
    assert client.receive(b"220 go\r\n") == [Handshake()]
    assert client.outgoing() == b""
    client.secured()
    assert client.outgoing() == b"EHLO mx.eg.test\r\n"
    assert not client.extensions
    assert client.receive(TLS) == [Ready()]
    assert client.outgoing() == b""


@pytest.mark.parametrize("rest", [b"250-mx\r\n250 AUTH PLAIN\r\n", b"2", b"\r\n", b"220 again\r\n"])
def test_attack_05_octets_after_the_220_of_starttls_abort(rest):
    events = before_starttls().receive(b"220 go\r\n" + rest)
    assert [type(event) for event in events] == [Broken]


def test_attack_06_required_tls_is_never_given_up():
    client = Client("mx.eg.test", tls="must")
    client.receive(b"220 hi\r\n")
    assert isinstance(client.receive(EHLO)[0], Refused)
    assert isinstance(before_starttls(tls="must").receive(b"454 not now\r\n")[0], Refused)
    helo = Client("mx.eg.test", tls="must")
    helo.receive(b"220 hi\r\n")
    assert isinstance(helo.receive(b"500 what\r\n")[0], Refused)
    assert before_starttls(tls="may").receive(b"454 not now\r\n") == [Ready()]


# ---- whatever comes ---------------------------------------------------------------------------------------

STEPS = (  # each is sent when the client has spoken
    b"220-hi\r\n220 hi\r\n",
    EHLO,
    b"250 ok\r\n550 5.1.1 no\r\n250 ok\r\n354 go\r\n",
    b"250 taken\r\n",
    b"221 bye\r\n",
)


@given(st.lists(st.integers(1, 30), max_size=60))
def test_wherever_the_octets_are_split_the_events_are_the_same(sizes):
    def events(sizes):
        client, happened, sizes = Client("mx.eg.test"), [], iter(sizes)
        for step in STEPS:
            while step:
                size = next(sizes, len(step))
                for event in client.receive(step[:size]):
                    happened.append(event)
                    if event == Ready():
                        client.begin(mail("a@b.zz", "c@d.zz"))
                    elif event == GoAhead():
                        client.body(b"x", last=True)
                    elif isinstance(event, Ended):
                        client.quit()
                step = step[size:]
        return happened

    assert events(sizes) == events([])
    assert [type(event) for event in events(sizes)] == [Ready, GoAhead, Ended, Goodbye]


@given(st.binary(max_size=300))
def test_whatever_a_server_sends_nothing_is_raised(octets):
    client = Client("mx.eg.test")
    client.receive(b"220 hi\r\n")
    client.receive(octets)
    client.receive(octets)
    client.outgoing()
