"""The secret of this installation: marks that only we can write rest on it, over restarts and in a restored backup."""

import hmac
import os
import secrets
from hashlib import sha256

from twisted.logger import Logger

from emailgency.store import layout

_OCTETS = 32


class Secret:
    """`data` is the data folder; the secret is made at the first start. Raises OSError.

    A damaged one is put aside and made anew: notifications for older forwards find no way back, but mail goes on.
    """

    _log = Logger()

    def __init__(self, data: str) -> None:
        path = os.path.join(data, layout.SECRET)
        if not os.path.exists(path):
            _make(path)
        self._secret = _read(path)
        if len(self._secret) != _OCTETS:
            self._log.error("ALERT {path} is damaged: put aside, and made anew", path=path)
            os.rename(path, path + ".broken")
            _make(path)
            self._secret = _read(path)

    def key(self, purpose: str) -> bytes:
        """32 octets; who knows the key of one purpose learns nothing of another."""
        return hmac.digest(self._secret, purpose.encode(), sha256)


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


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
