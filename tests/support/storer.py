"""The storer process without a reactor: a forked child on one end of a socket pair, blocking calls on the other.

Made for tests that kill it, break its disk or look at its files between two requests.
"""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from zlib import crc32

import msgspec

from emailgency.codec import frames
from emailgency.model.envelope import Client, Deliver, Envelope, Recipient, Target
from emailgency.store.ids import Ids
from emailgency.store.spool import records as spool_records
from emailgency.store.spool.live import deliveries
from emailgency.store.spool.records import Accepted
from emailgency.store.storing.child import Storer
from emailgency.store.storing.messages import Asking, Commit, Stop, Telling
from emailgency.store.storing.replies import Delivered, Done, Failed, Reply

_replies = msgspec.msgpack.Decoder(Reply)
_ids = Ids()


class Gone(Exception):
    """The storer ended."""


class StorerProcess:
    """`pid` is its process. `prepare` runs in the child before anything else."""

    def __init__(
        self, data: str, prepare: Callable[[], None] = lambda: None, segment_size: int = 1 << 20, patience: float = 60.0
    ) -> None:
        os.makedirs(data, exist_ok=True)
        ours, theirs = socket.socketpair()
        self.delivered: list[Delivered] = []
        self.mistrusted = False  # its disk is about to go: what it says from now on is no promise
        self._number = 0
        self._frames = frames.Frames()
        self._replies: dict[int, Reply] = {}
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                ours.close()
                sys.stderr = open(os.devnull, "w")  # noqa: SIM115
                prepare()
                Storer(theirs, data, segment_size).run()
                code = 0
            except (BrokenPipeError, ConnectionResetError, SystemExit):
                pass
            finally:
                os._exit(code)
        theirs.close()
        self._line = ours
        self._line.settimeout(patience)

    def number(self) -> int:
        self._number += 1
        return self._number

    def tell(self, *requests: Telling | Asking) -> None:
        """Send in one piece, wait for nothing."""
        try:
            self._line.sendall(b"".join(frames.encode(msgspec.msgpack.encode(request)) for request in requests))
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Gone from error

    def ask(self, request: Asking) -> Reply:
        """The reply, Failed included. Raises Gone."""
        self.tell(request)
        return self.reply(request.number)

    def reply(self, number: int) -> Reply:
        self.until(lambda: number in self._replies)
        return self._replies.pop(number)

    def answered(self, number: int) -> bool:
        return number in self._replies

    def until(self, condition: Callable[[], bool]) -> None:
        """Read replies until the condition holds. Raises Gone."""
        while not condition():
            self.read()

    def read(self, timeout: float | None = None) -> None:
        """Take what comes next."""
        if timeout is not None:
            self._line.settimeout(timeout)
        try:
            octets = self._line.recv(1 << 20)
        except TimeoutError:
            if timeout is None:
                raise
            return
        except ConnectionResetError as error:
            raise Gone from error
        if not octets or self.mistrusted:
            raise Gone
        for payload in self._frames.feed(octets):
            reply = _replies.decode(payload)
            if isinstance(reply, Delivered):
                self.delivered.append(reply)
            self._replies.setdefault(reply.number, reply)

    def stop(self) -> None:
        """Clean end."""
        try:
            assert isinstance(self.ask(Stop(self.number())), Done)
        finally:
            self.wait()

    def kill(self) -> None:
        assert self.pid  # 0 would be our own group
        os.kill(self.pid, signal.SIGKILL)
        self.wait()

    def wait(self) -> None:
        """Reap it."""
        if self.pid:
            os.waitpid(self.pid, 0)
            self.pid = 0
        self._line.setblocking(True)

    def close(self) -> None:
        """Kill it if it is still there."""
        if self.pid:
            self.kill()
        self._line.close()

    # ---- mail --------------------------------------------------------------------------------------------

    def commit_request(self, octets: bytes, plan: tuple[Target, ...], *, fingerprint: str | None = None) -> Commit:
        """A Commit of these octets."""
        envelope = envelope_of(octets, plan, fingerprint=fingerprint)
        record = spool_records.encode(Accepted(envelope))
        return Commit(self.number(), envelope.id, octets, record, deliveries(envelope, range(len(plan))))

    def deliver(self, octets: bytes, *mailboxes: str) -> str:
        """Commit, wait for Done and Delivered. Returns the id."""
        request = self.commit_request(
            octets, tuple(Deliver(customer="c", mailbox=name, recipient=0) for name in mailboxes)
        )
        assert not isinstance(self.ask(request), Failed)
        self.until(lambda: any(event.id == request.id for event in self.delivered))
        return request.id


def envelope_of(octets: bytes, plan: tuple[Target, ...], *, fingerprint: str | None = None) -> Envelope:
    """An envelope of a fresh message with as many recipients as the plan needs."""
    count = max((target.recipient for target in plan), default=0) + 1
    return Envelope(
        id=fresh_id(),
        customer="c",
        sender="sender@example.org",
        received_at=time.time(),
        size=len(octets),
        return_path=0,
        recipients=tuple(Recipient(as_given=f"r{index}@mydomain.zz") for index in range(count)),
        plan=plan,
        client=Client(ip="192.0.2.1"),
        checksum=crc32(octets),
        fingerprint=fingerprint,
    )


def fresh_id() -> str:
    return _ids.fresh(time.time())
