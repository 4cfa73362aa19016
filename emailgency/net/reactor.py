"""What the rooms of this floor need of Twisted, as interfaces for the type checker."""

from twisted.internet.interfaces import IConsumer, IReactorTCP, IReactorTime, IReactorUDP, ISSLTransport, ITLSTransport


class NetReactor(IReactorTCP, IReactorUDP, IReactorTime):
    """TCP, UDP and timers; every reactor of Twisted has them."""


class TLSTransport(ITLSTransport, ISSLTransport, IConsumer):
    """A TCP connection that can start TLS and pull from a producer."""
