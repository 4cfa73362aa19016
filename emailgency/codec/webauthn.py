"""Passkeys as browsers speak of them (WebAuthn level 2): what we ask for, and what an answer proves.

An answer is checked by py_webauthn, whose import takes 0.1 s of CPU: `registered` and `asserted` belong into a thread.
A key is made for one host name (its RP ID) and says so under its signature; the browser says under the same signature
which page asked (the origin) and which challenge it answers.
"""

import ipaddress
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec
from msgspec import Struct

from emailgency.model.errors import Invalid

R = TypeVar("R")
TIMEOUT = 300  # seconds that the browser lets its user take
LONGEST = 16_384  # characters of an answer: one with RSA keys and an attestation takes 3,000
_CREDENTIAL = 1023  # octets, section 5.8.3
_HANDLE = 64  # octets, section 5.4.3
_KEY = 1024  # octets of a public key: one of RSA with 4,096 bits takes 530
_ALGORITHMS = (-7, -8, -257)  # ES256, EdDSA (RFC 9053), RS256 (RFC 8812): what authenticators make


class Asking(Struct, frozen=True):
    """What an answer must be to."""

    host: str
    origins: tuple[str, ...]  # of pages of ours at that host
    challenge: bytes


class Registered(Struct, frozen=True):
    """A key that has just been made."""

    credential: str  # its id, in base64url
    key: str  # the public key in COSE form, in base64url
    counter: int


class Claimed(Struct, frozen=True):
    """Who an answer says it comes from; nothing of it is proven yet."""

    credential: str
    handle: bytes


def may_host(host: str) -> bool:
    """Whether keys can be made for it: browsers take names only (section 5.1.3)."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return True
    return False


def creation_options(asking: Asking, *, service: str, handle: bytes, user: str, present: Sequence[str] = ()) -> bytes:
    """JSON of PublicKeyCredentialCreationOptions: octets are base64url. `present`: credentials the account has here."""
    return msgspec.json.encode(
        {
            "rp": {"id": asking.host, "name": service},
            "user": {"id": text(handle), "name": user, "displayName": user},
            "challenge": text(asking.challenge),
            "pubKeyCredParams": [{"type": "public-key", "alg": algorithm} for algorithm in _ALGORITHMS],
            "timeout": TIMEOUT * 1000,
            "excludeCredentials": [{"type": "public-key", "id": one} for one in present],
            # kept by the authenticator with the handle, so that a login needs no address; both factors in one
            "authenticatorSelection": {
                "residentKey": "required",
                "requireResidentKey": True,
                "userVerification": "required",
            },
            "attestation": "none",  # we trust a key because its owner has just logged in, not for its maker
        }
    )


def request_options(asking: Asking) -> bytes:
    """JSON of PublicKeyCredentialRequestOptions, for whichever key of ours the user has."""
    return msgspec.json.encode(
        {
            "rpId": asking.host,
            "challenge": text(asking.challenge),
            "timeout": TIMEOUT * 1000,
            "userVerification": "required",
        }
    )


def registered(answer: str, asking: Asking) -> Registered:
    """Section 7.1. Raises Invalid."""
    return _checked(_registered, answer, asking)


def claimed(answer: str) -> Claimed:
    """Of an assertion. Raises Invalid."""
    try:
        found = msgspec.json.decode(answer[:LONGEST], type=_Assertion)
        claimed = Claimed(text(octets(found.raw_id)), octets(found.response.user_handle))
        if len(claimed.handle) > _HANDLE or len(claimed.credential) > 2 * _CREDENTIAL:
            raise ValueError("longer than any of ours")
        return claimed
    except ValueError as error:
        raise Invalid("What the browser answered about the passkey cannot be used. Try again.") from error


def asserted(answer: str, asking: Asking, key: str) -> int:
    """Section 7.2, but for the counter: that which the authenticator tells, 0 if it keeps none. Raises Invalid."""
    return _checked(_asserted, answer, asking, key)


def text(data: bytes) -> str:
    """base64url without padding, as everything of this kind is written in JSON."""
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def octets(data: str) -> bytes:
    """Raises ValueError."""
    return urlsafe_b64decode(data.encode("ascii") + b"=" * (-len(data) % 4))


class _AssertionResponse(Struct, rename="camel"):
    user_handle: str


class _Assertion(Struct, rename="camel"):
    raw_id: str
    response: _AssertionResponse


def _checked(check: Callable[..., R], answer: str, *facts: object) -> R:
    try:
        if len(answer) > LONGEST:
            raise ValueError("too long")
        return check(answer, *facts)
    except Exception as error:  # strangers' octets: KeyError, TypeError and others come out of that library, too
        raise Invalid("What the browser answered about the passkey cannot be used. Try again.") from error


def _registered(answer: str, asking: Asking) -> Registered:
    from webauthn import verify_registration_response
    from webauthn.helpers import parse_attestation_object, parse_registration_credential_json
    from webauthn.helpers.cose import COSEAlgorithmIdentifier

    credential = parse_registration_credential_json(answer)
    _same_page(credential.response.client_data_json)
    # Any other form of attestation was not asked for: what its certificates hold is not even read
    if parse_attestation_object(credential.response.attestation_object).fmt not in ("none", "packed"):
        raise ValueError("an attestation that was not asked for")
    found = verify_registration_response(
        credential=credential,
        expected_challenge=asking.challenge,
        expected_rp_id=asking.host,
        expected_origin=list(asking.origins),
        require_user_verification=True,
        supported_pub_key_algs=[COSEAlgorithmIdentifier(algorithm) for algorithm in _ALGORITHMS],
    )
    if found.credential_id != credential.raw_id:
        raise ValueError("the answer names another credential than the authenticator")
    if len(found.credential_id) > _CREDENTIAL or len(found.credential_public_key) > _KEY:
        raise ValueError("a credential that is too long")
    return Registered(text(found.credential_id), text(found.credential_public_key), found.sign_count)


def _asserted(answer: str, asking: Asking, key: str) -> int:
    from webauthn import verify_authentication_response
    from webauthn.helpers import parse_authentication_credential_json

    credential = parse_authentication_credential_json(answer)
    _same_page(credential.response.client_data_json)
    found = verify_authentication_response(
        credential=credential,
        expected_challenge=asking.challenge,
        expected_rp_id=asking.host,
        expected_origin=list(asking.origins),
        credential_public_key=octets(key),
        credential_current_sign_count=0,
        require_user_verification=True,
    )
    return found.new_sign_count


def _same_page(client_data: bytes) -> None:
    """py_webauthn does not look whether the page stood in a frame of somebody else's."""
    from webauthn.helpers import parse_client_data_json

    if parse_client_data_json(client_data).cross_origin:
        raise ValueError("asked from within a page of somebody else")
