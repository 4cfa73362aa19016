"""IMAP, put together; loaded after the first banner."""

from typing import TYPE_CHECKING, Any

from emailgency.servers.imap.protocol import ImapFactory
from emailgency.servers.imap.server import LOOK, ImapServer
from emailgency.servers.periodic import Periodic
from emailgency.store.summaries import Summaries

if TYPE_CHECKING:
    from emailgency.app import App
    from emailgency.settings import Settings

__all__ = ["ImapFactory", "imap_server"]


def imap_server(app: "App", reactor: Any, settings: "Settings") -> ImapServer:
    """What all IMAP connections share, and the loop that looks after them."""
    server = ImapServer(
        settings=settings.imap,
        host_name=settings.host_name,
        reactor=reactor,
        clock=app.clock,
        folders=app.folders,
        summaries=Summaries(reactor),
        directory=app.directory,
        login=app.login,
        connection_limits=settings.imap.connections,
        tls=app.certificates,
    )
    app.loops.append(Periodic(reactor, "looking after IMAP sessions", LOOK, server.look))
    return server
