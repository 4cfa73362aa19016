"""DKIM signatures of what leaves us in our own or our users' name (RFC 6376), relaxed canonicalisation of both parts.

A signature names what it covers: each field that says who speaks, to whom and what the body is, and From once more
than it stands there, so that no second one can be put in (RFC 6376 section 8.15, attack row 43).
"""

import re
from base64 import b64encode
from collections.abc import Iterable
from typing import TYPE_CHECKING

from emailgency.codec.canonical import Fields, relaxed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

# RFC 6376 section 5.4.1, as far as a message of ours has them; these stay as they are on the way
SIGNED = (
    b"from reply-to subject date to cc message-id in-reply-to references resent-date resent-from resent-to resent-cc "
    b"sender mime-version content-type content-transfer-encoding content-disposition auto-submitted list-unsubscribe"
).split()
ONCE_MORE = (b"from", b"subject", b"date", b"to")
_WIDTH = 72  # octets of base64 a line


def signature(
    header: bytes, body: bytes, *, domain: str, selector: str, key: "RSAPrivateKey", at: float, local: str = ""
) -> bytes:
    """The field DKIM-Signature with its CRLF, to stand before `header`.

    `header`: the fields with their CRLFs; `body`: digest of a `canonical.BodyHash`; `at`: seconds since the epoch;
    `local`: the part before the @ that signs for itself (i=), "" for the whole domain.
    """
    fields = Fields(header)
    names = (*named(fields, SIGNED), *ONCE_MORE)
    identity = f"i={local}@{domain}; " if local else ""
    tags = (
        f"v=1; a=rsa-sha256; c=relaxed/relaxed; d={domain}; s={selector};\r\n\t{identity}t={int(at)};\r\n"
        f"{over(names, body)}"
    )
    return signed("DKIM-Signature", tags, fields.covered(names, in_relaxed_form=True), key)


def named(fields: Fields, wanted: Iterable[bytes]) -> tuple[bytes, ...]:
    """Each of the wanted names as often as it is there."""
    return tuple(name for name in wanted for _ in fields.named(name))


def over(names: Iterable[bytes], body: bytes) -> str:
    """The tags that say what is signed."""
    return f"\th={_folded([name.decode('ascii') for name in names])};\r\n\tbh={b64encode(body).decode('ascii')};\r\n"


def signed(name: str, tags: str, covered: bytes, key: "RSAPrivateKey") -> bytes:
    """The field with its CRLF: `tags`, and a signature over what is covered and itself."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    unsigned = f"{tags}\tb=".encode()
    octets = covered + relaxed(name.lower().encode(), b" " + unsigned)[:-2]
    value = b64encode(key.sign(octets, padding.PKCS1v15(), hashes.SHA256()))
    lines = b"\r\n\t ".join(value[at : at + _WIDTH] for at in range(0, len(value), _WIDTH))
    return name.encode() + b": " + unsigned + lines + b"\r\n"


def record(key: "RSAPrivateKey") -> str:
    """What stands in the DNS at `<selector>._domainkey.<domain>` (RFC 6376 section 3.6.1)."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k=rsa; p={b64encode(public).decode('ascii')}"


def announces(text: str, ours: str) -> bool:
    """Whether a TXT record found in the DNS has the public key of `ours`."""
    return _public_key(text) == _public_key(ours) != ""


def _public_key(text: str) -> str:
    tags = dict(tag.strip().partition("=")[::2] for tag in text.split(";"))
    return re.sub(r"\s", "", tags.get("p", ""))


def _folded(names: list[str]) -> str:
    lines = [""]
    for name in names:
        if len(lines[-1]) + len(name) > _WIDTH:
            lines.append("")
        lines[-1] += f"{name}:"
    return "\r\n\t ".join(lines).rstrip(":")
