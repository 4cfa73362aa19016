"""Passwords: slow hashes (argon2id) made and compared in a few threads of their own.

libsodium makes them: it has their 19 MiB mapped for each one, in one go, and gives them back at once. Taken from malloc
they stay with each thread, or cost 4,865 page faults a hash (12 ms of 38).

The queue before these threads is bounded, so that a flood of logins costs its senders time and the server nothing
else. A password just found right is remembered for a while, keyed with the mailbox's generation: mail programs log
in every few minutes, with several connections. Remembered is a keyed digest that means nothing outside this process.
"""

import hmac
import secrets
import unicodedata
from base64 import b64encode
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from msgspec import Meta, Struct
from twisted.internet.threads import deferToThreadPool

from emailgency.model.directory import Mailbox, Operator
from emailgency.model.errors import Temporary
from emailgency.rules.password_policy import LONGEST

if TYPE_CHECKING:
    from twisted.python.threadpool import ThreadPool

R = TypeVar("R")
_REMEMBERED_AT_MOST = 20_000


class CredentialSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How passwords are hashed."""

    threads: Annotated[int, Meta(ge=1, le=32, description="Threads that hash passwords.")] = 2
    waiting: Annotated[
        int, Meta(ge=1, description="Logins waiting for a thread; more are told to come back later.")
    ] = 64
    memory: Annotated[
        int, Meta(ge=8, description="KiB of memory of one argon2id hash (RFC 9106; new passwords only).")
    ] = 19_456
    passes: Annotated[int, Meta(ge=1, description="Passes of one argon2id hash (new passwords only).")] = 2
    remembered: Annotated[
        float, Meta(ge=0, le=3600, description="Seconds a right password is remembered; 0: not at all.")
    ] = 300.0


class Credentials:
    """One for the whole process. `reactor` gives threads and monotonic seconds."""

    def __init__(self, reactor: Any, settings: CredentialSettings) -> None:
        self._reactor = reactor
        self._settings = settings
        self._pool: ThreadPool | None = None
        self._nobody = _hash_of_nothing(settings)
        self._waiting = 0
        self._key = secrets.token_bytes(32)
        self._remembered: dict[bytes, float] = {}  # digest -> until; oldest first

    async def prepare(self) -> None:
        """Load what hashes, so that the first login does not wait for it."""
        await self._in_pool(_load)

    async def hash(self, password: str) -> str:
        """The encoded hash; raises Temporary when too many wait."""
        return await self._in_pool(_hash, self._settings, _octets(password))

    async def right(self, holder: Mailbox | Operator | None, password: str) -> bool:
        """Is it the holder's password? The same work for nobody, and for one without a password."""
        if len(password) > LONGEST:
            return False
        digest = self._digest(holder, password)
        if self._remembered.get(digest, 0.0) > self._reactor.seconds():
            return True
        encoded = holder.password if holder is not None else None
        matches = await self._in_pool(_compare, encoded or self._nobody, _octets(password)) and encoded is not None
        if matches:
            self._remember(digest)
        return matches

    def stop(self) -> None:
        """Waits for hashes under way, some 20 ms each. The reactor's end does it too: threads outlive it otherwise."""
        if self._pool is not None:
            self._pool.stop()
            self._pool = None

    async def _in_pool(self, function: Callable[..., R], *arguments: object) -> R:
        if self._waiting >= self._settings.waiting + self._settings.threads:
            raise Temporary("too many logins at once")
        if self._pool is None:
            from twisted.python.threadpool import ThreadPool

            self._pool = ThreadPool(0, self._settings.threads, "passwords")
            self._pool.start()
            self._reactor.addSystemEventTrigger("during", "shutdown", self.stop)
        self._waiting += 1
        try:
            result: R = await deferToThreadPool(self._reactor, self._pool, function, *arguments)
        finally:
            self._waiting -= 1
        return result

    def _digest(self, holder: Mailbox | Operator | None, password: str) -> bytes:
        whose = "" if holder is None else f"{holder.id}/{holder.generation}/{holder.password}"
        return hmac.digest(self._key, whose.encode() + b"\0" + _octets(password), "sha256")

    def _remember(self, digest: bytes) -> None:
        self._remembered.pop(digest, None)
        if len(self._remembered) >= _REMEMBERED_AT_MOST:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[digest] = self._reactor.seconds() + self._settings.remembered


def _octets(password: str) -> bytes:
    """However a keyboard composes its letters (RFC 8265 section 4.2.2)."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")


def _hash_of_nothing(settings: CredentialSettings) -> str:
    """What a hash looks like, for logins of nobody: to compare with it takes as long, and no password matches it."""
    salt, tag = (b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (16, 32))
    return f"$argon2id$v=19$m={settings.memory},t={settings.passes},p=1${salt}${tag}"


def _load() -> None:
    import nacl.pwhash.argon2id  # noqa: F401 -- 25 ms that the first banner need not wait for


def _hash(settings: CredentialSettings, password: bytes) -> str:
    from nacl.pwhash import argon2id

    return argon2id.str(password, settings.passes, settings.memory << 10).decode("ascii")


def _compare(encoded: str, password: bytes) -> bool:
    from nacl.exceptions import CryptoError
    from nacl.pwhash import argon2id

    try:
        return argon2id.verify(encoded.encode("utf-8", "replace"), password)
    except CryptoError:  # another password, or no hash
        return False
