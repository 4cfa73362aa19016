"""Private keys that mail is signed with: a file a key in the folder `signing`, `<owner>.<selector>.pem`.

They are kept out of the change journal and of Redis, where all that is written may be shown to those it concerns.
"""

import os
from typing import TYPE_CHECKING

from msgspec import Struct

from emailgency.store import layout

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

BITS = 2048  # RFC 8301 section 3.2; longer ones do not fit into one string of a TXT record everywhere


class SigningKey(Struct, frozen=True):
    """`owner` is the id of a customer, or OPERATOR."""

    owner: str
    selector: str
    key: "RSAPrivateKey"


class SigningKeys:
    """`data` is the data folder. Everything here blocks: call it in a thread. Raises OSError, ValueError."""

    def __init__(self, data: str) -> None:
        self._folder = os.path.join(data, layout.SIGNING)

    def of(self, owner: str) -> list[SigningKey]:
        """Newest first: selectors begin with the day."""
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        found = []
        for selector in self.selectors(owner):
            with open(self._path(owner, selector), "rb") as file:
                key = load_pem_private_key(file.read(), None)
            assert isinstance(key, RSAPrivateKey)
            found.append(SigningKey(owner, selector, key))
        return found

    def selectors(self, owner: str) -> list[str]:
        """Newest first."""
        try:
            names = os.listdir(self._folder)
        except FileNotFoundError:
            return []
        pieces = (name.split(".") for name in names)
        return sorted((piece[1] for piece in pieces if len(piece) == 3 and piece[0] == owner), reverse=True)

    def make(self, owner: str, day: str) -> SigningKey:
        """A new key; `day` as 20261122."""
        from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        number = sum(selector.startswith(f"eg{day}") for selector in self.selectors(owner))
        selector = f"eg{day}x{number:02d}"
        key = generate_private_key(65537, BITS)
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        temporary = self._path(owner, selector) + ".tmp"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, self._path(owner, selector))
        self._sync()
        return SigningKey(owner, selector, key)

    def remove(self, owner: str, selector: str) -> None:
        """Raises FileNotFoundError when there is no such key."""
        if selector not in self.selectors(owner):
            raise FileNotFoundError(selector)
        os.unlink(self._path(owner, selector))
        self._sync()

    def _path(self, owner: str, selector: str) -> str:
        return os.path.join(self._folder, f"{owner}.{selector}.pem")

    def _sync(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
