"""Who may be connected, and for how long: limits of connections and one coarse timer for all of them (attack row 28).

A connection keeps its `deadline` as a plain number; once a second all deadlines are looked at. Ten thousand
connections cost 1 ms of that second, and an octet that arrives costs no timer at all.
"""

from collections.abc import Callable, Iterable
from ipaddress import ip_address
from itertools import islice
from typing import Annotated, Generic, Protocol, TypeVar

from msgspec import Meta, Struct
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from emailgency.rules.networks import is_loopback, network

TICK = 1.0  # seconds
LOOKED_AT = 100  # oldest connections, when one is sought that can go


class ConnectionLimits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of one listening service."""

    total: Annotated[int, Meta(ge=1, description="Most connections at the same time.")] = 2000
    reserved: Annotated[int, Meta(ge=0, description="How many of them are kept for clients on this machine.")] = 50
    per_network: Annotated[
        int, Meta(ge=1, description="Most connections from one network, /24 for IPv4 and /64 for IPv6.")
    ] = 100


# Settings that several services have, each in a struct of its own
Proxies = Annotated[
    tuple[str, ...],
    Meta(description="Addresses of proxies that begin each connection with a PROXY header (version 1 or 2)."),
]
ClearLogin = Annotated[
    bool, Meta(description="Let users on this machine (loopback) log in without TLS; nobody else ever may.")
]
LoginSeconds = Annotated[int, Meta(ge=5, le=600, description="Seconds from the connection to a login.")]
LoginAttempts = Annotated[int, Meta(ge=1, le=20, description="Failed logins before the connection is closed.")]
BadCommands = Annotated[
    int, Meta(ge=3, le=1000, description="Commands not understood before the connection is closed.")
]


def check_proxies(addresses: tuple[str, ...]) -> None:
    """Raises ValueError, in the words of settings, for what is no IP address."""
    for text in addresses:
        try:
            ip_address(text)
        except ValueError as error:
            raise ValueError(f"proxies: {error}") from None


class Watched(Protocol):
    """A connection as seen from here. `deadline` is in the reactor's seconds, infinity while it waits for us."""

    deadline: float

    def expire(self, now: float) -> None:
        """The deadline has passed: end the connection or set another one."""


C = TypeVar("C", bound=Watched)


class Connections(Generic[C]):
    """The open connections of one service.

    When all places are taken, `make_room` may end one of those given, oldest first, and return it.
    """

    def __init__(
        self,
        limits: ConnectionLimits,
        reactor: IReactorTime,
        make_room: Callable[[Iterable[C]], C | None] = lambda oldest: None,
    ) -> None:
        self.refused = 0
        self.limits = limits
        self._reactor = reactor
        self._make_room = make_room
        self._open: dict[C, str] = {}
        self._networks: dict[str, int] = {}
        self._tick: IDelayedCall | None = None

    def __len__(self) -> int:
        return len(self._open)

    def all(self) -> list[C]:
        return list(self._open)

    def admit(self, connection: C, ip: str | None) -> str | None:
        """Count and watch `connection` until `leave`; or why not, in words for the client.

        `ip` is None until a proxy has told it; the connection is admitted again then.
        """
        self.leave(connection)
        where = network(ip) if ip else ""
        if where and self._networks.get(where, 0) >= self.limits.per_network:
            self.refused += 1
            return "too many connections from your network"
        free = self.limits.total - len(self._open)
        if free <= 0 or (free <= self.limits.reserved and not (ip and is_loopback(ip))):
            gone = self._make_room(islice(self._open, LOOKED_AT))
            if gone is None:
                self.refused += 1
                return "too many connections"
            self.leave(gone)
        self._open[connection] = where
        self._networks[where] = self._networks.get(where, 0) + 1
        if self._tick is None:
            self._tick = self._reactor.callLater(TICK, self._look)
        return None

    def leave(self, connection: C) -> None:
        where = self._open.pop(connection, None)
        if where is None:
            return
        if self._networks[where] == 1:
            del self._networks[where]
        else:
            self._networks[where] -= 1
        if not self._open and self._tick is not None:
            self._tick.cancel()
            self._tick = None

    def _look(self) -> None:
        self._tick = self._reactor.callLater(TICK, self._look) if self._open else None
        now = self._reactor.seconds()
        for connection in [one for one in self._open if one.deadline <= now]:
            connection.expire(now)
