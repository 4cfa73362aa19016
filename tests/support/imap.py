"""What a test of IMAP needs: a real storer on a temporary folder, a few mailboxes, a server on loopback."""

import os
import shutil
import tempfile
import time
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectionClosed
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater

from emailgency.flows.accounts.login import Principal, Source
from emailgency.model.address import Address
from emailgency.model.directory import STANDARD, Customer, Mailbox, Plan
from emailgency.model.errors import Temporary
from emailgency.model.verdict import Verdict
from emailgency.servers.connections import ConnectionLimits
from emailgency.servers.imap.limits import Imap
from emailgency.servers.imap.server import ImapFactory, ImapServer
from emailgency.store import layout
from emailgency.store.mailboxes.folders import Folders
from emailgency.store.mailboxes.summaries import Summaries
from emailgency.store.storing.line import Storer

PASSWORD = "secret1A"
MESSAGE = (
    b"From: Anna <anna@other.zz>\r\nTo: paul@mydomain.zz\r\nSubject: Invoice\r\n"
    b"Date: Fri, 20 Nov 2026 10:00:00 +0000\r\n"
    b"Message-ID: <1@other.zz>\r\n\r\nHello Paul,\r\nyour invoice.\r\n"
)


class FewMailboxes:
    """Directory and login at once: paul, mary and vip of `mydomain.zz`, all with PASSWORD. Tests change `mailboxes`."""

    def __init__(self, plan: Plan = STANDARD) -> None:
        names = ("paul", "mary", "vip", "boss", "chief", *(f"u{number}" for number in range(60)))
        self.trouble = False
        self.the_plan = plan
        self.mailboxes = {
            name: Mailbox(
                id=name,
                customer="c1",
                address=Address(name, "mydomain.zz"),
                vip=name == "vip",
                administrator=name in ("boss", "chief"),
            )
            for name in names
        }

    async def mailbox(self, id: str) -> Mailbox | None:
        return self.mailboxes.get(id)

    async def customer(self, id: str) -> Customer:
        return Customer(id=id, domain="mydomain.zz", alternate_domain="mydomainzz.emailgency.com")

    async def plan(self, name: str) -> Plan:
        return self.the_plan

    async def authenticate(self, name: str, password: str, source: Source) -> Principal | Verdict:
        if self.trouble:
            raise Temporary("no directory")
        mailbox = self.mailboxes.get(name.partition("@")[0].lower())
        if mailbox is None or password != PASSWORD:
            return Verdict(535, "5.7.8", "wrong name or password")
        return Principal(mailbox.customer, mailbox.id, mailbox.address, mailbox.administrator, mailbox.generation)

    async def still_valid(self, principal: Principal) -> bool:
        mailbox = self.mailboxes.get(principal.mailbox)
        return mailbox is not None and mailbox.generation == principal.generation


class Office:
    """`await start()`; then `port`, `server`, `folders`; `await stop()` leaves nothing behind."""

    def __init__(self, tls: Any = None, plan: Plan = STANDARD, secure: bool = False, **settings: Any) -> None:
        self.root = tempfile.mkdtemp(prefix="imap-")
        self.people = FewMailboxes(plan)
        self._tls = tls
        self._secure = secure
        self._settings = Imap(**{"clear_login": True, "connections": ConnectionLimits(per_network=2000), **settings})

    async def start(self) -> "Office":
        self.storer = Storer(reactor, self.root)
        self.folders = Folders(self.storer, self.root)
        self.storer.listeners.append(self.folders.event)
        self.summaries = Summaries(reactor)
        await self.storer.start()
        self.server = ImapServer(
            settings=self._settings,
            host_name="imap.mydomain.zz",
            reactor=reactor,
            clock=time.time,
            folders=self.folders,
            summaries=self.summaries,
            directory=self.people,
            login=self.people,
            connection_limits=self._settings.connections,
            tls=self._tls,
        )
        self.clients: list[Client] = []
        self.listen()
        return self

    def listen(self) -> None:
        self._port = reactor.listenTCP(0, ImapFactory(self.server, self._secure), interface="127.0.0.1")
        self.port = self._port.getHost().port

    def path(self, *name: str, mailbox: str = "paul") -> str:
        """Of a folder, relative to the data folder."""
        return layout.folder(layout.mailbox("c1", mailbox), name)

    def disk(self, *name: str, mailbox: str = "paul") -> str:
        return os.path.join(self.root, self.path(*name, mailbox=mailbox))

    async def fill(self, *messages: bytes, folder: str | None = None, letters: str = "") -> list[int]:
        """Store messages as APPEND does; returns their UIDs."""
        opened = await self.folders.create(folder or self.path(), quiet=True)
        uids = []
        for message in messages:
            arrival = self.folders.begin_append(time.time())
            arrival.write(message)
            uids.append(await self.folders.append(opened, arrival, letters, time.time()))
        return uids

    async def many(self, count: int) -> None:
        """Messages in paul's INBOX as another program puts them there."""
        await self.folders.create(self.path(), quiet=True)
        for number in range(count):
            with open(f"{self.disk()}/cur/{1700000000 + number}.m{number}.x,S={len(MESSAGE)}:2,", "wb") as file:
                file.write(MESSAGE)

    async def client(self) -> "Client":
        client = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", self.port), Client())
        self.clients.append(client)
        return client

    async def member(self, name: str = "paul", folder: str | None = None) -> "Client":
        """A client that has logged in, and selected `folder`."""
        client = await self.client()
        await client.line()
        await client.ok(b"LOGIN %b %b" % (name.encode(), PASSWORD.encode()))
        if folder is not None:
            await client.ok(b"SELECT " + folder.encode())
        return client

    async def close_port(self) -> None:
        stopped = self._port.stopListening()
        if stopped is not None:
            await stopped
        for client in self.clients:
            client.transport.abortConnection()
        await self.until(lambda: not self.server.sessions)

    async def restart(self) -> None:
        """Everything anew over the same files."""
        await self.close_port()
        await self.server.search_index.stop()
        await self.storer.stop()
        await self.start()

    async def stop(self) -> None:
        await self.close_port()
        await self.server.search_index.stop()
        await self.storer.stop()
        shutil.rmtree(self.root, ignore_errors=True)

    async def until(self, condition: Any, seconds: float = 10) -> None:
        """Wait for something that no event announces."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it did not happen"
            await deferLater(reactor, 0.005, lambda: None)


class Client(Protocol):
    """The other end, byte for byte. Lines are given without CRLF; a literal is part of the line that announces it."""

    def __init__(self) -> None:
        self.buffer = b""
        self.closed = False
        self._waiting: Deferred[None] | None = None
        self._number = 0

    def dataReceived(self, data: bytes) -> None:
        self.buffer += data
        self._wake()

    def connectionLost(self, reason: Any = None) -> None:
        self.closed = True
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.callback(None)

    async def more(self, seconds: float = 60) -> None:
        if self.closed:
            raise ConnectionClosed(f"closed; unread: {self.buffer[-300:]!r}")
        self._waiting = Deferred()
        self._waiting.addTimeout(seconds, reactor)
        await self._waiting

    def send(self, octets: bytes) -> None:
        self.transport.write(octets)

    async def line(self) -> bytes:
        """The next line; with its literals, CRLF and all."""
        start = 0
        while True:
            end = self.buffer.find(b"\r\n", start)
            if end >= 0:
                _, brace, size = self.buffer[:end].rpartition(b"{")
                if brace and size.endswith(b"}") and size[:-1].isdigit():
                    start = end + 2 + int(size[:-1])
                    if len(self.buffer) >= start:
                        continue
                else:
                    line, self.buffer = self.buffer[:end], self.buffer[end + 2 :]
                    return line
            await self.more()

    async def raw_line(self) -> bytes:
        """The next line, whatever it announces."""
        while (end := self.buffer.find(b"\r\n")) < 0:
            await self.more()
        line, self.buffer = self.buffer[:end], self.buffer[end + 2 :]
        return line

    async def command(self, line: bytes) -> tuple[list[bytes], bytes]:
        """Untagged lines, and the tagged one without its tag."""
        self._number += 1
        tag = b"T%d" % self._number
        self.send(tag + b" " + line + b"\r\n")
        return await self.answer(tag)

    async def answer(self, tag: bytes) -> tuple[list[bytes], bytes]:
        untagged = []
        while not (line := await self.line()).startswith(tag + b" "):
            untagged.append(line)
        return untagged, line[len(tag) + 1 :]

    async def ok(self, line: bytes) -> list[bytes]:
        untagged, tagged = await self.command(line)
        assert tagged.startswith(b"OK"), (line[:200], tagged, untagged[-3:])
        return untagged

    async def no(self, line: bytes) -> bytes:
        _, tagged = await self.command(line)
        assert tagged.startswith(b"NO"), (line[:200], tagged)
        return tagged

    async def bad(self, line: bytes) -> bytes:
        _, tagged = await self.command(line)
        assert tagged.startswith(b"BAD"), (line[:200], tagged)
        return tagged

    async def append(self, folder: bytes, message: bytes, more: bytes = b"") -> bytes:
        return (await self.appended(folder, message, more))[1]

    async def appended(self, folder: bytes, message: bytes, more: bytes = b"") -> tuple[list[bytes], bytes]:
        self._number += 1
        tag = b"T%d" % self._number
        self.send(tag + b" APPEND %b%b {%d+}\r\n" % (folder, more, len(message)) + message + b"\r\n")
        return await self.answer(tag)

    async def end(self) -> None:
        """Until the server has closed."""
        while not self.closed:
            await self.more()


async def all_of(*work: Any) -> list[Any]:
    """Run coroutines side by side."""
    results = await DeferredList([Deferred.fromCoroutine(one) for one in work], fireOnOneErrback=True)
    return [result for _, result in results]
