"""What one POP3 connection has become: its state, who it is, its maildrop.

Commands are functions (session, command) in the modules beside this one; `table` says which is which.
"""

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any, Protocol

from msgspec import Struct
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.logger import Logger

from emailgency.codec.pop3 import responses
from emailgency.flows.accounts.login import Login, Principal
from emailgency.servers.pop3.limits import Pop3
from emailgency.servers.pop3.line import Line
from emailgency.servers.pop3.maildrop import Maildrop
from emailgency.store.mailboxes.folders import Folders


class State(Enum):
    """RFC 1939 section 3. UPDATE is the work of one command and no state to be in."""

    GUEST = "AUTHORIZATION"
    MEMBER = "TRANSACTION"
    GONE = "UPDATE"


class Answer(Struct, frozen=True):
    """The end of a command: what is left to say, and what happens after that."""

    octets: bytes = b""
    then: Callable[[], None] | None = None


def ok(words: str) -> Answer:
    return Answer(responses.ok(words))


def err(words: str, code: str = "") -> Answer:
    """Codes: RFC 2449 section 8, RFC 3206."""
    return Answer(responses.err(words, code))


class Shared(Protocol):
    """What all sessions share (`server.Pop3Server`)."""

    settings: Pop3
    folders: Folders
    login: Login
    tls: IOpenSSLServerConnectionCreator | None  # None: no STLS

    def joined(self, session: "Session") -> None:
        """It begins."""

    def welcomed(self, session: "Session") -> None:
        """It has logged in."""

    def left(self, session: "Session") -> None:
        """It has ended."""

    def logged_in(self, mailbox: str) -> int:
        """How many sessions are logged in to this mailbox (its path)."""


class Session:
    """The state; `line` is where to write, `server` what all sessions share."""

    log = Logger()

    __slots__ = (
        "__weakref__",
        "ending",
        "failures",
        "line",
        "mailbox",
        "maildrop",
        "mistakes",
        "name",
        "number",
        "principal",
        "server",
        "state",
        "utf8",
    )

    def __init__(self, line: Line, server: Shared) -> None:
        self.line = line
        self.server = server
        self.number = 0  # in log lines
        self.state = State.GUEST
        self.name = ""  # said by USER
        self.utf8 = False  # the command UTF8 was given
        self.principal: Principal | None = None
        self.mailbox = ""  # its path, once logged in; while it is set the maildrop is locked
        self.maildrop: Maildrop | None = None
        self.failures = 0  # logins refused
        self.mistakes = 0  # commands not understood
        self.ending = ""  # why the server wants it to end, said at the next rest

    def view(self) -> Maildrop:
        """The maildrop; the table lets only commands of the TRANSACTION state ask."""
        assert self.maildrop is not None
        return self.maildrop

    def leave(self) -> None:
        """Let go of the maildrop."""
        if self.maildrop is not None:
            self.server.folders.release(self.maildrop.folder, self.maildrop)
            self.maildrop = None
        self.mailbox = ""

    def end(self, words: str) -> None:
        """-ERR at once when no command runs, else after it."""
        self.ending = words
        if self.line.at_rest:
            self.line.close(words)


Work = Callable[[Session, Any], Awaitable[Answer]]


class Rule(Struct, frozen=True):
    """When a command may come, and what does it."""

    work: Work
    states: frozenset[State]
