"""The secret of this installation: marks that only we can write rest on it, over restarts and in a restored backup."""

import hmac
import os
import secrets
from hashlib import sha256

from emailgency.store import layout

_OCTETS = 32


class Secret:
    """`data` is the data folder; the secret is made at the first start. Raises OSError."""

    def __init__(self, data: str) -> None:
        path = os.path.join(data, layout.SECRET)
        if not os.path.exists(path):
            _make(path)
        with open(path, "rb") as file:
            self._secret = file.read()
        if len(self._secret) != _OCTETS:
            raise OSError(f"{path} is damaged: take it from a backup, or delete it and lose what it has signed")

    def key(self, purpose: str) -> bytes:
        """32 octets; who knows the key of one purpose learns nothing of another."""
        return hmac.digest(self._secret, purpose.encode(), sha256)


def _make(path: str) -> None:
    temporary = path + ".tmp"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(secrets.token_bytes(_OCTETS))
        file.flush()
        os.fsync(file.fileno())
    os.rename(temporary, path)
    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
