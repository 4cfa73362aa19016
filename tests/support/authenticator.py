"""A passkey of software: what a browser and its authenticator answer, signed with real keys.

A test may have it lie: about the page, the host, the user it has verified, its counter.
"""

import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40  # flags, WebAuthn section 6.1


def text(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def octets(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Authenticator:
    """Holds one passkey. `counter` grows by `step` at each signature; those that are kept in a cloud have none."""

    def __init__(self, algorithm: int = -7, step: int = 0) -> None:
        self.algorithm = algorithm
        self.step = step
        self.counter = 0
        self.flags = PRESENT | VERIFIED
        self.credential = secrets.token_bytes(20)
        self.handle = b""
        self.key: Any = {
            -7: lambda: ec.generate_private_key(ec.SECP256R1()),
            -8: ed25519.Ed25519PrivateKey.generate,
            -257: lambda: rsa.generate_private_key(65537, 2048),
        }[algorithm]()

    def made(self, options: str | bytes, origin: str, **lies: Any) -> str:
        """The answer to `navigator.credentials.create`. `lies`: `host`, `challenge`, `cross`, `format`."""
        asked = json.loads(options)
        self.handle = octets(asked["user"]["id"])
        client = _client_data("webauthn.create", asked, origin, lies)
        data = self._data(lies.get("host", asked["rp"]["id"]), self.flags | ATTESTED)
        data += bytes(16) + len(self.credential).to_bytes(2, "big") + self.credential + cbor2.dumps(self._public())
        form = lies.get("format", "none")
        statement = {} if form != "packed" else {"alg": self.algorithm, "sig": self._signature(data, client)}
        attestation = cbor2.dumps({"fmt": form, "attStmt": statement, "authData": data})
        return self._answer({"clientDataJSON": text(client), "attestationObject": text(attestation)})

    def proof(self, options: str | bytes, origin: str, **lies: Any) -> str:
        """The answer to `navigator.credentials.get`. `lies`: also `handle`."""
        asked = json.loads(options)
        client = _client_data("webauthn.get", asked, origin, lies)
        self.counter += self.step
        data = self._data(lies.get("host", asked["rpId"]), self.flags)
        return self._answer(
            {
                "clientDataJSON": text(client),
                "authenticatorData": text(data),
                "signature": text(self._signature(data, client)),
                "userHandle": text(lies.get("handle", self.handle)),
            }
        )

    def _answer(self, response: dict[str, str]) -> str:
        name = text(self.credential)
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": response})

    def _data(self, host: str, flags: int) -> bytes:
        return sha256(host.encode()).digest() + bytes([flags]) + self.counter.to_bytes(4, "big")

    def _signature(self, data: bytes, client: bytes) -> bytes:
        signed = data + sha256(client).digest()
        if self.algorithm == -7:
            return self.key.sign(signed, ec.ECDSA(hashes.SHA256()))
        if self.algorithm == -8:
            return self.key.sign(signed)
        return self.key.sign(signed, padding.PKCS1v15(), hashes.SHA256())

    def _public(self) -> dict[int, Any]:
        """In COSE form (RFC 9053 section 7)."""
        public = self.key.public_key()
        if self.algorithm == -8:
            return {1: 1, 3: -8, -1: 6, -2: public.public_bytes_raw()}
        numbers = public.public_numbers()
        if self.algorithm == -7:
            return {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        return {1: 3, 3: -257, -1: numbers.n.to_bytes(256, "big"), -2: numbers.e.to_bytes(3, "big")}


def _client_data(kind: str, asked: dict[str, Any], origin: str, lies: dict[str, Any]) -> bytes:
    challenge = lies.get("challenge", asked["challenge"])
    told = {"type": kind, "challenge": challenge, "origin": origin, "crossOrigin": lies.get("cross", False)}
    return json.dumps(told).encode()
