"""Private keys that mail is signed with: a file a key in the folder `signing`, `<owner>.<selector>.pem`.

They are kept out of the change journal and of Redis, where all that is written may be shown to those it concerns.
"""

import contextlib
import os
from typing import TYPE_CHECKING

from msgspec import Struct

from emailgency.store import layout

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

_UNUSED = ".unused"
BITS = 2048  # RFC 8301 section 3.2; longer ones do not fit into one string of a TXT record everywhere


class SigningKey(Struct, frozen=True):
    """`owner` is the id of a customer, or OPERATOR."""

    owner: str
    selector: str
    key: "RSAPrivateKey"
    unused_since: float | None = None  # seconds since the epoch; a newer one signs since then


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
            found.append(SigningKey(owner, selector, key, self._unused_since(owner, selector)))
        return found

    def selectors(self, owner: str) -> list[str]:
        """Newest first."""
        try:
            names = os.listdir(self._folder)
        except FileNotFoundError:
            return []
        pieces = (name.split(".") for name in names)
        return sorted(
            (piece[1] for piece in pieces if len(piece) == 3 and piece[0] == owner and piece[2] == "pem"), reverse=True
        )

    def used(self, key: SigningKey, older: list[SigningKey], now: float) -> None:
        """A domain signs with `key`, and so no more with the older ones, whose time begins to run; the mark of that is
        a file beside the key, by its age.
        """
        if key.unused_since is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._mark(key.owner, key.selector))
        for one in older:
            if one.unused_since is None:
                mark = self._mark(one.owner, one.selector)
                os.close(os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
                os.utime(mark, (now, now))

    def unused_since(self, before: float) -> list[tuple[str, str]]:
        """Owner and selector of the keys that no domain has used since then."""
        try:
            names = os.listdir(self._folder)
        except FileNotFoundError:
            return []
        pieces = [name.split(".") for name in names if name.endswith(_UNUSED)]
        ages = [(owner, selector, self._unused_since(owner, selector)) for owner, selector, _ in pieces]
        return [(owner, selector) for owner, selector, since in ages if since is not None and since < before]

    def _unused_since(self, owner: str, selector: str) -> float | None:
        try:
            return os.stat(self._mark(owner, selector)).st_mtime
        except FileNotFoundError:
            return None

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
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._mark(owner, selector))
        self._sync()

    def _path(self, owner: str, selector: str) -> str:
        return os.path.join(self._folder, f"{owner}.{selector}.pem")

    def _mark(self, owner: str, selector: str) -> str:
        return os.path.join(self._folder, f"{owner}.{selector}{_UNUSED}")

    def _sync(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
