"""Chains that dkimpy made are judged as dkimpy does, and it finds ours good."""

import dkim as dkimpy
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from emailgency.codec import arc
from emailgency.codec.canonical import BodyHash, Fields
from emailgency.codec.dkim import record

KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
)
MESSAGE = (
    b"From: Paul <paul@far.zz>\r\nTo: anna@mydomain.zz\r\nSubject: hello\r\nDate: Sun, 22 Nov 2026 13:00:00 +0000\r\n"
    b"Message-ID: <1@far.zz>\r\nMIME-Version: 1.0\r\n\r\n.dot\r\nbody  \r\n\r\n"
)
NOW = 1_700_000_000.0


def look_up(name: bytes, timeout: int = 5) -> bytes:
    return record(KEY).encode()


def seal(message: bytes, verdict: str = "none", number: int = 0) -> bytes:
    """By us."""
    header, _, body = message.partition(b"\r\n\r\n")
    whole = BodyHash()
    whole.feed(body)
    return (
        arc.sealed(
            header + b"\r\n",
            whole.digest(),
            f"mx{number}.emailgency.test;\r\n\tspf=pass smtp.mailfrom=paul@far.zz; arc={verdict}",
            verdict,
            domain="mydomain.zz",
            selector="eg1",
            key=KEY,
            at=NOW,
        )
        + message
    )


def seal_by_dkimpy(message: bytes) -> bytes:
    results = b"Authentication-Results: lists.zz; arc=pass; spf=pass smtp.mailfrom=paul@far.zz; dkim=none\r\n"
    if b"ARC-Seal" not in message:
        results = results.replace(b"arc=pass", b"arc=none")
    fields = dkimpy.arc_sign(results + message, b"eg2", b"lists.zz", PEM, b"lists.zz")
    return b"".join(fields) + results + message


def judged(message: bytes) -> str:
    header, _, body = message.partition(b"\r\n\r\n")
    fields = Fields(header + b"\r\n")
    chain = arc.read(fields)
    hashes = {}
    for form in (True, False):
        whole = BodyHash(in_relaxed_form=form)
        whole.feed(body)
        hashes[form] = whole.digest(), whole.length
    return arc.judge(chain, fields, dict.fromkeys(chain.key_names(), record(KEY)), hashes, NOW).result


def by_dkimpy(message: bytes) -> str:
    return (dkimpy.arc_verify(message, dnsfunc=look_up)[0] or b"fail").decode()


def test_another_program_finds_our_seal_good() -> None:
    message = seal(MESSAGE)
    assert by_dkimpy(message) == judged(message) == "pass"
    assert max(map(len, message.split(b"\r\n"))) < 200


def test_a_chain_of_many_stops_is_good_whoever_sealed() -> None:
    message = seal(seal_by_dkimpy(seal(MESSAGE)), "pass", 2)
    assert by_dkimpy(message) == judged(message) == "pass"
    assert arc.read(Fields(message)).length == 3


@pytest.mark.parametrize(
    "change",
    [
        (b"body", b"bodi"),
        (b"Subject: hello", b"Subject: bye"),
        (b"spf=pass", b"spf=fail"),
        (b"cv=none", b"cv=pass"),
        (b"i=2", b"i=3"),
        (b"cv=pass", b"cv=none"),
    ],
)
def test_a_chain_that_was_changed_is_broken(change: tuple[bytes, bytes]) -> None:
    message = seal(seal_by_dkimpy(MESSAGE), "pass")
    changed = message.replace(*change)
    assert changed != message
    assert by_dkimpy(changed) == judged(changed) == "fail"


def test_without_a_chain_there_is_none_and_a_part_of_a_set_is_no_chain() -> None:
    assert judged(MESSAGE) == by_dkimpy(MESSAGE) == "none"
    assert judged(b"ARC-Seal: i=1; cv=none\r\n" + MESSAGE) == "fail"
    assert judged(b"ARC-Seal: nonsense\r\n" + MESSAGE) == "fail"


def test_a_broken_chain_is_sealed_as_broken_once() -> None:
    broken = seal(MESSAGE).replace(b"hello", b"bye")
    message = seal(broken, "fail", 2)
    assert message != broken
    assert arc.read(Fields(message)).failed
    assert judged(message) == by_dkimpy(message) == "fail"
    assert seal(message, "fail", 3) == message


def test_attack_29_a_chain_has_at_most_fifty_sets() -> None:
    sets = b"".join(
        b"ARC-Seal: i=%d; a=rsa-sha256; cv=%s; d=x.zz; s=y; b=YQ==\r\nARC-Message-Signature: i=%d; a=rsa-sha256; "
        b"d=x.zz; s=y; h=from; bh=YQ==; b=YQ==\r\nARC-Authentication-Results: i=%d; x\r\n"
        % (i, b"none" if i == 1 else b"pass", i, i)
        for i in range(1, 52)
    )
    assert arc.read(Fields(sets)).broken
    fifty = sets[: sets.index(b"ARC-Seal: i=51")]
    assert arc.read(Fields(fifty)).length == 50
    assert seal(fifty + MESSAGE, "pass") == fifty + MESSAGE
