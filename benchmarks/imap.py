"""What IMAP commands cost: CPU of the reactor and of the storer a command, beside a bare protocol that answers OK.

    python -m benchmarks.imap [messages]

The server is a process of its own with a storer on a temporary folder and no directory; one client talks to it in
lockstep. `again` is the same command once more, when caches are full. Microseconds a command, or a message where a
command names many; medians of the repetitions. The ratio is to the bare protocol of the same run.
"""

import multiprocessing
import os
import socket
import statistics
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

from twisted.internet.protocol import Factory, Protocol

MESSAGES = 5000
BODY = b"Hello Paul,\r\nhere is the invoice of this month.\r\n" * 40
PART = (
    b"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + BODY + b"--b\r\nContent-Type: text/html\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\n<p>" + BODY + b"</p>\r\n--b--\r\n"
)


def message(number: int) -> bytes:
    """Every fourth has two parts."""
    kind, content = (b"multipart/alternative; boundary=b", PART) if number % 4 == 0 else (b"text/plain", BODY)
    return (
        b"Return-Path: <anna%d@other.zz>\r\nReceived: from mx.other.zz (mx.other.zz [192.0.2.1])\r\n"
        b"\tby mx.mydomain.zz; Fri, 20 Nov 2026 10:00:00 +0000\r\nFrom: Anna Bee <anna%d@other.zz>\r\n"
        b"To: Paul <paul@mydomain.zz>\r\nSubject: Invoice %d of this month\r\n"
        b"Date: Fri, 20 Nov 2026 10:00:00 +0000\r\nMessage-ID: <%d@other.zz>\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: %b\r\n\r\n%b" % (number % 50, number % 50, number, number, kind, content)
    )


def ours(pipe: Connection, messages: int) -> None:
    """Serve a mailbox of so many messages until the pipe is closed."""
    from twisted.internet import reactor
    from twisted.internet.defer import Deferred
    from twisted.internet.threads import deferToThread

    from tests.support.imap import Office

    async def run() -> None:
        office = Office()
        inbox = os.path.join(office.disk(), "new")
        os.makedirs(inbox)
        for number in range(messages):
            with open(os.path.join(inbox, f"1763632800.M{number:06}.host"), "wb") as file:
                file.write(message(number))
        await office.start()
        pipe.send(office.port)
        await deferToThread(pipe.recv)
        await office.stop()
        reactor.stop()

    reactor.callWhenRunning(lambda: Deferred.fromCoroutine(run()))
    reactor.run()


class Bare(Protocol):
    """Says OK to each line: the floor that Twisted and the kernel set."""

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        self.transport.write(b"* OK\r\n")

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data.partition(b" ")[0] + b" OK done\r\n")


def bare(pipe: Connection, messages: int) -> None:
    from twisted.internet import reactor

    port = reactor.listenTCP(0, Factory.forProtocol(Bare), interface="127.0.0.1")
    pipe.send(port.getHost().port)
    reactor.callInThread(lambda: (pipe.recv(), reactor.callFromThread(reactor.stop)))
    reactor.run()


class Server:
    """One of the above in its own process, and a client of it."""

    def __init__(self, serve: Callable[[Connection, int], None], messages: int) -> None:
        self._pipe, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.Process(target=serve, args=(theirs, messages), daemon=True)
        self._process.start()
        self._socket = socket.create_connection(("127.0.0.1", self._pipe.recv()))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = self._socket.recv(4096)
        self._number = 0

    def command(self, text: bytes) -> None:
        """Until its tagged answer, which has to be OK."""
        self._number += 1
        tag = b"T%d " % self._number
        self._socket.sendall(tag + text + b"\r\n")
        tail = b""
        while not (tail.endswith(b"\r\n") and tail[:-2].rpartition(b"\n")[2].startswith(tag)):
            tail = (tail + self._socket.recv(1 << 20))[-4096:]
        last = tail[:-2].rpartition(b"\n")[2]
        assert last.startswith(tag + b"OK"), last

    def cpu(self) -> tuple[float, float]:
        """Seconds of the process with all its threads, and of its storer."""
        pid = self._process.pid
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            children = file.read().split()
        return _seconds(str(pid)), sum(_seconds(child) for child in children if _is_storer(child))

    def measure(self, text: bytes, times: int) -> tuple[float, float]:
        """Microseconds a command, medians of five rounds."""
        found = []
        for _ in range(5 if times > 1 else 1):
            before = self.cpu()
            for _ in range(times):
                self.command(text)
            found.append([(after - earlier) / times * 1e6 for earlier, after in zip(before, self.cpu(), strict=True)])
        reactor, storer = zip(*found, strict=True)
        return statistics.median(reactor), statistics.median(storer)

    def end(self) -> None:
        self._socket.close()
        self._pipe.send(None)
        self._process.join(20)


def _is_storer(pid: str) -> bool:
    """The other child, that makes the search index, is not what commands wait for."""
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return b"storing" in file.read()


def _seconds(pid: str) -> float:
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat") as file:
            total += int(file.read().split()[0])
    return total / 1e9


def main() -> None:
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else MESSAGES
    floor = Server(bare, 0)
    server = Server(ours, messages)
    server.command(b"LOGIN paul secret1A")
    server.command(b"SELECT INBOX")
    server.command(b"CREATE Copies")
    time.sleep(3)  # until a folder is old enough to be known as quiet by its times
    least, _ = floor.measure(b"NOOP", 300)
    print(f"bare protocol: {least:.0f} us of the reactor a command\n\ncommand, us each{'':20}reactor   ratio  storer")
    for text in (
        b"NOOP",
        b"UID FETCH 17 (FLAGS)",
        b"UID FETCH 17 (BODY.PEEK[])",
        b"UID STORE 17 FLAGS (\\Seen)",
        b"UID STORE 17 -FLAGS (\\Seen)",
        b"UID COPY 17 Copies",
        b"STATUS Copies (MESSAGES UNSEEN)",
        b"SELECT INBOX",
    ):
        reactor, storer = server.measure(text, 100)
        print(f"{text.decode():36}{reactor:7.0f}{reactor / least:8.1f}{storer:8.0f}")
    print(f"\nof {messages} messages, us each")
    headers = b"FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (From To Subject Date)])"
    for text in (
        b"FETCH 1:* (FLAGS)",
        b"FETCH 1:* (ENVELOPE BODYSTRUCTURE)",
        b"FETCH 1:* (ENVELOPE BODYSTRUCTURE)",
        headers,
        headers,
        b"FETCH 1:* (BODY.PEEK[])",
        b"STORE 1:* +FLAGS.SILENT (\\Flagged)",
        b"COPY 1:* Copies",
    ):
        reactor, storer = server.measure(text, 1)
        print(f"{text.decode()[:34]:36}{reactor / messages:7.1f}{'':8}{storer / messages:8.1f}")
    server.end()
    floor.end()


if __name__ == "__main__":
    main()
