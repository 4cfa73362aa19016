"""Secrets that have to be read again, closed with a key of this installation: who reads the change journal, Redis or a
dump of either learns nothing of them. A restored backup has the key (store.keys.secret).
"""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error

_NONCE = 12  # octets, as AES-GCM wants


class Sealing:
    """`key` is of 32 octets. What is sealed about one is worth nothing about another."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def seal(self, octets: bytes, about: str) -> str:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # 20 ms that no start waits for

        nonce = os.urandom(_NONCE)
        return urlsafe_b64encode(nonce + AESGCM(self._key).encrypt(nonce, octets, about.encode())).decode()

    def open(self, text: str, about: str) -> bytes | None:
        """None: it was sealed with another key, about somebody else, or is damaged."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            octets = urlsafe_b64decode(text)
            return AESGCM(self._key).decrypt(octets[:_NONCE], octets[_NONCE:], about.encode())
        except (InvalidTag, ValueError, Error):
            return None
