"""What others have signed is judged as dkimpy judges it, and what a stranger sends costs no more than it may."""

import time
from base64 import b64encode
from hashlib import sha256

import dkim as dkimpy
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from emailgency.codec import signature
from emailgency.codec.canonical import BodyHash, Fields
from emailgency.codec.dkim import record
from emailgency.codec.signature import Refused

KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
)
RECORD = record(KEY)
HEADER = (
    b"From: Paul <paul@far.zz>\r\nTo: anna@mydomain.zz,\r\n\tbert@mydomain.zz\r\nSubject:   many   blanks \r\n"
    b"Subject: twice\r\nDate: Sun, 22 Nov 2026 13:00:00 +0000\r\nX-Other: odd\r\n"
)
BODIES = [
    b"",
    b"\r\n",
    b"\r\n\r\n",
    b"text\r\n",
    b"text",
    b"a  \t b \t\r\n\r\n \r\n\r\n",
    b" \r\n",
    b"\t\t\t a\r\n\r\nb\r\n",
]
NOW = 1_700_000_000.0


def judged(message: bytes, record: str = RECORD, now: float = NOW) -> tuple[str, str]:
    header, _, body = message.partition(b"\r\n\r\n")
    fields = Fields(header + b"\r\n")
    try:
        one = signature.dkim(fields.named(b"dkim-signature")[0])
    except Refused as error:
        return error.judgement.result, error.judgement.reason
    whole = BodyHash(in_relaxed_form=one.relaxed_body)
    whole.feed(body)
    judgement = signature.judge(one, record, fields, (whole.digest(), whole.length), now)
    return judgement.result, judgement.reason


def signed(body: bytes = b"text\r\n", forms: tuple[bytes, bytes] = (b"relaxed", b"simple"), **more: object) -> bytes:
    message = HEADER + b"\r\n" + body
    return dkimpy.sign(message, b"eg1", b"far.zz", PEM, canonicalize=forms, **more) + message


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("header_form", [b"simple", b"relaxed"])
@pytest.mark.parametrize("body_form", [b"simple", b"relaxed"])
def test_what_dkimpy_signs_is_good(body: bytes, header_form: bytes, body_form: bytes) -> None:
    message = signed(body, (header_form, body_form))
    assert judged(message) == ("pass", "")
    assert judged(message.replace(b"Subject: twice", b"Subject: thrice"))[0] == "fail"
    assert judged(message + b"more\r\n") == ("fail", "the body was changed")


def test_ed25519_is_good() -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    message = HEADER + b"\r\ntext\r\n"
    unsigned = b"v=1; a=ed25519-sha256; c=relaxed/relaxed; d=far.zz; s=ed; h=from:subject:to; bh=%s; b="
    body = BodyHash()
    body.feed(b"text\r\n")
    field = b"DKIM-Signature: " + unsigned % b64encode(body.digest())
    fields = Fields(field + b"\r\n" + HEADER)
    covered = fields.covered((b"from", b"subject", b"to"), in_relaxed_form=True)
    own = signature.unsigned(fields.all[0], in_relaxed_form=True)
    value = b64encode(private.sign(sha256(covered + own).digest()))
    assert judged(field + value + b"\r\n" + message, f"v=DKIM1; k=ed25519; p={b64encode(public).decode()}")[0] == "pass"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ((b"a=rsa-sha256", b"a=rsa-sha1"), ("policy", "SHA-1 proves nothing")),
        ((b"v=1", b"v=2"), ("permerror", "unknown version")),
        ((b"d=far.zz", b"d=far_\xff.zz"), ("permerror", "not ASCII")),
        ((b"s=eg1", b"s=a..b"), ("permerror", "d= or s= is no name")),
        ((b"bh=", b"bh=!"), ("permerror", "not base64")),
        ((b"v=1;", b"v=1; v=1;"), ("permerror", "tag v stands there twice")),
        ((b"i=@far.zz", b"i=@other.zz"), ("permerror", "i= is outside of d=")),
        ((b"v=1;", b"v=1; l=-1;"), ("permerror", "l= is no number")),
        ((b"v=1;", b"v=1; x=1;"), ("fail", "expired")),
    ],
)
def test_what_is_wrong_with_a_signature_is_told(change: tuple[bytes, bytes], expected: tuple[str, str]) -> None:
    assert judged(signed().replace(*change, 1)) == expected


def test_a_signature_that_leaves_out_from_is_not_tried() -> None:
    message = signed().replace(b"h=from", b"h=to").replace(b" : from;", b" : to;")
    assert judged(message) == ("permerror", "From is not signed")


@pytest.mark.parametrize(
    ("record", "result"),
    [
        ("v=DKIM1; p=", "permerror"),
        ("v=DKIM2; p=abc", "permerror"),
        ("k=rsa; p=!!!", "permerror"),
        ("nonsense", "permerror"),
        (RECORD + "; s=tlsrpt", "permerror"),
        (RECORD + "; h=sha1", "permerror"),
        (RECORD + "; n=" + "x" * 5000, "permerror"),
        (RECORD + "; t=s:y", "pass"),
        (RECORD.replace("k=rsa", "k=ed25519"), "permerror"),
    ],
)
def test_a_key_that_is_not_for_this_is_not_used(record: str, result: str) -> None:
    assert judged(signed(), record)[0] == result


def test_attack_43_what_stands_behind_the_signed_part_of_a_body_is_vouched_for_by_nobody() -> None:
    message = signed(length=True)
    assert judged(message) == ("pass", "")
    assert judged(message + b"<h1>pay here</h1>\r\n") == ("policy", "a part of the body is not signed")
    assert judged(message.replace(b"l=6", b"l=7")) == ("fail", "the body is shorter than what was signed")
    assert judged(message.replace(b"l=6", b"l=0"))[0] == "policy"


def test_attack_43_keys_that_prove_nothing_or_cost_too_much_are_not_used() -> None:
    short = rsa.generate_private_key(65537, 1024)
    assert judged(signed(), record(short))[0] == "fail"
    numbers = KEY.public_key().public_numbers()
    dear = rsa.RSAPublicNumbers((1 << 64) + 13, numbers.n).public_key()
    der = dear.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert judged(signed(), f"p={b64encode(der).decode()}") == ("policy", "the key's exponent is too long")
    long = rsa.RSAPublicNumbers(65537, (1 << 8191) + 1).public_key()
    der = long.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert judged(signed(), f"p={b64encode(der).decode()}") == ("policy", "a key of 8192 bits")


def _cost(message: bytes) -> float:
    started = time.process_time()
    judged(message)
    return time.process_time() - started


@pytest.mark.parametrize(
    "hostile",
    [
        lambda n: b"DKIM-Signature: " + b"v=1;" * n + b"\r\n" + HEADER + b"\r\n",
        lambda n: b"DKIM-Signature: v=1; b=" + b" \t" * n + b"\r\n" + HEADER + b"\r\n",
        lambda n: signed().replace(b"h=from", b"h=from" + b":from" * n, 1),
        lambda n: b"X: y\r\n" * n + signed(),
        lambda n: signed(b"\t " * n),
        lambda n: signed(b"a\t" * n + b"\r\n", (b"relaxed", b"relaxed")),
        lambda n: signed(b"\r\n" * n),
        lambda n: b"DKIM-Signature: " + b";\r\n b\r\n " * n + b"=\r\n" + HEADER + b"\r\n",
    ],
)
def test_attack_29_hostile_signatures_cost_in_proportion_to_their_length(hostile) -> None:
    small, large = hostile(2_000), hostile(16_000)
    few = min(_cost(small) for _ in range(3))
    many = min(_cost(large) for _ in range(3))
    assert many < 0.05 + 20 * few
