"""How fast the spool commits and delivers, without any server around it: `python benchmarks/storer.py [options]`.

Prints messages a second until the last one is in its mailbox, CPU per message of the reactor (with the work of this
script) and of the storer, latency of a lone message, and how fast a journal is read at start. The folder should lie on
the disk that is meant; on a shared machine compare CPU, not rates.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from emailgency.model.envelope import Client, Deliver, Envelope, Recipient, Relay
from emailgency.store.disk import DiskSettings
from emailgency.store.spool import replay
from emailgency.store.spool.spool import Spool
from emailgency.store.storing.line import Storer

CLIENT = Client(ip="192.0.2.1", helo="mx.example.org", tls="TLSv1.3 TLS_AES_256_GCM_SHA384")


class Benchmark:
    """One run over one data folder."""

    def __init__(self, options: argparse.Namespace, data: str) -> None:
        self.options = options
        self.data = data
        self.octets = b"Return-Path: <sender@example.org>\r\n" + os.urandom(options.size // 2).hex().encode() + b"\r\n"
        self.storer = Storer(reactor, data)
        self.spool = Spool(reactor, self.storer, data, time.time, DiskSettings(reserve=0, ballast=0))
        self.delivered: dict[str, float] = {}
        self.storer.on_event = lambda event: self.delivered.__setitem__(event.id, time.monotonic())

    async def message(self, number: int) -> str:
        now = time.time()
        arrival = self.spool.begin(now)
        for at in range(0, len(self.octets), 65536):
            arrival.write(self.octets[at : at + 65536])
        plan: list[Any] = [Deliver(customer="acme", mailbox=f"m{number % self.options.mailboxes}", recipient=0)]
        if self.options.relay:
            plan.append(Relay(customer="acme", address="paul@mydomain.zz", recipient=0))
        envelope = Envelope(
            id=arrival.id,
            customer="acme",
            sender="sender@example.org",
            received_at=now,
            size=arrival.size,
            return_path=35,
            recipients=(Recipient(as_given="paul@mydomain.zz"),),
            plan=tuple(plan),
            client=CLIENT,
            fingerprint=f"{number:064x}",
        )
        await self.spool.commit(arrival, envelope)
        self.spool.acknowledged(arrival.id)
        return arrival.id

    async def connection(self, first: int) -> None:
        for number in range(first, self.options.messages, self.options.in_flight):
            await self.message(number)

    async def throughput(self) -> None:
        start, cpu = time.monotonic(), (time.process_time(), self.storer_cpu())
        await gatherResults([Deferred.fromCoroutine(self.connection(first)) for first in range(self.options.in_flight)])
        committed = time.monotonic() - start
        while len(self.delivered) < self.options.messages:
            await deferLater(reactor, 0.001)
        stored = time.monotonic() - start
        count = self.options.messages
        ours, storers = time.process_time() - cpu[0], self.storer_cpu() - cpu[1]
        print(f"committed {count / committed:,.0f}/s, stored {count / stored:,.0f}/s")
        print(f"CPU a message: reactor {ours / count * 1e6:.0f} µs, storer {storers / count * 1e6:.0f} µs")

    async def latency(self) -> None:
        commits, deliveries = [], []
        for number in range(100):
            await deferLater(reactor, 0.01)
            start = time.monotonic()
            id = await self.message(number)
            commits.append(time.monotonic() - start)
            while id not in self.delivered:
                await deferLater(reactor, 0.0002)
            deliveries.append(self.delivered[id] - start)
        for word, times in (("to COMMIT", commits), ("to Delivered", deliveries)):
            times.sort()
            print(
                f"a lone message {word}: median {statistics.median(times) * 1e3:.1f} ms, 95 % {times[94] * 1e3:.1f} ms"
            )

    def storer_cpu(self) -> float:
        with open(f"/proc/{self.storer._process.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def run(self) -> None:
        start = time.monotonic()
        await self.storer.start()
        await self.spool.start()
        print(f"started in {(time.monotonic() - start) * 1e3:.0f} ms")
        await self.message(0)
        self.delivered.clear()
        await self.throughput()
        await self.latency()
        journal = sum(entry.stat().st_size for entry in os.scandir(f"{self.data}/spool/journal"))
        start = time.process_time()
        records = 0
        complaints: list[str] = []
        for name in sorted(os.listdir(f"{self.data}/spool/journal")):
            records += sum(1 for _ in replay.read_segment(self.data, name, complaints))
        if records:
            print(f"journal: {records / (time.process_time() - start):,.0f} records/s ({journal >> 10} KiB)")
        await self.spool.stop()
        await self.storer.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--messages", type=int, default=4000)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--in-flight", type=int, default=20)
    parser.add_argument("--mailboxes", type=int, default=50)
    parser.add_argument("--relay", action="store_true", help="leave a target pending, so that nothing ends")
    parser.add_argument("--folder", help="where to make the data folder")
    parser.add_argument("--profile", help="write a cProfile of the reactor there")
    options = parser.parse_args()
    data = tempfile.mkdtemp(dir=options.folder)
    benchmark = Benchmark(options, data)

    def failed(failure: Any) -> None:
        failure.printTraceback()

    def begin() -> None:
        work = Deferred.fromCoroutine(benchmark.run())
        work.addErrback(failed).addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    try:
        if options.profile:
            import cProfile

            cProfile.runctx("reactor.run()", globals(), {}, options.profile)
        else:
            reactor.run()
    finally:
        shutil.rmtree(data)


if __name__ == "__main__":
    main()
