"""A file of events that are remembered in memory, for the next start: appended to as things happen, synced in a thread.

It is written anew, with what is still kept, when it has grown. What cannot be written now is written with what comes
next.
"""

import os
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

import msgspec
from twisted.logger import Logger

from emailgency.background import background, in_thread
from emailgency.codec import records

GROWN = 4 << 20  # octets at which the file is written anew, if half of them are no longer kept

E = TypeVar("E")


class EventFile(Generic[E]):
    """`keep` remembers an event, `kept` gives all that are; without `start` nothing is written."""

    _log = Logger()

    def __init__(
        self, reactor: Any, path: str, type: Any, keep: Callable[[E], None], kept: Callable[[], Iterable[E]]
    ) -> None:
        """`type`: what msgspec makes of a record."""
        self._reactor = reactor
        self._path = path
        self._encoder = msgspec.json.Encoder()
        self._decoder: msgspec.json.Decoder[E] = msgspec.json.Decoder(type)
        self._keep = keep
        self._kept = kept
        self._unwritten: list[E] = []
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

    def add(self, event: E) -> None:
        """Remember it now, and on disk as soon as may be."""
        self._keep(event)
        if self._started:
            self._unwritten.append(event)
            if not self._writing:
                self._writing = True
                background(f"writing {os.path.basename(self._path)}", self._write())

    @property
    def busy(self) -> bool:
        """Something is not on disk yet."""
        return self._writing or bool(self._unwritten)

    def _read(self, found: list[bytes]) -> None:
        for record in found:
            try:
                self._keep(self._decoder.decode(record))
            except msgspec.MsgspecError as error:
                self._log.error("ALERT a record of {path} makes no sense: {error}", path=self._path, error=str(error))

    async def _write(self) -> None:
        try:
            while self._unwritten:
                events, self._unwritten = self._unwritten, []
                anew = self._anew or self._size > GROWN
                octets = b"".join(self._line(event) for event in (self._kept() if anew else events))
                try:
                    await in_thread(self._reactor, _replace if anew else _append, self._path, octets)
                except OSError as error:
                    self._unwritten = events + self._unwritten
                    self._anew = True  # whether a part of it is there is not known
                    self._log.warn("{path} cannot be written: {error}", path=self._path, error=error)
                    return  # the next event tries again
                self._size = len(octets) + (0 if anew else self._size)
                self._anew = False
        finally:
            self._writing = False

    def _line(self, event: E) -> bytes:
        return records.encode(self._encoder.encode(event))


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
