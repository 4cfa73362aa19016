"""Our connection to Redis: one, kept up, and quick to say that it is down.

Commands are written as they come and answered in order. While there is no connection, or when an answer does not
come within the reply timeout, `Temporary` is raised: nobody ever waits for a Redis that is away. A command that
timed out may still have run, so whoever writes must be able to write again.
"""

from collections.abc import Callable, Coroutine
from hashlib import sha1
from typing import Annotated, Any, Protocol, cast
from urllib.parse import unquote, urlsplit

from msgspec import Meta, Struct
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from emailgency.background import background
from emailgency.model.errors import Invalid, Temporary


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

    def __post_init__(self) -> None:
        if self.url:
            try:
                locate(self.url)
            except ValueError as error:
                raise ValueError(f"url: {error}") from None


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
        """The protocol has closed the connection."""


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
    """Raises Invalid for what is no URL of ours."""
    try:
        return _located(url)
    except ValueError:  # its text might hold the password
        raise Invalid("the URL of Redis is no redis://, rediss:// or unix:// URL") from None


def _located(url: str) -> Location:
    parts = urlsplit(url)
    if parts.scheme == "unix" and parts.path:
        return Location(path=parts.path, user=_decoded(parts.username), password=_decoded(parts.password))
    if parts.scheme not in ("redis", "rediss") or not parts.hostname:
        raise ValueError(parts.scheme)
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

    if location.path:
        return UNIXClientEndpoint(reactor, location.path, timeout=2)
    plain = HostnameEndpoint(reactor, location.host, location.port, timeout=5)
    if not location.tls:
        return plain
    from twisted.internet.ssl import optionsForClientTLS

    return wrapClientTLS(optionsForClientTLS(location.host), plain)


class Redis:
    """One connection. `on_connect` runs first on every new one, before anybody else's commands."""

    log = Logger()

    def __init__(self, reactor: IReactorTime, location: Location, reply_timeout: float = 1.0) -> None:
        self.on_connect: list[Callable[[], Coroutine[Deferred[Any], Any, None]]] = []
        self._reactor = reactor
        self._endpoint = endpoint(reactor, location)
        self._factory = _Connections(reply_timeout, location)
        self._protocol: _RedisProtocol | None = None
        self._loop: Deferred[None] | None = None
        self._waiting: list[Deferred[None]] = []  # for the outcome of the next attempt

    @property
    def connected(self) -> bool:
        return self._protocol is not None

    def start(self) -> None:
        """Connects in the background, until stopped."""
        self._loop = Deferred()  # the first attempt may fail at once
        self._loop = background("staying connected to Redis", self._stay_connected())

    async def wait(self, attempts: int) -> bool:
        """True when connected, False after so many failed attempts."""
        while not self.connected and attempts > 0:
            outcome: Deferred[None] = Deferred()
            self._waiting.append(outcome)
            await outcome
            attempts -= 1
        return self.connected

    async def stop(self) -> None:
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.cancel()
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            gone = protocol.whenDisconnected()
            protocol.transport.abortConnection()  # a Redis that does not read would hold up the stop
            await gone

    async def _stay_connected(self) -> None:
        """A stopped Redis still takes connections, so none counts before it has answered."""
        failures = 0
        while True:
            protocol: _RedisProtocol | None = None
            try:
                protocol = cast(_RedisProtocol, await self._endpoint.connect(self._factory))
                await _greeted(protocol)
            except Exception as error:
                _abort(protocol)
                if self._loop is None:
                    return  # stopped; a connection that is cancelled fails in its endpoint's own way
                failures += 1
                if failures == 1:
                    self.log.warn("no connection to Redis: {error}", error=str(error))
                self._tell_waiting()
                await deferLater(self._reactor, _retry_delay(failures))
                continue
            failures = 0
            gone = protocol.whenDisconnected()
            self._protocol = protocol
            for begin in self.on_connect:
                background("greeting Redis", begin())
            self._tell_waiting()
            await gone
            self._protocol = None
            if self._loop is None:
                return
            self.log.warn("Redis is away")

    def _tell_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for outcome in waiting:
            self._reactor.callLater(0, outcome.callback, None)  # who waits may stop us

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

        protocol = self._protocol
        try:
            reply = await self.send(*arguments)
        except txredisapi.ConnectionError as error:
            if self._protocol is protocol:
                self._protocol = None  # it is about to be aborted
            raise Temporary("Redis is away") from error
        if isinstance(reply, txredisapi.ResponseError):
            raise reply
        return reply


async def _greeted(protocol: _RedisProtocol) -> None:
    """Password and database number are sent when the connection is made; then PING must be answered."""
    ready: Deferred[None] = Deferred()
    protocol.whenConnected().addCallback(lambda _: None if ready.called else ready.callback(None))
    protocol.whenDisconnected().addCallback(
        lambda _: None if ready.called else ready.errback(Failure(Temporary("it closed the connection")))
    )
    await ready
    await protocol.execute_command("PING")


def _abort(protocol: _RedisProtocol | None) -> None:
    if protocol is not None:
        protocol.transport.abortConnection()


def _retry_delay(attempt: int) -> float:
    """Seconds. Our own server is up within 50 ms; nobody is served worse for one attempt every two seconds."""
    return min(2.0, 0.02 * 2.0 ** min(attempt, 10))


def _decoded(text: str | None) -> str | None:
    return None if text is None else unquote(text)
