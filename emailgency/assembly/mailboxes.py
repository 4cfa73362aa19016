"""IMAP and POP3, put together; loaded after the first banner."""

from collections.abc import Callable
from typing import Any, Protocol

from emailgency.flows.accounts.login import Login
from emailgency.servers.imap.limits import new_folders
from emailgency.servers.imap.names import Name
from emailgency.servers.imap.server import LOOK, ImapFactory, ImapServer
from emailgency.servers.periodic import Lasting, Periodic
from emailgency.servers.pop3 import server as pop3
from emailgency.servers.pop3.server import Pop3Factory, Pop3Server
from emailgency.settings import Settings
from emailgency.store.directory.directory import Directory
from emailgency.store.keys.certificates import Certificates
from emailgency.store.mailboxes.folders import Folders
from emailgency.store.mailboxes.summaries import Summaries
from emailgency.store.searching.backlog import Backlog
from emailgency.store.storing.line import Storer

__all__ = ["ImapFactory", "Pop3Factory", "folders_of_now", "imap_server", "pop3_server"]


class Parts(Protocol):
    """What they rest on, and the loops they add their own to."""

    certificates: Certificates
    clock: Callable[[], float]
    directory: Directory
    folders: Folders
    login: Login
    loops: list[Lasting]
    storer: Storer


class WithImap(Protocol):
    """Knows the settings that IMAP goes by."""

    imap: ImapServer | None


def folders_of_now(parts: WithImap, settings: Settings) -> Callable[[], list[Name]]:
    """What tells the folders of a new mailbox: as IMAP has them since the last reload."""
    return lambda: new_folders(parts.imap.settings if parts.imap else settings.imap)


def imap_server(parts: Parts, reactor: Any, settings: Settings) -> ImapServer:
    """What all IMAP connections share, and the loop that looks after them."""
    server = ImapServer(
        settings=settings.imap,
        host_name=settings.host_name,
        reactor=reactor,
        clock=parts.clock,
        folders=parts.folders,
        summaries=Summaries(reactor),
        directory=parts.directory,
        login=parts.login,
        connection_limits=settings.imap.connections,
        tls=parts.certificates,
    )
    parts.storer.listeners.append(Backlog(parts.folders, server.search_index).delivered)
    parts.directory.listeners.append(server.changed)
    parts.loops.append(Periodic(reactor, "looking after IMAP sessions", LOOK, server.look))
    return server


def pop3_server(parts: Parts, reactor: Any, settings: Settings) -> Pop3Server:
    """What all POP3 connections share, and the loop that looks after them."""
    server = Pop3Server(
        settings=settings.pop3,
        reactor=reactor,
        folders=parts.folders,
        login=parts.login,
        tls=parts.certificates,
    )
    parts.directory.listeners.append(server.changed)
    parts.loops.append(Periodic(reactor, "looking after POP3 sessions", pop3.LOOK, server.look_at_rights))
    return server
