"""What Outlook and Apple are told, and what a stranger's question may not do."""

import plistlib
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailgency.codec import autodiscover, mobileconfig
from emailgency.rules.access import access

PORTS = {"imaps": 993, "imap": 143, "submissions": 465, "submission": 587, "pop3s": 995}
ACCESS = access("mydomain.zz", "mydomainzz.emailgency.zz", PORTS)
ASKED = (
    '<?xml version="1.0" encoding="utf-8"?><Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/'
    'outlook/requestschema/2006"><Request><EMailAddress>%s</EMailAddress><AcceptableResponseSchema>'
    f"{autodiscover.OUTLOOK}</AcceptableResponseSchema></Request></Autodiscover>"
)
SPACE = "{" + autodiscover.OUTLOOK + "}"


def test_a_question_is_read() -> None:
    asked = autodiscover.Question("paul@mydomain.zz", autodiscover.OUTLOOK)
    assert autodiscover.question((ASKED % "paul@mydomain.zz").encode()) == asked
    assert (
        autodiscover.question((ASKED % " paul&#64;mydomain.zz\n").replace("utf-8", "utf-16").encode("utf-16")) == asked
    )
    assert autodiscover.question((ASKED % "p&amp;q@mydomain.zz").encode()).address == "p&q@mydomain.zz"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "EMailAddress",
        "<a>",
        "<Autodiscover/>",
        ASKED % "",
        '<!DOCTYPE x [<!ENTITY a "b">]>' + (ASKED % "&a;@x.zz").partition("?>")[2],
        '<!DOCTYPE x SYSTEM "file:///etc/passwd">' + (ASKED % "a@x.zz").partition("?>")[2],
        '<?xml version="1.0" encoding="utf-7"?><a/>',
    ],
)
def test_attack_41_what_declares_entities_or_makes_no_sense_is_no_question(text: str) -> None:
    assert autodiscover.question(text.encode()) is None


def test_attack_41_laughing_entities_are_not_even_begun() -> None:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha"}">' for n in range(12))
    assert autodiscover.question(f"<!DOCTYPE x [{entities}]><x>&l11;</x>".encode()) is None


@given(st.binary(max_size=400))
def test_any_octets_are_a_question_or_none(octets: bytes) -> None:
    autodiscover.question(octets)
    autodiscover.question(b"<EMailAddress>" + octets + b"</EMailAddress>")


def test_depth_and_length_do_no_harm() -> None:
    assert autodiscover.question(b"<a>" * 20_000) is None
    assert len(autodiscover.question((ASKED % ("a" * 60_000)).encode()).address) == 320


def test_outlook_is_told_the_best_door_of_each_protocol() -> None:
    root = ElementTree.fromstring(autodiscover.answer(ACCESS, "paul@mydomain.zz"))
    told = [
        tuple(one.findtext(SPACE + name) for name in ("Type", "Server", "Port", "LoginName", "Encryption"))
        for one in root.iter(f"{SPACE}Protocol")
    ]
    host, name = "mydomainzz.emailgency.zz", "paul@mydomain.zz"
    assert told == [
        ("IMAP", host, "993", name, "SSL"),
        ("POP3", host, "995", name, "SSL"),
        ("SMTP", host, "465", name, "SSL"),
    ]


def test_a_door_that_starts_in_clear_is_told_as_such() -> None:
    octets = autodiscover.answer(access("x.zz", "h.zz", {"imap": 143, "submission": 587}), "a@x.zz")
    assert octets.count(b"<Encryption>TLS</Encryption>") == 2


def test_apple_gets_an_account_without_its_password() -> None:
    whole = plistlib.loads(mobileconfig.profile(ACCESS, "paul@mydomain.zz", "Emailgency"))
    [account] = whole["PayloadContent"]
    assert (account["IncomingMailServerHostName"], account["IncomingMailServerPortNumber"]) == (
        "mydomainzz.emailgency.zz",
        993,
    )
    assert account["OutgoingMailServerPortNumber"] == 465
    assert account["EmailAddress"] == account["IncomingMailServerUsername"] == "paul@mydomain.zz"
    assert not any("Password" in key and isinstance(value, str) for key, value in account.items() if "Auth" not in key)
    assert mobileconfig.profile(ACCESS, "paul@mydomain.zz", "Emailgency") == plistlib.dumps(whole)
    assert not mobileconfig.suits(access("x.zz", "h.zz", {"pop3s": 995, "submissions": 465}))
