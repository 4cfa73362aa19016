"""Notifications as the rest of the world reads them."""

import email
import email.policy
from email.utils import parsedate_to_datetime

from hypothesis import given
from hypothesis import strategies as st

from emailgency.codec.dsn import Action, Report, Status, compose

NOW = 1_800_000_000.0


def report(*statuses, **more):
    fields = {
        "reporting": "mx.emailgency.test",
        "to": "paul@mydomain.zz",
        "message_id": "1@mx.emailgency.test",
        "boundary": "b0undary",
        "now": NOW,
        "arrived": NOW - 60,
    }
    return Report(statuses=statuses, **{**fields, **more})


FAILED = Status(
    address="nobody@example.org",
    action=Action.FAILED,
    status="5.1.1",
    original="rfc822;nobody@example.org",
    diagnostic="550 5.1.1 no such user",
    remote="mx.example.org",
)


def read(composed, original=b"Subject: hi\r\n"):
    head, tail = composed
    return email.message_from_bytes(head + original + tail, policy=email.policy.default)


def test_a_notification_is_a_multipart_report_of_three_parts():
    message = read(compose(report(FAILED, envid="abc")))
    assert message.get_content_type() == "multipart/report"
    assert message["Content-Type"].params["report-type"] == "delivery-status"
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["To"] == "paul@mydomain.zz"
    assert not message.defects
    text, status, original = message.iter_parts()
    assert "550 5.1.1 no such user" in text.get_content()
    about, recipient = status.iter_parts()
    assert about["Original-Envelope-Id"] == "abc"
    assert about["Reporting-MTA"] == "dns; mx.emailgency.test"
    assert dict(recipient.items()) == {
        "Original-Recipient": "rfc822; nobody@example.org",
        "Final-Recipient": "rfc822; nobody@example.org",
        "Action": "failed",
        "Status": "5.1.1",
        "Remote-MTA": "dns; mx.example.org",
        "Diagnostic-Code": "smtp; 550 5.1.1 no such user",
    }
    assert original.get_content_type() == "text/rfc822-headers"
    assert "Subject: hi" in original.get_payload()


def test_a_whole_original_is_attached_as_a_message():
    message = read(compose(report(FAILED, whole=True)), b"Subject: hi\r\n\r\nbody\r\n")
    *_, original = message.iter_parts()
    assert original.get_content_type() == "message/rfc822"
    assert original.get_content().get_content() == "body\r\n"


def test_a_delay_says_until_when():
    delayed = Status(address="a@b.zz", action=Action.DELAYED, status="4.4.1", until=NOW + 86400, reason="no answer")
    _, status, _ = read(compose(report(delayed))).iter_parts()
    _, recipient = status.iter_parts()
    assert parsedate_to_datetime(recipient["Will-Retry-Until"]).timestamp() == NOW + 86400


def test_an_address_beyond_ascii_is_written_as_rfc_6533_says():
    status = Status(address="jürgen@b.zz", action=Action.FAILED, status="5.1.1")
    head, _ = compose(report(status, to="pàul@mydomain.zz"))
    assert b"Final-Recipient: utf-8; j\\x{FC}rgen@b.zz\r\n" in head
    assert "To: <pàul@mydomain.zz>\r\n".encode() in head


EVIL = (
    st.text(max_size=60) | st.just("x\r\nX-Evil: 1\r\n\r\nX-Evil: 2") | st.just("a\nX-Evil: 1") | st.just("\x1b[31m\0")
)


@given(st.lists(EVIL, min_size=9, max_size=9))
def test_attack_17_nothing_a_peer_says_adds_a_line_to_a_notification(words):
    address, remote, diagnostic, reason, original, envid, to, status, spare = words
    evil = Status(
        address=address, action=Action.FAILED, status=status, original=original, diagnostic=diagnostic, remote=remote
    )
    late = Status(address=spare, action=Action.FAILED, status="4.0.0", reason=reason)
    head, tail = compose(report(evil, late, envid=envid or None, to=to))
    assert b"\r\nX-Evil" not in head.replace(b"\r\n.", b"\r\n")
    lines = (head + tail).split(b"\r\n")
    assert all(b"\n" not in line and b"\r" not in line and b"\0" not in line and b"\x1b" not in line for line in lines)
    assert max(map(len, lines)) < 4000
    usual = compose(report(FAILED, FAILED, envid="x"))[0].count(b"\r\n")
    assert head.count(b"\r\n") <= usual + 2
