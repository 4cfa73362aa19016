"""Signatures that others have made, read and judged: DKIM-Signature, ARC-Message-Signature, ARC-Seal (RFC 6376, 8617).

Everything is bounded: the length of a field and of a key's record, and what a key may cost (RFC 8301 section 3.2). A
signature over a part of the body only (l=) vouches for nothing: whoever likes may go on behind it (RFC 6376 section
8.2). Reading needs no key, so that keys can be asked for while the body comes.
"""

import re
from base64 import b64decode
from binascii import Error as NotBase64
from typing import TYPE_CHECKING

from msgspec import Struct

from emailgency.codec import tag_list
from emailgency.codec.canonical import Field, Fields, relaxed
from emailgency.codec.tag_list import Malformed, solid
from emailgency.model.authentication import FAIL, PASS, PERMERROR, POLICY

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

SHORTEST_KEY, LONGEST_KEY = 1024, 4096  # bits, RFC 8301 section 3.2
EXPONENT_BITS = 33  # 65537 and its smaller kin; one as long as the modulus makes a check as dear as a signature
RECORD = 4096  # characters of a key's record that are read
NAMES = 500  # fields that one signature may name
SIGNATURE_OF = re.compile(rb"(\A|;)([ \t\r\n]*b[ \t\r\n]*=)[^;]*")
_DOMAIN = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)*\Z"
)
_FORMS = {"simple": False, "relaxed": True}


class Judgement(Struct, frozen=True):
    """`result` is a word of RFC 8601 section 2.7.1."""

    result: str
    reason: str = ""


class Refused(Exception):
    """This signature or key is not even tried."""

    def __init__(self, result: str, reason: str) -> None:
        super().__init__(reason)
        self.judgement = Judgement(result, reason)


class Signature(Struct, frozen=True, eq=False):
    """One field. `names` and `body` are empty for an ARC-Seal."""

    field: Field
    domain: str
    selector: str
    algorithm: str  # "rsa" or "ed25519", with SHA-256
    value: bytes
    identity: str = ""  # domain of i=, the user or machine that signs
    names: tuple[bytes, ...] = ()
    relaxed_header: bool = True
    relaxed_body: bool = True
    body: bytes = b""
    length: int | None = None  # l=
    expires: int | None = None

    @property
    def key_name(self) -> str:
        """Where its key is in the DNS."""
        return f"{self.selector}._domainkey.{self.domain}"


def dkim(field: Field) -> Signature:
    """A DKIM-Signature. Raises Refused."""
    tags = _tags(field)
    if tags.get("v") != "1":
        raise Refused(PERMERROR, "unknown version")
    if "dns/txt" not in tags.get("q", "dns/txt").split(":"):
        raise Refused(PERMERROR, "unknown way to the key")
    signature = _over_message(field, tags)
    if b"from" not in signature.names:
        raise Refused(PERMERROR, "From is not signed")
    identity = tags.get("i", "@").rpartition("@")[2].lower() or signature.domain
    if identity != signature.domain and not identity.endswith("." + signature.domain):
        raise Refused(PERMERROR, "i= is outside of d=")
    return _with_identity(signature, identity)


def arc_message(field: Field) -> Signature:
    """An ARC-Message-Signature (RFC 8617 section 4.1.2). Raises Refused."""
    signature = _over_message(field, _tags(field))
    if b"arc-seal" in signature.names:
        raise Refused(PERMERROR, "ARC-Seal is signed")
    return signature


def arc_seal(field: Field) -> Signature:
    """An ARC-Seal (RFC 8617 section 4.1.3). Raises Refused."""
    tags = _tags(field)
    if "h" in tags:
        raise Refused(PERMERROR, "a seal has no h=")
    return _common(field, tags)


def _tags(field: Field) -> dict[str, str]:
    try:
        return tag_list.parse(field.value.decode("ascii"))
    except Malformed as error:
        raise Refused(PERMERROR, str(error)) from None
    except UnicodeDecodeError:
        raise Refused(PERMERROR, "not ASCII") from None


def _common(field: Field, tags: dict[str, str]) -> Signature:
    if missing := [tag for tag in ("a", "b", "d", "s") if not tags.get(tag)]:
        raise Refused(PERMERROR, f"no {missing[0]}=")
    algorithm, _, digest = tags["a"].lower().partition("-")
    if tags["a"].lower() == "rsa-sha1":
        raise Refused(POLICY, "SHA-1 proves nothing")  # RFC 8301 section 3.1
    if algorithm not in ("rsa", "ed25519") or digest != "sha256":
        raise Refused(PERMERROR, "unknown algorithm")
    domain, selector = tags["d"].lower().rstrip("."), tags["s"].lower()
    if not _DOMAIN.match(domain) or not _DOMAIN.match(selector):
        raise Refused(PERMERROR, "d= or s= is no name")
    return Signature(field, domain, selector, algorithm, _base64(tags["b"]), expires=_number(tags, "x"))


def _over_message(field: Field, tags: dict[str, str]) -> Signature:
    common = _common(field, tags)
    header, _, body = tags.get("c", "simple/simple").lower().partition("/")
    body = body or "simple"
    if header not in _FORMS or body not in _FORMS:
        raise Refused(PERMERROR, "unknown form")
    names = tuple(name.strip().lower().encode() for name in tags.get("h", "").split(":"))
    if names == (b"",) or len(names) > NAMES:
        raise Refused(PERMERROR, "no fields, or too many, are named")
    if not tags.get("bh"):
        raise Refused(PERMERROR, "no bh=")
    return Signature(
        field=field,
        domain=common.domain,
        selector=common.selector,
        algorithm=common.algorithm,
        value=common.value,
        names=names,
        relaxed_header=_FORMS[header],
        relaxed_body=_FORMS[body],
        body=_base64(tags["bh"]),
        length=_number(tags, "l"),
        expires=common.expires,
    )


def _with_identity(signature: Signature, identity: str) -> Signature:
    from msgspec.structs import replace

    return replace(signature, identity=identity)


def _base64(text: str) -> bytes:
    try:
        return b64decode(solid(text), validate=True)
    except (NotBase64, ValueError):
        raise Refused(PERMERROR, "not base64") from None


def _number(tags: dict[str, str], name: str) -> int | None:
    text = tags.get(name)
    if text is None:
        return None
    if not (
        (text.isascii() and text.isdigit() and len(text) <= 12) or (name == "l" and text.isdigit() and len(text) <= 76)
    ):
        raise Refused(PERMERROR, f"{name}= is no number")
    return int(text)


# ---- the key ---------------------------------------------------------------------------------------------------


def key(record: str, signature: Signature) -> "RSAPublicKey | Ed25519PublicKey":
    """The public key that a record in the DNS holds (RFC 6376 section 3.6.1). Raises Refused."""
    if len(record) > RECORD:
        raise Refused(PERMERROR, "the key's record is too long")
    try:
        tags = tag_list.parse(record)
    except Malformed as error:
        raise Refused(PERMERROR, f"the key's record: {error}") from None
    if tags.get("v", "DKIM1") != "DKIM1":
        raise Refused(PERMERROR, "the key's record has an unknown version")
    if tags.get("k", "rsa").lower() != signature.algorithm:
        raise Refused(PERMERROR, "the key is of another algorithm")
    if "h" in tags and "sha256" not in solid(tags["h"]).lower().split(":"):
        raise Refused(PERMERROR, "the key is not for SHA-256")
    if not {"*", "email"} & set(solid(tags.get("s", "*")).lower().split(":")):
        raise Refused(PERMERROR, "the key is not for mail")
    if "s" in solid(tags.get("t", "")).split(":") and signature.identity not in ("", signature.domain):
        raise Refused(PERMERROR, "the key is not for subdomains")
    if not (text := tags.get("p")):
        raise Refused(PERMERROR, "the key was revoked" if "p" in tags else "the record has no key")
    return _public_key(_base64(text), signature.algorithm)


def _public_key(octets: bytes, algorithm: str) -> "RSAPublicKey | Ed25519PublicKey":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        if algorithm == "ed25519":
            return Ed25519PublicKey.from_public_bytes(octets)  # RFC 8463 section 4
        found = load_der_public_key(octets)  # SubjectPublicKeyInfo, or the bare key that RFC 6376's ABNF has
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Refused(PERMERROR, "the key cannot be read") from None
    if not isinstance(found, RSAPublicKey):
        raise Refused(PERMERROR, "the key is of another algorithm")
    if not SHORTEST_KEY <= found.key_size <= LONGEST_KEY:
        raise Refused(POLICY, f"a key of {found.key_size} bits")
    if found.public_numbers().e.bit_length() > EXPONENT_BITS:
        raise Refused(POLICY, "the key's exponent is too long")
    return found


# ---- judging -----------------------------------------------------------------------------------------------------


def judge(signature: Signature, record: str, fields: Fields, body: tuple[bytes, int], now: float) -> Judgement:
    """A signature over header and body. `body`: digest and length of the body in the signature's form."""
    try:
        public = key(record, signature)
    except Refused as error:
        return error.judgement
    if signature.expires is not None and signature.expires < now:
        return Judgement(FAIL, "expired")
    digest, length = body
    if signature.length is not None and signature.length != length:
        if signature.length > length:
            return Judgement(FAIL, "the body is shorter than what was signed")
        return Judgement(POLICY, "a part of the body is not signed")
    if digest != signature.body:
        return Judgement(FAIL, "the body was changed")
    signed = fields.covered(signature.names, in_relaxed_form=signature.relaxed_header)
    return verify(public, signature, signed + unsigned(signature.field, in_relaxed_form=signature.relaxed_header))


def verify(public: "RSAPublicKey | Ed25519PublicKey", signature: Signature, octets: bytes) -> Judgement:
    """Whether the signature is good for these octets."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    try:
        if isinstance(public, RSAPublicKey):
            public.verify(signature.value, octets, padding.PKCS1v15(), hashes.SHA256())
        else:
            digest = hashes.Hash(hashes.SHA256())
            digest.update(octets)
            public.verify(signature.value, digest.finalize())
    except InvalidSignature:
        return Judgement(FAIL, "the header was changed, or another key has signed")
    return Judgement(PASS)


def unsigned(field: Field, *, in_relaxed_form: bool) -> bytes:
    """The signature's own field as it was signed: without its value and without the last CRLF."""
    if in_relaxed_form:
        return relaxed(field.name, SIGNATURE_OF.sub(rb"\1\2", field.value, count=1))[:-2]
    colon = field.raw.index(b":") + 1
    return field.raw[:colon] + SIGNATURE_OF.sub(rb"\1\2", field.value, count=1)
