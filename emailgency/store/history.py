"""What customers' servers have gone through, on disk: health changes and incidents, the last ones of each.

One file `history` in the data folder, appended to as things happen and synced in a thread; it is written anew, with
what is still kept, when it has grown. Whoever asks gets what is in memory: the disk is only for the next start. What
cannot be written now is written with what comes next.
"""

import os
from collections import deque
from collections.abc import Iterator
from typing import Any

import msgspec
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from emailgency.background import background
from emailgency.codec import records
from emailgency.model.incident import Event, Incident, Turn
from emailgency.store import layout

TURNS = 100  # kept of each next hop
INCIDENTS = 50  # kept of each customer
HOPS = 20_000  # next hops with a history; beyond, the one that changed longest ago is forgotten
GROWN = 4 << 20  # octets at which the file is written anew, if half of them are no longer kept

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Event)


class History:
    """`start` reads it; without, nothing is known and nothing is written."""

    _log = Logger()

    def __init__(self, reactor: Any, data: str) -> None:
        self._reactor = reactor
        self._path = os.path.join(data, layout.HISTORY)
        self._turns: dict[tuple[str, str], deque[Turn]] = {}
        self._incidents: dict[str, dict[str, Incident]] = {}
        self._unwritten: list[Event] = []
        self._writing = False
        self._started = False
        self._anew = False
        self._size = 0

    def start(self) -> None:
        """Reads the file; at most a few MiB. What is torn or rotten in it is passed over and written anew."""
        reader = records.Reader()
        try:
            with open(self._path, "rb") as file:
                octets = file.read()
        except FileNotFoundError:
            octets = b""
        while True:
            try:
                self._read(reader.feed(octets))
                break
            except records.Corrupt as error:
                self._log.error("ALERT a bad record in {path} is passed over: {error}", path=self._path, error=error)
                self._read(error.records)
                octets, self._anew = b"", True
        self._size = reader.position
        self._anew = self._anew or bool(reader.torn)
        self._started = True

    def add(self, event: Event) -> None:
        """Remember it now, and on disk as soon as may be. An incident with the same id takes the place of the other."""
        self._keep(event)
        if self._started:
            self._unwritten.append(event)
            if not self._writing:
                self._writing = True
                background("writing what became of customers' servers", self._write())

    def turns(self, customer: str, domain: str) -> list[Turn]:
        """Oldest first."""
        return list(self._turns.get((customer, domain), ()))

    def last(self, customer: str, domain: str) -> Turn | None:
        turns = self._turns.get((customer, domain))
        return turns[-1] if turns else None

    def hops(self) -> list[tuple[str, str]]:
        """Customer and domain of all that is known."""
        return list(self._turns)

    def customers(self) -> list[str]:
        """Those who ever had an incident."""
        return list(self._incidents)

    def incidents(self, customer: str) -> list[Incident]:
        """Oldest first."""
        return list(self._incidents.get(customer, {}).values())

    def _read(self, found: list[bytes]) -> None:
        for record in found:
            try:
                self._keep(_decoder.decode(record))
            except msgspec.MsgspecError as error:
                self._log.error("ALERT a record of {path} makes no sense: {error}", path=self._path, error=str(error))

    def _keep(self, event: Event) -> None:
        if isinstance(event, Turn):
            key = event.customer, event.domain
            turns = self._turns.pop(key, None) or deque(maxlen=TURNS)
            self._turns[key] = turns  # at the end: it changed last
            turns.append(event)
            if len(self._turns) > HOPS:
                del self._turns[next(iter(self._turns))]
            return
        of_customer = self._incidents.setdefault(event.customer, {})
        of_customer[event.id] = event
        if len(of_customer) > INCIDENTS:
            del of_customer[next(iter(of_customer))]

    def _kept(self) -> Iterator[Event]:
        for turns in self._turns.values():
            yield from turns
        for of_customer in self._incidents.values():
            yield from of_customer.values()

    async def _write(self) -> None:
        try:
            while self._unwritten:
                events, self._unwritten = self._unwritten, []
                anew = self._anew or self._size > GROWN
                octets = b"".join(_line(event) for event in (self._kept() if anew else events))
                try:
                    pool = self._reactor.getThreadPool()
                    await deferToThreadPool(self._reactor, pool, _replace if anew else _append, self._path, octets)
                except OSError as error:
                    self._unwritten = events + self._unwritten
                    self._anew = True  # whether a part of it is there is not known
                    self._log.warn("{path} cannot be written: {error}", path=self._path, error=error)
                    return  # the next event tries again
                self._size = len(octets) + (0 if anew else self._size)
                self._anew = False
        finally:
            self._writing = False


def _line(event: Event) -> bytes:
    return records.encode(_encoder.encode(event))


def _append(path: str, octets: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.write(descriptor, octets) != len(octets):
            raise OSError("no space left on device")
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def _replace(path: str, octets: bytes) -> None:
    descriptor = os.open(f"{path}.new", os.O_WRONLY | os.O_TRUNC | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(octets)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(f"{path}.new", path)
    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
