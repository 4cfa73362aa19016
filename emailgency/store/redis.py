"""Our connection to Redis: one, kept up, and quick to say that it is down.

Commands are written as they come and answered in order. While there is no connection, or when an answer does not
come within the reply timeout, `Temporary` is raised: nobody ever waits for a Redis that is away. A command that
timed out may still have run, so whoever writes must be able to write again.
"""

from collections.abc import Callable, Coroutine
from hashlib import sha1
from typing import Annotated, Any, Protocol
from urllib.parse import unquote, urlsplit

from msgspec import Meta, Struct
from twisted.application.internet import ClientService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from emailgency.background import background
from emailgency.model.errors import Temporary


class RedisSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the working copy of the directory and everything short-lived is kept."""

    url: Annotated[
        str,
        Meta(
            description="redis://[user:password@]host[:port][/number], rediss:// for TLS, or unix:///path/to/socket. "
            "Empty: Emailgency starts its own server on a socket in the data folder."
        ),
    ] = ""
    program: Annotated[
        str, Meta(description="Server program to start when url is empty. Empty: the one that comes along.")
    ] = ""
    memory: Annotated[int, Meta(ge=16 << 20, description="Octets our own server may use (maxmemory).")] = 512 << 20
    reply_timeout: Annotated[
        float, Meta(gt=0, le=60, description="Seconds to wait for an answer before Redis counts as down.")
    ] = 1.0


class Script:
    """A Lua script, run by its digest; sent in full to a server that does not know it yet."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.digest = sha1(text.encode(), usedforsecurity=False).hexdigest()


class _RedisProtocol(Protocol):
    """What we use of txredisapi's protocol, which has no types."""

    transport: Any

    def execute_command(self, *arguments: str | bytes | int) -> "Deferred[Any]": ...
    def whenConnected(self) -> "Deferred[Any]": ...
    def whenDisconnected(self) -> "Deferred[Any]": ...


class _Connections(Factory):
    """Makes the protocols, and is to them the factory they know from txredisapi."""

    noisy = False
    isLazy = False

    def __init__(self, reply_timeout: float, location: "Location") -> None:
        self._reply_timeout = reply_timeout
        self._location = location

    def buildProtocol(self, addr: object) -> Any:
        import txredisapi  # brings the reactor with it, so not at import time

        # Bytes stay bytes: its conversions turn "0012" into 12.
        protocol = txredisapi.RedisProtocol(
            charset=None,
            replyTimeout=self._reply_timeout,
            convertNumbers=False,
            username=self._location.user,
            password=self._location.password,
            dbid=self._location.number,
        )
        protocol.factory = self
        return protocol

    def stopTrying(self) -> None:
        """A refused password is tried again: the operator may be about to set it."""

    def connectionError(self, why: str) -> None:
        """The connection is closed by its protocol; the service connects anew."""


class Location(Struct, frozen=True):
    """Where a Redis is."""

    host: str = ""
    port: int = 6379
    path: str = ""  # of a Unix socket
    user: str | None = None
    password: str | None = None
    number: int | None = None
    tls: bool = False


def locate(url: str) -> Location:
    """Raises ValueError for what is no URL of ours."""
    parts = urlsplit(url)
    if parts.scheme == "unix" and parts.path:
        return Location(path=parts.path, user=parts.username, password=_decoded(parts.password))
    if parts.scheme not in ("redis", "rediss") or not parts.hostname:
        raise ValueError(f"{url!r} is no redis://, rediss:// or unix:// URL")
    number = parts.path.strip("/")
    return Location(
        host=parts.hostname,
        port=parts.port or 6379,
        user=_decoded(parts.username) or None,
        password=_decoded(parts.password),
        number=int(number) if number else None,
        tls=parts.scheme == "rediss",
    )


def endpoint(reactor: Any, location: Location) -> IStreamClientEndpoint:
    from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint, wrapClientTLS
    from twisted.internet.ssl import optionsForClientTLS

    if location.path:
        return UNIXClientEndpoint(reactor, location.path, timeout=2)
    plain = HostnameEndpoint(reactor, location.host.encode("idna"), location.port, timeout=5)
    return wrapClientTLS(optionsForClientTLS(location.host), plain) if location.tls else plain


class Redis:
    """One connection. `on_connect` runs first on every new one, before anybody else's commands."""

    log = Logger()

    def __init__(self, reactor: IReactorTime, location: Location, reply_timeout: float = 1.0) -> None:
        self.on_connect: list[Callable[[], Coroutine[Deferred[Any], Any, None]]] = []
        self._reactor = reactor
        self._protocol: _RedisProtocol | None = None
        factory = _Connections(reply_timeout, location)
        self._service = ClientService(
            endpoint(reactor, location),
            factory,
            retryPolicy=_retry_delay,
            clock=reactor,
            prepareConnection=self._prepare,
        )

    @property
    def connected(self) -> bool:
        return self._protocol is not None

    def start(self) -> None:
        """Connects in the background, for ever."""
        self._service.startService()

    async def wait(self, attempts: int) -> bool:
        """True when connected, False after so many failed attempts."""
        try:
            await self._service.whenConnected(failAfterFailures=attempts)
        except Exception:  # whatever the endpoint failed with
            return False
        await deferLater(self._reactor, 0)  # the service must not be stopped from within its own change of state
        return self.connected

    async def stop(self) -> None:
        await self._service.stopService()

    async def execute(self, *arguments: str | bytes | int) -> Any:
        """The reply: bytes, int, None or a list of these. Raises Temporary."""
        return await self._send(arguments)

    async def run(self, script: Script, keys: list[str | bytes], arguments: list[str | bytes | int]) -> Any:
        """Run `script`; raises Temporary."""
        import txredisapi

        try:
            return await self._answer("EVALSHA", script.digest, len(keys), *keys, *arguments)
        except txredisapi.ResponseError as error:
            if not str(error).startswith("NOSCRIPT"):
                raise Temporary(f"Redis: {error}") from error
        return await self._send(("EVAL", script.text, len(keys), *keys, *arguments))

    async def _send(self, arguments: tuple[str | bytes | int, ...]) -> Any:
        import txredisapi

        try:
            return await self._answer(*arguments)
        except txredisapi.ResponseError as error:
            raise Temporary(f"Redis: {error}") from error

    def send(self, *arguments: str | bytes | int) -> "Deferred[Any]":
        """For pipelines: written now, the answer later. Raises Temporary when there is no connection."""
        if self._protocol is None:
            raise Temporary("Redis is away")
        return self._protocol.execute_command(*arguments)

    async def _answer(self, *arguments: str | bytes | int) -> Any:
        import txredisapi

        try:
            reply = await self.send(*arguments)
        except txredisapi.ConnectionError as error:
            raise Temporary("Redis is away") from error
        if isinstance(reply, txredisapi.ResponseError):
            raise reply
        return reply

    def _prepare(self, protocol: Any) -> Deferred[None]:
        """Fires when the connection may be used; a failure makes the service connect anew."""
        ready: Deferred[None] = Deferred()
        protocol.whenConnected().addCallback(lambda _: None if ready.called else ready.callback(None))
        protocol.whenDisconnected().addCallback(lambda _: self._disconnected(protocol, ready))
        return ready.addCallback(lambda _: self._connected(protocol))

    def _connected(self, protocol: _RedisProtocol) -> None:
        self._protocol = protocol
        for begin in self.on_connect:
            background("greeting Redis", begin())

    def _disconnected(self, protocol: _RedisProtocol, ready: Deferred[None]) -> None:
        if not ready.called:
            ready.errback(Failure(Temporary("Redis closed the connection, or refused the password")))
        if self._protocol is protocol:
            self._protocol = None
            self.log.warn("Redis is away")


def _retry_delay(attempt: int) -> float:
    """Seconds. Our own server is up within 50 ms; nobody is served worse for one attempt every two seconds."""
    return min(2.0, 0.02 * 2.0 ** min(attempt, 10))


def _decoded(text: str | None) -> str | None:
    return None if text is None else unquote(text)
