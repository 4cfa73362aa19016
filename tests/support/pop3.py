"""What a test of POP3 needs: the office of IMAP, with a POP3 server over the same folders."""

from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol

from emailgency.servers.connections import ConnectionLimits
from emailgency.servers.pop3.limits import Pop3
from emailgency.servers.pop3.server import Pop3Factory, Pop3Server
from tests.support.imap import PASSWORD, Client, Office


class PopClient(Client):
    """The other end, byte for byte."""

    async def ask(self, line: bytes) -> bytes:
        self.send(line + b"\r\n")
        return await self.raw_line()

    async def ok(self, line: bytes) -> bytes:
        """The words behind +OK."""
        answer = await self.ask(line)
        assert answer.startswith(b"+OK"), (line, answer)
        return answer[4:]

    async def err(self, line: bytes) -> bytes:
        """The words behind -ERR."""
        answer = await self.ask(line)
        assert answer.startswith(b"-ERR"), (line, answer)
        return answer[5:]

    async def many(self, line: bytes) -> list[bytes]:
        """The lines of a multi-line response, dots taken off."""
        await self.ok(line)
        lines = []
        while (one := await self.raw_line()) != b".":
            lines.append(one.removeprefix(b"."))
        return lines

    async def message(self, line: bytes) -> bytes:
        return b"".join(one + b"\r\n" for one in await self.many(line))


class PostOffice(Office):
    """`pop3` is the server, `pop3_port` its port; settings are those of POP3."""

    def __init__(self, tls: Any = None, secure: bool = False, **settings: Any) -> None:
        super().__init__()
        self._pop3_tls = tls
        self._pop3_secure = secure
        self._pop3_settings = Pop3(
            **{"clear_login": True, "connections": ConnectionLimits(per_network=2000), **settings}
        )

    async def start(self) -> "PostOffice":
        await super().start()
        self.pop3 = Pop3Server(
            settings=self._pop3_settings,
            reactor=reactor,
            folders=self.folders,
            login=self.people,
            tls=self._pop3_tls,
        )
        factory = Pop3Factory(self.pop3, self._pop3_secure)
        self._pop3_listening = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.pop3_port = self._pop3_listening.getHost().port
        return self

    async def caller(self) -> PopClient:
        """A client that has seen nothing yet."""
        client = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", self.pop3_port), PopClient())
        self.clients.append(client)
        return client

    async def guest(self) -> PopClient:
        client = await self.caller()
        assert (await client.raw_line()).startswith(b"+OK")
        return client

    async def reader(self, name: str = "paul") -> PopClient:
        """One that has logged in."""
        client = await self.guest()
        await client.ok(b"USER " + name.encode())
        await client.ok(b"PASS " + PASSWORD.encode())
        return client

    async def close_port(self) -> None:
        stopped = self._pop3_listening.stopListening()
        if stopped is not None:
            await stopped
        await super().close_port()
        await self.until(lambda: not self.pop3.sessions)
