"""Senders of forwarded mail become addresses of ours, and find their way back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailgency.codec.address import foreign_domain
from emailgency.codec.srs import DAY, LIFETIME, Srs, is_rewritten

NOW = 20_000 * DAY + 12_345.0
OURS = "mydomainzz.emailgency.example"
srs = Srs(b"a secret of this installation")

LOCAL = st.from_regex(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,30}(\.[A-Za-z0-9=+-]{1,20})?", fullmatch=True)
HOST = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?(\.[a-z]{2,5}){1,3}", fullmatch=True)


@given(LOCAL, HOST, st.integers(0, LIFETIME))
def test_what_comes_back_in_time_is_for_the_sender(local: str, host: str, days: int) -> None:
    rewritten = srs.rewritten(f"{local}@{host}", OURS, NOW)
    assert rewritten.endswith(f"@{OURS}")
    assert is_rewritten(rewritten)
    assert foreign_domain(rewritten) == OURS  # an address other servers can use
    original = srs.original(rewritten, NOW + days * DAY)
    assert original is not None
    assert original.lower() == f"{local}@{host}".lower()


def test_spelling_and_quotes_of_the_sender_survive() -> None:
    for sender in (
        "Paul.Smith@Origin.example",
        '"two words"@origin.example',
        '"a\\"b"@origin.example',
        "ü@origin.example",
    ):
        assert srs.original(srs.rewritten(sender, OURS, NOW), NOW) == sender


def test_letters_folded_on_the_way_do_not_matter() -> None:
    rewritten = srs.rewritten("Paul@Origin.example", OURS, NOW)
    assert srs.original(rewritten.lower(), NOW) == "paul@origin.example"
    assert srs.original(rewritten.upper(), NOW) == "PAUL@ORIGIN.EXAMPLE"


def test_an_old_address_is_nobodys() -> None:
    rewritten = srs.rewritten("paul@origin.example", OURS, NOW)
    assert srs.original(rewritten, NOW + (LIFETIME + 1) * DAY) is None
    assert srs.original(rewritten, NOW - DAY) is None  # nor one from the future


def test_attack_43_nobody_but_us_can_write_one() -> None:
    rewritten = srs.rewritten("paul@origin.example", OURS, NOW)
    assert Srs(b"another secret").original(rewritten, NOW) is None
    assert srs.original(rewritten.replace("paul", "mary"), NOW) is None
    assert srs.original(rewritten.replace("origin", "victim"), NOW) is None
    assert srs.original(f"SRS0=aaaaaaaa=aa=victim.example=mary@{OURS}", NOW) is None
    assert srs.original(f"SRS1=aaaaaaaa=victim.example==aaaa=aa=x=mary@{OURS}", NOW) is None


@pytest.mark.parametrize(
    "sender",
    ["SRS0=Xyz1=4Q=origin.example=paul@first.example", "SRS0+Xyz1=4Q=origin.example=paul@first.example"],
)
def test_mail_forwarded_before_goes_back_to_its_first_forwarder(sender: str) -> None:
    once = srs.rewritten(sender, OURS, NOW)
    assert once.startswith("SRS1=")
    assert srs.original(once, NOW) == sender
    second = Srs(b"the next forwarder's")
    twice = second.rewritten(once, "second.example", NOW)
    assert second.original(twice, NOW) == sender
    assert len(twice) <= len(once) + len("second.example")


@pytest.mark.parametrize("sender", ["paul@[192.0.2.1]", "paul@[IPv6:2001:db8::1]"])
def test_a_sender_at_an_address_literal_stays_as_it_is(sender: str) -> None:
    assert srs.rewritten(sender, OURS, NOW) == sender


@pytest.mark.parametrize(
    "address", ["paul@x.example", "SRS0@x.example", "SRS0===@x", "SRS1==@x", "srs0=aaaaaaaa=zz==@x", '"']
)
def test_other_addresses_are_not_taken_for_one(address: str) -> None:
    assert srs.original(address, NOW) is None


@given(st.text(max_size=200))
def test_any_text_is_answered(text: str) -> None:
    assert srs.original(f"SRS0={text}@x", NOW) is None
    assert srs.original(f"SRS1={text}@x", NOW) is None
