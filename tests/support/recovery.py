"""A start after a crash, with the real spool in a real reactor; its storer is a fork instead of a new interpreter.

To be called in a fork of a process that has not imported the reactor; all that it imports has been, which is most of
the time of a start.
"""

import os
import resource
import socket
import sys
import time
from typing import Any
from zlib import crc32

import msgspec
import twisted.internet.epollreactor  # noqa: F401
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory

from emailgency.model.envelope import Client, Envelope, Recipient, Target
from emailgency.model.errors import Temporary
from emailgency.store import layout
from emailgency.store.disk import DiskSettings
from emailgency.store.spool.spool import Spool
from emailgency.store.storing import child
from emailgency.store.storing.line import Storer, _Line
from emailgency.store.storing.messages import Open, Vanished
from emailgency.store.storing.replies import Gone, Opened
from emailgency.store.verify import maildirs, verify
from tests.support.told import Told

NO_LIMITS = DiskSettings(reserve=0, files=0, ballast=0, interval=3600.0)
PATIENCE = 60.0  # seconds


class Retry(msgspec.Struct):
    """A transaction whose sender got no 250 and comes again."""

    octets: bytes
    plan: tuple[Target, ...]
    fingerprint: str


class ForkedStorer(Storer):
    """Its process is a fork of this one."""

    def _spawn(self) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self._pid = os.fork()
        if self._pid == 0:
            try:
                _keep_only(theirs.fileno())
                sys.stderr = open(os.devnull, "w")  # noqa: SIM115
                child.Storer(theirs, self._data, self.settings.segment_size).run()
            finally:
                os._exit(0)
        theirs.close()
        self._process = self._pid
        line = self._line = _Line(self)
        self._reactor.adoptStreamConnection(ours.fileno(), socket.AF_UNIX, Factory.forProtocol(lambda: line))
        self._spare = ours
        self._transport = line.transport

    def _kill(self) -> None:
        os.kill(self._pid, 9)

    def line_lost(self) -> None:
        os.waitpid(self._pid, 0)
        self._process = None
        super().line_lost()


def _keep_only(descriptor: int) -> None:
    """Close what a process that was spawned would not have: listening sockets above all."""
    os.closerange(3, descriptor)
    os.closerange(descriptor + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def recover(data: str, retries: str, clients: str = "[]") -> dict[str, Any]:
    """Start on `data`, let the senders of `retries` (JSON of list[Retry]) and the `clients` (of list[Told]) come
    again, stop. Tells what is pending, what is wrong, and to how many clients all could be told that they had missed.
    """
    from twisted.internet import reactor

    answer: dict[str, Any] = {}
    senders = msgspec.json.decode(retries, type=list[Retry])
    work = Deferred.fromCoroutine(_recover(reactor, data, senders, msgspec.json.decode(clients, type=list[Told])))
    work.addBoth(lambda result: (answer.update(result=result), reactor.stop()))
    reactor.callLater(PATIENCE, reactor.stop)
    reactor.run(installSignalHandlers=False)
    result = answer.get("result")
    if not isinstance(result, dict):
        result.raiseException() if result is not None else None
        raise AssertionError("recovery did not end")
    return result


async def _recover(reactor: Any, data: str, retries: list[Retry], clients: list[Told]) -> dict[str, Any]:
    storer = ForkedStorer(reactor, data)
    await storer.start()
    spool = Spool(reactor, storer, data, time.time, NO_LIMITS)
    await spool.start()
    for retry in retries:
        if spool.repeated(retry.fingerprint) is None:
            await _send(spool, retry)
    while any(live.local() for live in spool.live.values()):
        tick: Deferred[None] = Deferred()
        reactor.callLater(0.002, tick.callback, None)
        await tick
    for folder in list(maildirs(data)):
        await storer.ask(Open(storer.number(), folder))
    remembered, findings = await _compare(storer, clients)
    pending = {spool.path(id): sorted(live.remaining) for id, live in spool.live.items()}
    await spool.stop()
    await storer.stop()
    findings += [f"{finding.path}: {finding.problem}" for finding in verify(data)]
    corrupt = os.path.join(data, layout.CORRUPT)
    findings += [f"corrupt: {name}" for name in (os.listdir(corrupt) if os.path.isdir(corrupt) else ())]
    return {"pending": pending, "findings": findings, "remembered": remembered}


async def _compare(storer: Storer, clients: list[Told]) -> tuple[int, list[str]]:
    remembered, wrong = 0, []
    for client in clients:
        gone = await storer.ask(Vanished(storer.number(), client.folder, client.highest))
        now = await storer.ask(Open(storer.number(), client.folder))
        if isinstance(gone, Gone) and isinstance(now, Opened):
            remembered += gone.known
            wrong += client.complaints(now, gone)
        else:
            wrong.append(f"{client.folder}: {gone}, {now}")
    return remembered, wrong


async def _send(spool: Spool, retry: Retry) -> None:
    arrival = spool.begin(time.time())
    arrival.write(retry.octets)
    envelope = Envelope(
        id=arrival.id,
        customer="c",
        sender="s@example.org",
        received_at=time.time(),
        size=arrival.size,
        return_path=0,
        recipients=(Recipient(as_given="r0@mydomain.zz"), Recipient(as_given="r1@mydomain.zz")),
        plan=retry.plan,
        client=Client(ip="192.0.2.1"),
        checksum=crc32(retry.octets),
        fingerprint=retry.fingerprint,
    )
    for _ in range(3):
        try:
            await spool.commit(arrival, envelope)
        except Temporary:
            continue
        return
