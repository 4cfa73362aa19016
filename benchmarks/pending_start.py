"""What pending mail costs a server that starts: time and memory until the spool and all lanes are there again.

    PYTHONPATH=. python benchmarks/pending_start.py [messages] [customers]

The journal is written beforehand as the storer would have left it; no customer's server answers.
"""

import os
import resource
import sys
import tempfile
import time
import zlib

from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import react

from emailgency.model.directory import Customer
from emailgency.model.envelope import Relay
from emailgency.rules.retry import RetrySettings
from emailgency.store import layout
from emailgency.store.disk import DiskSettings
from emailgency.store.spool import records as spool_records
from emailgency.store.spool.records import Accepted
from emailgency.store.spool.spool import Spool
from emailgency.store.storing.line import Storer, StorerSettings
from tests.support.null_spool import envelope
from tests.support.relaying import means, relay

BODY = b"Return-Path: <sender@example.org>\r\nSubject: pending\r\n\r\n" + b"x" * 500 + b"\r\n"


def fill(data, messages, customers):
    now = int(time.time()) - 3600
    fixed = {"received_at": float(now), "checksum": zlib.crc32(BODY)}
    os.makedirs(f"{data}/{layout.JOURNAL}")
    os.makedirs(f"{data}/{os.path.dirname(layout.message(f'{now:08x}a'))}", exist_ok=True)
    with open(f"{data}/{layout.segment(1)}", "wb") as journal:
        for number in range(messages):
            id = f"{now:08x}{number:08d}"
            path = f"{data}/{layout.message(id)}"
            if number % 1000 == 0:
                original = path
                with open(path, "wb") as file:
                    file.write(BODY)
            else:
                os.link(original, path)
            plan = (Relay(customer=f"c{number % customers}", address=f"u{number}@mydomain.zz", recipient=0),)
            one = envelope(id, plan, customer=f"c{number % customers}", size=len(BODY), **fixed)
            journal.write(spool_records.encode(Accepted(one)))


async def main(_, messages, customers):
    with tempfile.TemporaryDirectory(dir=".") as data:
        fill(data, messages, customers)
        before = memory()
        cpu, wall = time.process_time(), time.perf_counter()
        storer = Storer(reactor, data, StorerSettings())
        await storer.start()
        spool = Spool(reactor, storer, data, time.time, DiskSettings(reserve=0, files=0, ballast=0))
        await spool.start()
        print(f"spool read: {time.perf_counter() - wall:.1f} s, {time.process_time() - cpu:.1f} s CPU")
        flow = relay(spool, reactor, 1, means_=means(spool, reactor, ports=(1,), retry=RetrySettings()))
        acme = flow.directory.by_id["acme"]
        for number in range(customers):
            flow.directory.by_id[f"c{number}"] = Customer(
                id=f"c{number}",
                domain="mydomain.zz",
                alternate_domain="mydomainzz.test",
                smtp_transport=acme.smtp_transport,
            )
        flow.start()
        print(f"lanes made: {time.perf_counter() - wall:.1f} s, {time.process_time() - cpu:.1f} s CPU")
        found = sum(len(lane.queue) + lane.carrying for lane in flow.lanes())
        print(
            f"{found} pending in {len(list(flow.lanes()))} lanes, {(memory() - before) / 1024:.0f} MiB more than before"
        )
        flow.cut()
        await flow.stop()
        await spool.stop()
        await storer.stop()


def memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    react(lambda *args: ensureDeferred(main(*args)), (*given, *(100_000, 100)[len(given) :]))
