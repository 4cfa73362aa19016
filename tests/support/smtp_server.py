"""A small SMTP server that misbehaves as told: the stand-in for the servers of this world.

`behaviour` maps a stage ("banner", "EHLO", "MAIL", "RCPT", "DATA", "end", …) to a reply, or to a callable that gets
the connection and the line and answers with octets (or does what it likes with the transport and answers None).
"""

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol

CAPABILITIES = ("PIPELINING", "SIZE 52428800", "8BITMIME", "SMTPUTF8", "DSN")


class ScriptedConnection(Protocol):
    def connectionMade(self):
        server = self.factory.server
        server.connections.append(self)
        server.opened += 1
        self.peak = 0
        self.secure = False
        self.commands = []
        self.messages = []
        self.buffer = b""
        self.in_data = False
        self.reading = True
        self.sender, self.recipients = None, []
        self.say("banner", b"", b"220 scripted ESMTP\r\n")

    def say(self, stage, line, default):
        answer = self.factory.server.behaviour.get(stage, default)
        if callable(answer):
            answer = answer(self, line)
            if answer is NotImplemented:
                answer = default
        if answer and self.transport.connected:
            self.transport.write(answer if isinstance(answer, bytes) else answer.encode())
        return answer or b""

    def dataReceived(self, data):
        self.factory.server.octets += len(data)
        self.buffer += data
        while self.reading and self.buffer:
            if self.in_data:
                body, found, rest = (b"\r\n" + self.buffer).partition(b"\r\n.\r\n")
                if not found:
                    return
                self.buffer, self.in_data = rest, False
                self.finish((body + b"\r\n")[2:].replace(b"\r\n..", b"\r\n.").removeprefix(b"."))
                continue
            line, found, rest = self.buffer.partition(b"\r\n")
            if not found:
                return
            self.buffer = rest
            self.command(line)

    def finish(self, body):
        if not self.recipients:
            self.transport.write(b"554 no valid recipients\r\n")
            return
        message = (self.sender, tuple(self.recipients), body)
        answer = self.say("end", body, b"250 2.0.0 taken\r\n")
        if answer.startswith(b"2" if isinstance(answer, bytes) else "2"):
            self.messages.append(message)
            self.factory.server.messages.append(message)
            self.factory.server.changed()
        self.sender, self.recipients = None, []

    def command(self, line):
        verb = line.split(b" ")[0].upper().decode()
        self.commands.append(line)
        self.factory.server.commands.append(line)
        if verb == "EHLO":
            words = [b"scripted", *(word.encode() for word in self.factory.server.capabilities)]
            lines = [b"250-" + word for word in words[:-1]] + [b"250 " + words[-1]]
            self.say("EHLO", line, b"\r\n".join(lines) + b"\r\n")
        elif verb == "MAIL":
            answer = self.say("MAIL", line, b"250 2.1.0 ok\r\n")
            if answer[:1] in (b"2", "2"):
                self.sender = line
        elif verb == "RCPT":
            if self.sender is None:
                self.transport.write(b"503 5.5.1 MAIL first\r\n")
                return
            answer = self.say("RCPT", line, b"250 2.1.5 ok\r\n")
            if answer[:1] in (b"2", "2"):
                self.recipients.append(line)
        elif verb == "DATA":
            if not self.recipients:
                self.transport.write(b"503 5.5.1 no valid recipients\r\n")
                return
            answer = self.say("DATA", line, b"354 go\r\n")
            self.in_data = answer[:1] in (b"3", "3")
        elif verb == "STARTTLS":
            self.say("STARTTLS", line, b"220 go\r\n")
        elif verb == "BDAT":
            self.say("BDAT", line, b"503 no\r\n")
        elif verb == "QUIT":
            self.say("QUIT", line, b"221 bye\r\n")
            self.transport.loseConnection()
        elif verb == "RSET":
            self.sender, self.recipients = None, []
            self.say("RSET", line, b"250 ok\r\n")
        else:
            self.say(verb, line, b"250 ok\r\n")

    def connectionLost(self, reason):
        if self in self.factory.server.connections:
            self.factory.server.connections.remove(self)
        self.factory.server.changed()


class ScriptedServer:
    """Listens on loopback, a port of the kernel's choice; `down()` and `up()` keep the port."""

    def __init__(self, capabilities=CAPABILITIES, **behaviour):
        self.capabilities = capabilities
        self.behaviour = behaviour
        self.connections, self.messages, self.commands = [], [], []
        self.opened = self.octets = 0
        self.port = 0
        self._waiting = []
        self._listener = None
        self.up()

    def up(self):
        factory = Factory.forProtocol(ScriptedConnection)
        factory.noisy = False
        factory.server = self
        self._listener = reactor.listenTCP(self.port, factory, interface="127.0.0.1")
        self.port = self._listener.getHost().port

    async def down(self):
        if self._listener:
            listener, self._listener = self._listener, None
            await listener.stopListening()
        for connection in list(self.connections):
            connection.transport.abortConnection()
        await self.until(lambda: not self.connections)

    def changed(self):
        waiting, self._waiting = self._waiting, []
        for deferred in waiting:
            deferred.callback(None)

    async def until(self, condition):
        """Wait until what happens here makes `condition` true."""
        while not condition():
            deferred = Deferred()
            self._waiting.append(deferred)
            await deferred
