"""What our SMTP server costs by itself: reactor CPU a message with a spool that does nothing, beside a bare protocol.

    python -m benchmarks.smtp_in [messages] [a connection] [octets] [rounds]

Each server is a process of its own, and so are the clients; the figure is CPU of the server process alone, medians of
interleaved rounds, so that noise of the machine hardly moves it. The bare protocol answers fixed replies to whatever
comes and knows nothing: the floor that Twisted and the kernel set. A second one of ours serves while 1,000
connections say one octet each 5 s.
"""

import multiprocessing
import resource
import socket
import statistics
import sys
import time
from multiprocessing.connection import Connection
from typing import Any

from twisted.internet.protocol import Factory, Protocol

REPLIES = {
    b"EHLO": b"250 x\r\n",
    b"MAIL": b"250 x\r\n",
    b"RCPT": b"250 x\r\n",
    b"DATA": b"354 x\r\n",
    b"QUIT": b"221 x\r\n",
}
CLIENTS = 4
SLOW = 1000
BESIDE = "ours beside 1,000 slow ones"


def client(port: int, messages: int, per_connection: int, octets: int) -> None:
    """Lockstep, as most senders are."""
    body = b"Subject: x\r\n\r\n" + (b"a" * 70 + b"\r\n") * (octets // 72) + b".\r\n"
    sent = 0
    while sent < messages:
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.recv(4096)
        dialogue = [b"EHLO client.example\r\n"]
        for _ in range(per_connection):
            dialogue += [b"MAIL FROM:<a@sender.example>\r\n", b"RCPT TO:<u1@mydomain.zz>\r\n", b"DATA\r\n", body]
            sent += 1
        for line in [*dialogue, b"QUIT\r\n"]:
            connection.sendall(line)
            connection.recv(4096)
        connection.close()


def trickle(port: int) -> None:
    """Slow-loris: connections from many networks that never finish a command."""
    sockets = []
    for number in range(SLOW):
        one = socket.socket()
        one.bind((f"127.{1 + number // 200}.{number % 200}.1", 0))
        one.connect(("127.0.0.1", port))
        sockets.append(one)
    while True:
        for one in sockets:
            one.send(b"E")
            time.sleep(5 / SLOW)


def ours(pipe: Connection) -> None:
    from twisted.internet import reactor

    from tests.support.smtp import MemorySpool, build

    class NoSpool(MemorySpool):
        async def commit(self, arrival: object, envelope: object) -> None:
            pass

    serve(reactor, build(reactor, NoSpool()), pipe)


class Bare(Protocol):
    """Fixed replies."""

    data = False

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        self.transport.write(b"220 x\r\n")

    def dataReceived(self, data: bytes) -> None:
        if self.data:
            if data.endswith(b"\r\n.\r\n"):
                self.data = False
                self.transport.write(b"250 x\r\n")
            return
        self.data = data[:4] == b"DATA"
        self.transport.write(REPLIES[data[:4]])
        if data[:4] == b"QUIT":
            self.transport.loseConnection()


def bare(pipe: Connection) -> None:
    from twisted.internet import reactor

    serve(reactor, Factory.forProtocol(Bare), pipe)


def serve(reactor: Any, factory: Factory, pipe: Connection) -> None:
    """Tell the port, then CPU seconds whenever asked."""

    class Asked:
        def fileno(self) -> int:
            return pipe.fileno()

        def doRead(self) -> None:
            pipe.recv()
            usage = resource.getrusage(resource.RUSAGE_SELF)
            pipe.send(usage.ru_utime + usage.ru_stime)

        def logPrefix(self) -> str:
            return "asked"

        def connectionLost(self, reason: object) -> None:
            reactor.stop()

    pipe.send(reactor.listenTCP(0, factory, interface="127.0.0.1").getHost().port)
    reactor.addReader(Asked())
    reactor.run(installSignalHandlers=False)


def spent(pipe: Connection) -> float:
    pipe.send(None)
    return float(pipe.recv())


def measure(port: int, pipe: Connection, messages: int, per_connection: int, octets: int) -> tuple[float, float]:
    """CPU microseconds a message, messages a second."""
    before, started = spent(pipe), time.perf_counter()
    arguments = (port, messages // CLIENTS, per_connection, octets)
    clients = [multiprocessing.Process(target=client, args=arguments) for _ in range(CLIENTS)]
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    return (spent(pipe) - before) / messages * 1e6, messages / (time.perf_counter() - started)


def main() -> None:
    given = [int(word) for word in sys.argv[1:]]
    messages, per_connection, octets, rounds = given + [1000, 1, 4096, 5][len(given) :]
    servers: dict[str, tuple[int, Connection]] = {}
    processes = []
    for name, server in (("bare", bare), ("ours", ours), (BESIDE, ours)):
        here, there = multiprocessing.Pipe()
        processes.append(multiprocessing.Process(target=server, args=(there,), daemon=True))
        processes[-1].start()
        servers[name] = (here.recv(), here)
    processes.append(multiprocessing.Process(target=trickle, args=(servers[BESIDE][0],), daemon=True))
    processes[-1].start()
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in servers}
    for turn in range(rounds + 1):
        for name in sorted(servers, reverse=turn % 2 == 0):
            figure = measure(*servers[name], messages if turn else 400, per_connection, octets)
            if turn:  # the first warms up
                figures[name].append(figure)
    for name, found in figures.items():
        cpu, rate = (statistics.median(column) for column in zip(*found, strict=True))
        print(f"{name}: {cpu:.0f} us CPU a message, {rate:.0f} messages a second")
    for process in processes:
        process.terminate()


if __name__ == "__main__":
    main()
