"""The server's codec: the same octets mean the same events and replies, whole or cut anywhere."""

import contextlib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emailgency.codec.smtp.auth import Credentials
from emailgency.codec.smtp.command import Mail, Rcpt, mail, rcpt
from emailgency.codec.smtp.limits import SmtpLimits
from emailgency.codec.smtp.reply import ProtocolError
from emailgency.codec.smtp.server import (
    TRANSITIONS,
    Body,
    Connection,
    EndOfMessage,
    Login,
    Offer,
    Phase,
    Reset,
    StartTls,
    Turn,
)
from emailgency.model.verdict import Verdict
from tests.support.growth import grows_linearly

OFFER = Offer(host_name="mx.example", size=20 << 20)
SUBMISSION = Offer(host_name="mx.example", size=20 << 20, auth=True, auth_required=True)
OK = Verdict(250, "2.0.0", "done")


def run(pieces, offer=OFFER, limits=SmtpLimits()):  # noqa: B008 frozen
    """Events (octets of a message joined) and replies; everything asked is accepted."""
    connection, events = Connection(offer, limits), []
    for piece in pieces:
        connection.receive(piece)
        while (event := connection.next_event()) is not None:
            if isinstance(event, Body | EndOfMessage):
                if not (events and isinstance(events[-1], bytes)):
                    events.append(b"")
                if not (isinstance(event, EndOfMessage) and event.fault):
                    events[-1] += event.octets
                if isinstance(event, Body):
                    continue
                events.append(event.fault)
            else:
                events.append(event)
            if connection.waiting:
                connection.answer(Verdict(235, "2.7.0", "in") if isinstance(event, Login) else OK)
    return [event for event in events if event != b""], connection.take_output(), connection.phase


def cut(octets, places):
    places = [0, *sorted(min(place, len(octets)) for place in places), len(octets)]
    return [octets[a:b] for a, b in pairwise(places)]


BEGIN = b"EHLO a\r\nMAIL FROM:<a@b.zz>\r\nRCPT TO:<c@d.zz>\r\n"
BEGUN = [Mail(sender="a@b.zz"), Rcpt(address="c@d.zz")]
CASES = [
    (b"", OFFER, []),
    (b"NOOP\r\nRSET\r\nHELP\r\nQUIT\r\n", OFFER, []),
    (BEGIN + b"DATA\r\na\r\n..\r\n.\r\n", OFFER, [*BEGUN, b"a\r\n.\r\n", None]),
    (BEGIN + b"BDAT 2\r\na\r" + b"BDAT 3 LAST\r\n\n\r\n", OFFER, [*BEGUN, b"a\r\n\r\n", None]),
    (BEGIN + b"BDAT 5\r\nQUIT\r" + b"RSET\r\n", OFFER, [*BEGUN, b"QUIT", Reset()]),
    (BEGIN + b"RSET\r\nNOOP\r\n", OFFER, [*BEGUN, Reset()]),
    (BEGIN + b"HELO x\r\n", OFFER, [*BEGUN, Reset()]),
    (b"EHLO a\r\nAUTH PLAIN AGEAYg==\r\n", SUBMISSION, [Login(Credentials("a", "b"))]),
    (b"EHLO a\r\nAUTH PLAIN\r\nAGEAYg==\r\n", SUBMISSION, [Login(Credentials("a", "b"))]),
    (b"EHLO a\r\nAUTH LOGIN\r\nYQ==\r\nYg==\r\n", SUBMISSION, [Login(Credentials("a", "b"))]),
    (b"EHLO a\r\nAUTH LOGIN YQ==\r\nYg==\r\n", SUBMISSION, [Login(Credentials("a", "b"))]),
    (b"EHLO a\r\nAUTH PLAIN\r\n*\r\nAUTH LOGIN\r\n*\r\nNOOP\r\n", SUBMISSION, []),
]


@pytest.mark.parametrize(("octets", "offer", "events"), CASES)
def test_every_case_whole_by_octet_and_with_more_behind(octets, offer, events):
    whole = run([octets], offer)
    assert whole[0] == events
    assert run([octets[i : i + 1] for i in range(len(octets))], offer) == whole
    if whole[2] is not Phase.CLOSED:
        more = run([octets + b"NO"], offer)
        assert more == whole


TOKENS = [
    b"EHLO a\r\n",
    b"HELO b\r\n",
    b"MAIL FROM:<a@b.zz>\r\n",
    b"RCPT TO:<c@d.zz>\r\n",
    b"DATA\r\n",
    b".\r\n",
    b"text\r\n",
    b"..\r\n",
    b"BDAT 4\r\n",
    b"BDAT 4 LAST\r\n",
    b"RSET\r\n",
    b"NOOP\r\n",
    b"QUIT\r\n",
    b"AUTH PLAIN AGEAYg==\r\n",
    b"AUTH LOGIN\r\n",
    b"*\r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b"x" * 3000,
    b"STARTTLS\r\n",
    b"VRFY\r\n",
    "é\r\n".encode(),
    b"\xff\r\n",
]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(TOKENS) | st.binary(max_size=8), max_size=25).map(b"".join),
    st.lists(st.integers(0, 500), max_size=8),
    st.sampled_from([OFFER, SUBMISSION]),
)
def test_whatever_comes_means_the_same_however_it_is_cut(octets, places, offer):
    assert run(cut(octets, places), offer) == run([octets], offer)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_no_line_whatever_raises_anything_but_a_protocol_error(line):
    text = line.decode("utf-8", "replace").replace("\r", "").replace("\n", "")
    for parse in (mail, lambda rest: rcpt(rest, smtputf8=True)):
        for start in ("", "FROM:<", "TO:<", "TO:<a@b.zz> ORCPT=", "FROM:<a@b.zz> ENVID="):
            with contextlib.suppress(ProtocolError):
                parse(start + text)


def test_starttls_forgets_the_client_and_is_not_offered_again():
    connection = Connection(Offer(host_name="mx.example", size=1, starttls=True), SmtpLimits())
    connection.receive(b"EHLO a\r\n")
    assert connection.next_event() is None
    assert b"STARTTLS" in connection.take_output()
    connection.receive(b"STARTTLS\r\n")
    assert connection.next_event() == StartTls()
    connection.answer(Verdict(220, "2.0.0", "go"))
    connection.secured(OFFER)
    assert (connection.phase, connection.helo) == (Phase.CONNECTED, "")
    connection.take_output()
    connection.receive(b"MAIL FROM:<>\r\nEHLO a\r\nSTARTTLS\r\n")
    assert connection.next_event() is None
    output = connection.take_output()
    assert output.startswith(b"503 ")
    assert b"250-STARTTLS" not in output
    assert output.endswith(b"502 5.5.1 STARTTLS not offered\r\n")


def test_attack_06_no_login_before_tls():
    offer = Offer(host_name="mx.example", size=1, starttls=True, auth_required=True)
    events, output, _ = run([b"EHLO a\r\nAUTH PLAIN AGEAYg==\r\nMAIL FROM:<a@b.zz>\r\n"], offer)
    assert events == []
    assert b"AUTH" not in output.split(b"538")[0]
    assert output.endswith(b"538 5.7.11 STARTTLS first\r\n530 5.7.0 STARTTLS, then AUTH first\r\n")


@pytest.mark.parametrize(
    "line",
    [
        b"AUTH",
        b"AUTH CRAM-MD5",
        b"AUTH PLAIN !!!",
        b"AUTH PLAIN AA==",
        b"AUTH PLAIN eABhAGI=",
        b"AUTH PLAIN /////w==",
        b"AUTH PLAIN =",
        b"AUTH LOGIN !",
        b"AUTH PLAIN AGEAYgBj",
    ],
)
def test_what_is_no_login_is_refused_with_words(line):
    events, output, phase = run([b"EHLO a\r\n" + line + b"\r\nNOOP\r\n"], SUBMISSION)
    assert events == []
    assert output.split(b"250 HELP\r\n")[-1].split(b"\r\n")[-3][:3] in (b"501", b"504") or b"AUTH PLAIN LOGIN" in output
    assert output.endswith(b"250 2.0.0 Ok\r\n")
    assert phase is Phase.READY


def test_parameters_are_kept():
    assert mail("FROM:<a@b.zz> SIZE=12 BODY=8bitmime RET=full ENVID=x+2By SMTPUTF8") == Mail(
        sender="a@b.zz", size=12, body="8bitmime", ret="FULL", envid="x+y", smtputf8=True
    )
    assert rcpt("TO:<a@b.zz> NOTIFY=success,FAILURE ORCPT=rfc822;a+2Bc@b.zz", smtputf8=False) == Rcpt(
        address="a@b.zz", notify=("SUCCESS", "FAILURE"), original="rfc822;a+c@b.zz"
    )
    assert rcpt("TO:<zoë@b.zz> ORCPT=utf-8;zoë@b.zz", smtputf8=True).original == "utf-8;zoë@b.zz"


def test_every_phase_has_its_row():
    assert set(TRANSITIONS) == set(Phase)


@pytest.mark.parametrize(
    "unit",
    [
        b"NOOP\r\n",
        b"x",
        b" ",
        b"MAIL FROM:<" + b"a" * 1900 + b"\r\n",
        b"MAIL FROM:a" + b" " * 1900 + b"\x01x\r\n",
        b'EHLO a\r\nMAIL FROM:<"' + b"\\a" * 900 + b"@b>\r\n",
        b'EHLO a\r\nMAIL FROM:"' + b"\\a" * 900 + b"@b\r\n",
        b"EHLO a\r\nMAIL FROM:" + b"a" * 1900 + b"\r\n",
        b"EHLO a\r\nMAIL FROM:<a@b> " + b"A=" * 900 + b"\r\n",
        b"\xc3\xa9",
    ],
    ids=lambda unit: repr(unit[:16]),
)
@pytest.mark.parametrize("piece", [3, 65536])
def test_the_time_of_commands_grows_as_their_size(unit, piece):
    octets = unit * ((5_000 if piece == 3 else 100_000) // len(unit))
    patient = SmtpLimits(errors=10**9, idle_commands=10**9)

    def work(octets):
        run((octets[at : at + piece] for at in range(0, len(octets), piece)), limits=patient)

    assert grows_linearly(work, octets, octets * 4)


def test_etrn_is_a_question_between_messages_where_it_is_offered():
    offer = Offer(host_name="mx.example", size=1, etrn=True)
    events, replies, _ = run([b"EHLO a\r\nETRN mydomain.zz\r\nMAIL FROM:<a@b.zz>\r\nETRN mydomain.zz\r\n"], offer)
    assert events[0] == Turn("mydomain.zz")
    assert b"ETRN" in replies
    assert replies.endswith(b"503 5.5.1 ETRN out of sequence\r\n")
    assert b"502 5.5.1 ETRN not offered" in run([b"EHLO a\r\nETRN mydomain.zz\r\n"])[1]
    assert b"501 5.5.4" in run([b"EHLO a\r\nETRN\r\n"], offer)[1]


def test_requiretls_is_offered_and_taken_under_tls_alone() -> None:
    line = b"EHLO a\r\nMAIL FROM:<a@b.zz> REQUIRETLS\r\n"
    events, replies, _ = run([line], Offer(host_name="mx.example", size=1, requiretls=True))
    assert b"REQUIRETLS" in replies
    assert [event.require_tls for event in events if isinstance(event, Mail)] == [True]
    events, replies, _ = run([line])
    assert b"250-REQUIRETLS" not in replies
    assert b"555 5.5.4" in replies
    assert not [event for event in events if isinstance(event, Mail)]
