"""Codes of a phone, by the vectors of the RFCs."""

from base64 import b32decode
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailgency.rules import one_time_codes as codes

SECRET = b"12345678901234567890"
SECRETS = {"sha1": SECRET, "sha256": (SECRET * 2)[:32], "sha512": (SECRET * 4)[:64]}
# RFC 4226 appendix D
HOTP = ("755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489")
# RFC 6238 appendix B, with the secrets of its errata
TOTP = (
    (59, "94287082", "46119246", "90693936"),
    (1111111109, "07081804", "68084774", "25091201"),
    (1111111111, "14050471", "67062674", "99943326"),
    (1234567890, "89005924", "91819424", "93441116"),
    (2000000000, "69279037", "90698825", "38618901"),
    (20000000000, "65353130", "77737706", "47863826"),
)


def test_rfc_4226_appendix_d() -> None:
    assert tuple(codes.hotp(SECRET, counter) for counter in range(10)) == HOTP


@pytest.mark.parametrize(("now", "sha1", "sha256", "sha512"), TOTP)
def test_rfc_6238_appendix_b(now: int, sha1: str, sha256: str, sha512: str) -> None:
    expected = {"sha1": sha1, "sha256": sha256, "sha512": sha512}
    found = {name: codes.hotp(SECRETS[name], codes.step_at(now), 8, name) for name in SECRETS}
    assert found == expected


def test_a_clock_may_be_one_step_off_and_no_more() -> None:
    now = 1_800_000_000.0  # the beginning of a step
    here = codes.step_at(now)
    for off in (-1, 0, 1):
        assert codes.step_of(SECRET, codes.hotp(SECRET, here + off), now) == here + off
        assert codes.step_of(SECRET, codes.hotp(SECRET, here + off), now + 29.9) == here + off
    for off in (-2, 2):
        assert codes.step_of(SECRET, codes.hotp(SECRET, here + off), now) is None
    assert codes.step_of(SECRET, codes.hotp(SECRET, here), now + 60) is None


@given(st.text(max_size=12))
def test_whatever_is_typed_is_a_code_or_none(text: str) -> None:
    now = 1_800_000_000.0
    step = codes.step_of(SECRET, text, now)
    assert step is None or codes.hotp(SECRET, step) == text


def test_the_picture_holds_what_the_text_says() -> None:
    parts = urlsplit(codes.uri(SECRET, "Emailgency", "paul+é@mydomain.zz"))
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert parts.path == "/Emailgency:paul%2B%C3%A9@mydomain.zz"
    fields = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert fields == {"secret": fields["secret"], "issuer": "Emailgency", "digits": "6", "period": "30"}
    assert b32decode(fields["secret"]) == SECRET
    assert codes.spelled(SECRET).replace(" ", "") == fields["secret"]
