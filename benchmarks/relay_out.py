"""CPU a relayed message costs the reactor: our lane and courier beside a bare protocol that writes the same octets.

    PYTHONPATH=. python benchmarks/relay_out.py [messages] [connections] [octets] [--profile]

The sink is a child process that answers and counts; the spool records nothing. Rounds alternate between the two, and
medians are printed: CPU is of this process alone.
"""

import argparse
import cProfile
import os
import pstats
import statistics
import subprocess
import sys
import tempfile
import time

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred, gatherResults
from twisted.internet.protocol import ClientFactory, Factory, Protocol
from twisted.internet.task import react

from emailgency.model.envelope import Relay
from emailgency.store.disk import DiskSettings
from emailgency.store.spool.spool import Spool
from emailgency.store.storing.line import Storer, StorerSettings
from tests.support.asynchronous import until
from tests.support.null_spool import NullSpool, envelope
from tests.support.relaying import means, relay

HELLO = b"250-sink\r\n250-PIPELINING\r\n250-SIZE 104857600\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"


class Sink(Protocol):
    """Answers every command with 250 and every body with 250; looks at line ends, not at lines."""

    def connectionMade(self):
        self.transport.setTcpNoDelay(True)
        self.rest, self.body = b"", False
        self.transport.write(b"220 sink\r\n")

    def dataReceived(self, data):
        data, out = self.rest + data, []
        while data:
            if self.body:
                _, found, tail = data.partition(b"\r\n.\r\n")
                if not found:
                    data = data[-4:]
                    break
                data, self.body = tail, False
                out.append(b"250 2.0.0 taken\r\n")
                continue
            line, found, tail = data.partition(b"\r\n")
            if not found:
                break
            data = tail
            if line.startswith(b"EHLO"):
                out.append(HELLO)
            elif line == b"DATA":
                out.append(b"354 go\r\n")
                self.body = True
            else:
                out.append(b"250 2.1.0 ok\r\n")
        self.rest = data
        self.transport.write(b"".join(out))


def sink():
    """The child: prints its port."""
    port = reactor.listenTCP(0, Factory.forProtocol(Sink), interface="127.0.0.1")
    print(port.getHost().port, flush=True)
    reactor.run()


class Bare(Protocol):
    """The least that can be done: octets made beforehand, replies counted by their line ends."""

    def __init__(self, run):
        self.run, self.state, self.owed = run, "banner", 0

    def connectionMade(self):
        self.transport.setTcpNoDelay(True)

    def dataReceived(self, data):
        if self.state == "banner":
            self.state = "hello"
            self.transport.write(b"EHLO x\r\n")
            return
        if self.state == "hello":
            if not data.endswith(b"250 SMTPUTF8\r\n"):
                return
            self.state = "mail"
            self.begin(b"")
            return
        self.owed -= data.count(b"\n")
        if self.owed == 0:
            self.run.count += 1
            with open(self.run.path, "rb") as file:
                body = file.read()
            self.begin(body + b".\r\n")

    def begin(self, body):
        if self.run.left > 0:
            self.run.left -= 1
            self.owed = 3 + bool(body)
            self.transport.write(body + b"MAIL FROM:<a@b.zz>\r\nRCPT TO:<c@d.zz>\r\nDATA\r\n")
        else:
            self.transport.write(body or b"QUIT\r\n")
            self.run.finished()


class BareRun:
    def __init__(self, path, messages, connections):
        self.path, self.left, self.count, self.open = path, messages, 0, connections
        self.done = Deferred()

    def finished(self):
        self.open -= 1
        if not self.open:
            self.done.callback(None)


async def bare(port, path, messages, connections):
    run = BareRun(path, messages, connections)
    for _ in range(connections):
        factory = ClientFactory()
        factory.noisy = False
        factory.buildProtocol = lambda _: Bare(run)
        reactor.connectTCP("127.0.0.1", port, factory)
    await run.done


async def ours(port, path, messages, connections):
    spool = NullSpool(path)
    done = Deferred()
    size = os.path.getsize(path)
    for number in range(messages):
        plan = (Relay(customer="acme", address=f"u{number}@mydomain.zz", recipient=0),)
        spool.accept(envelope(f"m{number}", plan, size=size, return_path=0, received_at=reactor.seconds()))
    finished = spool.finished

    async def counting(id, targets, outcome):
        await finished(id, targets, outcome)
        if not spool.live:
            done.callback(None)

    spool.finished = counting
    flow = relay(spool, reactor, port, connections=connections, means_=means(spool, reactor, ports=(port,)))
    before = time.process_time()
    flow.start()
    await done
    used = time.process_time() - before
    await flow.stop()
    flow.cut()
    return used


async def drain(port, path, messages, connections):
    """The same backlog out of a real spool: every result synced before the next final dot of its connection."""
    with open(path, "rb") as file:
        body = file.read()
    with tempfile.TemporaryDirectory(dir=".") as data:
        storer = Storer(reactor, data, StorerSettings())
        await storer.start()
        spool = Spool(reactor, storer, data, time.time, DiskSettings(reserve=0, files=0, ballast=0))
        await spool.start()
        await gatherResults([ensureDeferred(accept(spool, number, body)) for number in range(messages)])
        flow = relay(spool, reactor, port, connections=connections, means_=means(spool, reactor, ports=(port,)))
        cpu, wall = time.process_time(), time.perf_counter()
        flow.start()
        await until(lambda: not spool.live, 0.01)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        await flow.stop()
        await spool.stop()
        await storer.stop()
    return cpu, wall


async def accept(spool, number, body):
    arrival = spool.begin(time.time())
    arrival.write(body)
    plan = (Relay(customer="acme", address=f"u{number}@mydomain.zz", recipient=0),)
    size = {"size": arrival.size, "return_path": 0, "received_at": time.time()}
    await spool.commit(arrival, envelope(arrival.id, plan, **size))


async def main(_, options):
    child = subprocess.Popen([sys.executable, __file__, "--sink"], stdout=subprocess.PIPE)
    port = int(child.stdout.readline())
    with tempfile.NamedTemporaryFile(delete=False) as file:
        line = b"x" * 76 + b"\r\n"
        file.write(b"Subject: benchmark\r\n\r\n" + line * (options.octets // len(line)))
    for connections in options.drain:
        rounds = [await drain(port, file.name, options.messages, connections) for _ in range(options.rounds)]
        cpu, wall = (statistics.median(column) for column in zip(*rounds, strict=True))
        cpu, rate = 1e3 * cpu / options.messages, options.messages / wall
        print(f"real spool, {connections:2} connections: {cpu:.3f} ms CPU a message, {rate:.0f} messages/s")
    if options.drain:
        child.terminate()
        return
    rows = {"bare": [], "ours": []}
    for round_ in range(options.rounds):
        for name, work in (("bare", bare), ("ours", ours)) if round_ % 2 else (("ours", ours), ("bare", bare)):
            profile = cProfile.Profile() if options.profile and name == "ours" else None
            if profile:
                profile.enable()
            cpu, wall = time.process_time(), time.perf_counter()
            inner = await work(port, file.name, options.messages, options.connections)
            cpu, wall = (inner or time.process_time() - cpu), time.perf_counter() - wall
            if profile:
                profile.disable()
                pstats.Stats(profile).sort_stats("tottime").print_stats(35)
            rows[name].append((1e3 * cpu / options.messages, options.messages / wall))
    for name, values in rows.items():
        cpu, rate = (statistics.median(column) for column in zip(*values, strict=True))
        print(f"{name:5} {cpu:6.3f} ms CPU a message  {rate:8.0f} messages/s")
    child.terminate()
    os.unlink(file.name)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("messages", nargs="?", type=int, default=2000)
    parser.add_argument("connections", nargs="?", type=int, default=5)
    parser.add_argument("octets", nargs="?", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--drain", type=int, nargs="*", default=[], help="connections to try with a real spool")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--sink", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.sink:
        sink()
    else:
        react(lambda *args: ensureDeferred(main(*args)), (given,))
