"""Start-up: what the spool journal says is live, and what on the disk belongs to nothing. Blocks; made for a thread.

Nothing that cannot be read is deleted: a bad record, a message whose octets disagree with its envelope, each is put
into `spool/corrupt/` and told.
"""

import contextlib
import os
from collections.abc import Iterator
from zlib import crc32

import msgspec
from msgspec import Struct

from emailgency.codec import records
from emailgency.store import layout
from emailgency.store.spool import records as spool_records
from emailgency.store.spool.live import Live
from emailgency.store.spool.records import Accepted, Acknowledged, Finished, Tried

ORPHAN_AGE = 3600.0  # seconds: no transaction lasts that long (RFC 5321 section 4.5.3.2 sums to less)
_HOUR_FOLDER_AGE = 48 * 3600.0  # seconds until an empty hour folder goes
_SUSPECT = 120.0  # seconds before the last record of which the octets are read and not only the size
_PIECE = 1 << 20


class Replayed(Struct):
    """`complaints` are sentences for the log."""

    live: dict[str, Live]
    segment: int
    complaints: list[str]


def replay(data: str) -> Replayed:
    """Read all segments in order and look after the .msg of what is live."""
    state = Replayed({}, 0, [])
    folder = f"{data}/{layout.JOURNAL}"
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        state.segment = int(name.partition(".")[0])
        for record in read_segment(data, name, state.complaints):
            apply(record, state)
    _look_after(data, state)
    return state


def read_segment(data: str, name: str, complaints: list[str]) -> Iterator[spool_records.Record]:
    """The good records of a segment. A torn last one was never answered for."""
    reader = records.Reader()
    with open(f"{data}/{layout.JOURNAL}/{name}", "rb") as segment:
        more = True
        while more:
            octets = segment.read(_PIECE)
            more = bool(octets)
            for record in _fed(data, name, reader, octets, complaints):
                try:
                    yield spool_records.decode(record)
                except msgspec.DecodeError as error:
                    complaints.append(f"{name}: a record is not understood: {error}")
                    _keep(data, f"{name}.{reader.position}", record)


def _fed(data: str, name: str, reader: records.Reader, octets: bytes, complaints: list[str]) -> list[bytes]:
    got: list[bytes] = []
    while True:
        try:
            return got + reader.feed(octets)
        except records.Corrupt as bad:
            complaints.append(f"{name}: {bad}")
            _keep(data, f"{name}.{bad.position}", bad.line)
            got += bad.records
            octets = b""


def apply(record: spool_records.Record, state: Replayed) -> None:
    """Take one record, in the order of the journal."""
    if isinstance(record, Accepted):
        envelope = record.envelope
        live = state.live.get(envelope.id)
        if live is None:
            live = state.live[envelope.id] = Live(envelope, set(range(len(envelope.plan))))
            live.acknowledged = envelope.fingerprint is None
        live.segment = state.segment
    elif isinstance(record, Finished):
        if record.id in state.live:
            state.live[record.id].finish(record)
    elif isinstance(record, Tried):
        if record.id in state.live:
            state.live[record.id].attempt(record)
    elif isinstance(record, Acknowledged):
        for id in record.ids:
            if id in state.live:
                state.live[id].acknowledged = True
    else:
        for id in record.ids:
            state.live.pop(id, None)


def _look_after(data: str, state: Replayed) -> None:
    """Move messages whose octets are not those of their envelope out of the way."""
    newest = max((live.envelope.received_at for live in state.live.values()), default=0.0)
    for id, live in list(state.live.items()):
        if not live.remaining:
            continue
        path = f"{data}/{layout.message(id)}"
        try:
            size = os.stat(path, follow_symlinks=False).st_size
            good = size == live.envelope.size
            if good and live.envelope.received_at > newest - _SUSPECT:
                good = checksum(path) == live.envelope.checksum
        except OSError as error:
            state.complaints.append(f"{id}: {error.strerror}: {path}")
            good = False
        if not good:
            state.complaints.append(f"{id}: its octets are not what was accepted; put into {layout.CORRUPT}")
            _keep(data, f"{id}.json", msgspec.json.encode(live.envelope))
            with contextlib.suppress(OSError):
                os.rename(path, f"{data}/{layout.CORRUPT}/{id}.msg")
            live.remaining.clear()
            live.acknowledged = True


def checksum(path: str) -> int:
    """crc32 of a file."""
    value = 0
    with open(path, "rb") as stream:
        while piece := stream.read(_PIECE):
            value = crc32(piece, value)
    return value


def sweep(data: str, known: frozenset[str], mark: str, now: float, keep: bool) -> int:
    """Unlink .msg files that no record knows, an hour after their last octet. Returns how many.

    Those with our own `mark` are left to the next start: one that comes while we look is not in `known`, and looks old
    to a clock that has jumped. `keep`: the journal has lost a record, which may have been theirs, so they are put with
    what is corrupt.
    """
    swept = 0
    for hour in hours(data):
        for name in os.listdir(hour):
            path = f"{hour}/{name}"
            ours = name[:-4] in known or name.endswith(f"{mark}.msg")
            if name.endswith(".msg") and not ours and _age(path, now) > ORPHAN_AGE:
                with contextlib.suppress(OSError):
                    if keep:
                        os.makedirs(f"{data}/{layout.CORRUPT}", mode=0o700, exist_ok=True)
                        os.rename(path, f"{data}/{layout.CORRUPT}/{name}")
                    else:
                        os.unlink(path)
                    swept += 1
        if _age(hour, now) > _HOUR_FOLDER_AGE:
            with contextlib.suppress(OSError):
                os.rmdir(hour)  # refused unless empty
    return swept


def hours(data: str) -> list[str]:
    """The hour folders of the spool."""
    spool = f"{data}/{layout.SPOOL}"
    names = os.listdir(spool) if os.path.isdir(spool) else []
    return [f"{spool}/{name}" for name in sorted(names) if name[:1].isdigit()]


def _age(path: str, now: float) -> float:
    try:
        return now - os.stat(path, follow_symlinks=False).st_mtime
    except OSError:
        return 0.0


def _keep(data: str, name: str, octets: bytes) -> None:
    """Put evidence into the folder of corrupt things."""
    folder = f"{data}/{layout.CORRUPT}"
    os.makedirs(folder, mode=0o700, exist_ok=True)
    with open(f"{folder}/{name}", "wb") as evidence:
        evidence.write(octets)
