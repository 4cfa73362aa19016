"""Who is told that his message waits, and who never is (attack row 12)."""

import pytest
from msgspec.structs import replace

from emailgency.model.envelope import Client, Recipient
from emailgency.rules.sender_notice import is_robot, why_not
from tests.support.null_spool import envelope

PERSON = envelope("m", (), sender="anna.smith@example.org", genuine=True)
PAUL = Recipient(as_given="paul@mydomain.zz")


@pytest.mark.parametrize(
    "address",
    [
        "MAILER-DAEMON@example.org",
        "postmaster@example.org",
        "noreply@example.org",
        "no-reply+42@example.org",
        "owner-list@example.org",
        "list-owner@example.org",
        "list-request@example.org",
        "list-bounces@example.org",
        "list-bounces+paul=mydomain.zz@example.org",
        "bounce-123@example.org",
        "SRS0=abc=de=example.net=anna@example.org",
        "prvs=1234abcd=anna@example.org",
        "msg.0123456789abcdef01@example.org",
        "b12345678@example.org",
        '"root"@example.org',
    ],
)
def test_attack_12_roles_lists_and_addresses_of_mailings_are_never_told(address):
    assert is_robot(address)
    assert why_not(replace(PERSON, sender=address), PAUL, {}, True)


@pytest.mark.parametrize("address", ["anna@example.org", "anna.smith+shop@example.org", "a1977@example.org", "ö@b.zz"])
def test_people_are_told(address):
    assert not is_robot(address)
    assert why_not(replace(PERSON, sender=address), PAUL, {}, True) == ""


@pytest.mark.parametrize(
    "fields",
    [
        {"auto-submitted": ["auto-replied"]},
        {"auto-submitted": ["AUTO-GENERATED; x"]},
        {"auto-submitted": ["no", "auto-notified"]},
        {"precedence": ["Bulk"]},
        {"precedence": ["list"]},
        {"precedence": ["junk"]},
        {"list-id": ["<x.example.org>"]},
        {"list-unsubscribe": ["<https://example.org>"]},
        {"x-auto-response-suppress": ["All"]},
        {"feedback-id": ["1:2:3"]},
        {"x-loop": ["x"]},
    ],
)
def test_attack_12_what_no_person_wrote_is_never_answered(fields):
    assert why_not(PERSON, PAUL, fields, True)


def test_a_person_says_so():
    assert why_not(PERSON, PAUL, {"auto-submitted": ["no"], "precedence": ["first-class"]}, True) == ""


def test_attack_12_nobody_is_told_for_whom_nobody_vouches():
    assert why_not(replace(PERSON, genuine=False), PAUL, {}, True)
    assert why_not(replace(PERSON, sender=""), PAUL, {}, True)


def test_who_wants_no_word_of_delays_and_who_is_of_ours_gets_none():
    assert why_not(PERSON, replace(PAUL, notify=("NEVER",)), {}, True)
    assert why_not(PERSON, replace(PAUL, notify=("FAILURE",)), {}, True)
    assert why_not(PERSON, replace(PAUL, notify=("FAILURE", "DELAY")), {}, True) == ""
    assert why_not(replace(PERSON, client=Client(ip="192.0.2.1", mailbox="m1")), PAUL, {}, True)


def test_who_did_not_write_to_him_by_name_gets_none():
    assert why_not(PERSON, PAUL, {}, False)
