"""DKIM signatures of what leaves us in our own or our users' name (RFC 6376), relaxed canonicalisation of both parts.

A signature names what it covers: each field that says who speaks, to whom and what the body is, and From once more
than it stands there, so that no second one can be put in (RFC 6376 section 8.15, attack row 43).
"""

import re
from base64 import b64encode
from collections import defaultdict
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

# RFC 6376 section 5.4.1, as far as a message of ours has them; these stay as they are on the way
SIGNED = (
    b"from reply-to subject date to cc message-id in-reply-to references resent-date resent-from resent-to resent-cc "
    b"sender mime-version content-type content-transfer-encoding content-disposition auto-submitted list-unsubscribe"
).split()
ONCE_MORE = (b"from", b"subject", b"date", b"to")
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:((?:[^\r\n]*(?:\r\n[ \t][^\r\n]*)*))(?:\r\n|\Z)")
_BLANKS = re.compile(rb"[ \t]+")
_BLANKS_AT_THE_END = re.compile(rb"[ \t]+\r\n")
_LINE_ENDS_BACKWARDS = re.compile(rb"(?:\n\r)*")
_WIDTH = 72  # octets of base64 a line


class BodyHash:
    """SHA-256 of a body in relaxed form (RFC 6376 section 3.4.4), however it is cut into pieces."""

    def __init__(self) -> None:
        self._hash = sha256()
        self._rest: list[bytes] = []  # the last line, as long as it has no end
        self._empty = 0  # empty lines that count only when something follows

    def feed(self, octets: bytes) -> None:
        if not octets:
            return
        border = self._rest[-1][-1:] if self._rest else b""
        self._rest.append(octets)
        if b"\r\n" in border + octets:
            whole = b"".join(self._rest)
            end = whole.rfind(b"\r\n") + 2
            self._lines(whole[:end])
            self._rest = [whole[end:]] if end < len(whole) else []

    def digest(self) -> bytes:
        """32 octets; afterwards nothing more is fed."""
        if self._rest:
            self._lines(b"".join(self._rest) + b"\r\n")
            self._rest = []
        return self._hash.digest()

    def _lines(self, lines: bytes) -> None:
        lines = _BLANKS_AT_THE_END.sub(b"\r\n", _BLANKS.sub(b" ", lines))
        ends = _LINE_ENDS_BACKWARDS.match(lines[::-1])
        assert ends is not None
        spoken = lines[: len(lines) - len(ends[0])]
        if not spoken:
            self._empty += len(lines) // 2
            return
        self._hash.update(b"\r\n" * self._empty + spoken + b"\r\n")
        self._empty = len(ends[0]) // 2 - 1


def signature(
    header: bytes, body: bytes, *, domain: str, selector: str, key: "RSAPrivateKey", at: float, local: str = ""
) -> bytes:
    """The field DKIM-Signature with its CRLF, to stand before `header`.

    `header`: the fields with their CRLFs; `body`: digest of a `BodyHash`; `at`: seconds since the epoch; `local`: the
    part before the @ that signs for itself (i=), "" for the whole domain.
    """
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    fields = _fields(header)
    names = _signed_names(fields)
    identity = f"i={local}@{domain}; " if local else ""
    unsigned = (
        f"v=1; a=rsa-sha256; c=relaxed/relaxed; d={domain}; s={selector};\r\n\t{identity}t={int(at)};\r\n"
        f"\th={_folded([name.decode('ascii') for name in names])};\r\n"
        f"\tbh={b64encode(body).decode('ascii')};\r\n\tb="
    ).encode()
    covered = b"".join(_take(fields, name) for name in names) + _relaxed(b"dkim-signature", b" " + unsigned)[:-2]
    signed = b64encode(key.sign(covered, padding.PKCS1v15(), hashes.SHA256()))
    lines = b"\r\n\t ".join(signed[at : at + _WIDTH] for at in range(0, len(signed), _WIDTH))
    return b"DKIM-Signature: " + unsigned + lines + b"\r\n"


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


def _fields(header: bytes) -> dict[bytes, list[bytes]]:
    """Relaxed fields by lower-case name, from the top."""
    found: dict[bytes, list[bytes]] = defaultdict(list)
    for match in _FIELD.finditer(header):
        name = match[1].lower()
        found[name].append(_relaxed(name, match[2]))
    return found


def _signed_names(fields: dict[bytes, list[bytes]]) -> list[bytes]:
    names = [name for name in SIGNED for _ in fields.get(name, ())]
    return [*names, *ONCE_MORE]


def _take(fields: dict[bytes, list[bytes]], name: bytes) -> bytes:
    """The lowest of the fields of that name that is not yet taken (RFC 6376 section 5.4.2), or nothing."""
    return fields[name].pop() if fields.get(name) else b""


def _relaxed(name: bytes, value: bytes) -> bytes:
    """RFC 6376 section 3.4.2."""
    return name + b":" + _BLANKS.sub(b" ", value.replace(b"\r\n", b"")).strip(b" \t") + b"\r\n"


def _folded(names: list[str]) -> str:
    lines = [""]
    for name in names:
        if len(lines[-1]) + len(name) > _WIDTH:
            lines.append("")
        lines[-1] += f"{name}:"
    return "\r\n\t ".join(lines).rstrip(":")
