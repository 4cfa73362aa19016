"""`emailgency verify`, the part about mail: every invariant of the spool and the Maildirs, read from the disk alone.

Changes nothing and needs no server; while one runs, what it is just doing may be reported. Blocks.
"""

import os
import stat
import time
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from emailgency.codec import maildir, records
from emailgency.store import layout
from emailgency.store.spool import records as spool_records
from emailgency.store.spool import replay
from emailgency.store.spool.live import Live, deliveries
from emailgency.store.storing import annotations, files, keywords
from emailgency.store.storing.delivering import token_of
from emailgency.store.storing.uids import Uids


class Finding(Struct, frozen=True):
    """Something that should not be. `path` is relative to the data folder."""

    path: str
    problem: str


def verify(data: str, now: float | None = None, leftover_age: float = replay.ORPHAN_AGE) -> Iterator[Finding]:
    """All findings; files that belong to nothing count when they are older than `leftover_age` seconds."""
    now = time.time() if now is None else now
    yield from _spool(data, now, leftover_age)
    yield from _maildirs(data, now, leftover_age)


# ---- the spool -------------------------------------------------------------------------------------------


def _spool(data: str, now: float, leftover_age: float) -> Iterator[Finding]:
    state = replay.Replayed({}, 0, [])
    folder = f"{data}/{layout.JOURNAL}"
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        yield from _segment(data, name, state)
    for id, live in state.live.items():
        yield from _message(data, id, live)
    for hour in replay.hours(data):
        for name in os.listdir(hour):
            path = f"{hour}/{name}"
            if name.removesuffix(".msg") not in state.live and now - os.stat(path).st_mtime > leftover_age:
                yield Finding(os.path.relpath(path, data), "belongs to no message of the journal")


def _segment(data: str, name: str, state: replay.Replayed) -> Iterator[Finding]:
    path = f"{layout.JOURNAL}/{name}"
    reader = records.Reader()
    with open(f"{data}/{path}", "rb") as segment:
        octets = segment.read()
    more = True
    while more:
        more = False
        try:
            lines = reader.feed(octets)
        except records.Corrupt as bad:
            yield Finding(path, str(bad))
            lines, octets, more = bad.records, b"", True
        for line in lines:
            try:
                replay.apply(spool_records.decode(line), state)
            except msgspec.DecodeError as error:
                yield Finding(path, f"a record is not understood: {error}")


def _message(data: str, id: str, live: Live) -> Iterator[Finding]:
    """The octets of a message with work left, and that no delivery happened that the journal does not know of."""
    envelope = live.envelope
    path = layout.message(id)
    targets = range(len(envelope.plan))
    if {target for record in live.finished for target in record.targets} | live.remaining != set(targets):
        yield Finding(path, "a target of its plan is neither pending nor done")
    if live.remaining:
        try:
            if os.stat(f"{data}/{path}").st_size != envelope.size:
                yield Finding(path, f"is not of the accepted size {envelope.size}")
            elif replay.checksum(f"{data}/{path}") != envelope.checksum:
                yield Finding(path, "its octets are not those that were accepted")
        except FileNotFoundError:
            yield Finding(path, "is missing, but has targets left")
    for delivery in deliveries(envelope, live.local()):
        for subfolder in ("new", "cur"):
            for name in names(f"{data}/{delivery.folder}/{subfolder}"):
                if maildir.parse(name).id == token_of(id, delivery):
                    yield Finding(f"{delivery.folder}/{subfolder}/{name}", "is delivered, but the journal says pending")


# ---- Maildirs --------------------------------------------------------------------------------------------


def _maildirs(data: str, now: float, leftover_age: float) -> Iterator[Finding]:
    validities: dict[int, str] = {}
    octets = _octets(f"{data}/{layout.UIDVALIDITY}")
    ceiling = int(octets) if octets.strip().isdigit() else 0
    for path in sorted(maildirs(data)):
        folder = os.open(f"{data}/{path}", files.FOLDER)
        try:
            uids = Uids.load(folder, repair=False)
            words = keywords.parse(files.read_all(folder, "dovecot-keywords") or b"")
        finally:
            os.close(folder)
        if uids is None:
            yield Finding(f"{path}/uids", "is missing or not readable")
        else:
            if uids.validity in validities:
                yield Finding(f"{path}/uids", f"has the same UIDVALIDITY as {validities[uids.validity]}")
            if uids.validity >= ceiling:
                yield Finding(f"{path}/uids", "has a UIDVALIDITY that may be given again")
            validities[uids.validity] = path
            yield from _messages(data, path, uids.next, words)
        try:
            if octets := _octets(f"{data}/{path}/{annotations.NAME}"):
                annotations.parse(octets)
        except annotations.Damaged:
            yield Finding(f"{path}/{annotations.NAME}", "is damaged: what mail programs have noted is lost")
        if "/catchall/" in path and _octets(f"{data}/{path}/address").strip() == b"":
            yield Finding(f"{path}/address", "is missing: whose mail this is nobody can tell")
        unfinished = f"{path}/{layout.SUBFOLDERS[0]}"
        for name in names(f"{data}/{unfinished}"):
            if now - os.lstat(f"{data}/{unfinished}/{name}").st_ctime > leftover_age:
                yield Finding(f"{unfinished}/{name}", "was left behind")


def maildirs(data: str) -> Iterator[str]:
    """Paths of all Maildirs, relative to the data folder; symbolic links are not followed."""
    for folder, inner, _ in os.walk(f"{data}/customers"):
        if all(name in inner for name in layout.SUBFOLDERS):
            inner[:] = [name for name in inner if name not in layout.SUBFOLDERS]
            yield os.path.relpath(folder, data)


def _messages(data: str, path: str, ceiling: int, words: tuple[str, ...]) -> Iterator[Finding]:
    seen: dict[int, str] = {}
    for subfolder in ("new", "cur"):
        for name in names(f"{data}/{path}/{subfolder}"):
            at = f"{path}/{subfolder}/{name}"
            status = os.lstat(f"{data}/{at}")
            if not stat.S_ISREG(status.st_mode):
                yield Finding(at, "is no plain file")
                continue
            taken = maildir.parse(name)
            if taken.size >= 0 and taken.size != status.st_size:
                yield Finding(at, f"has {status.st_size} octets")
            if not taken.uid:
                continue  # another program put it here; it gets its UID when the folder is next opened
            if taken.uid >= ceiling:
                yield Finding(at, f"has a UID that was never given; the next one is {ceiling}")
            if taken.uid in seen:
                yield Finding(at, f"has the UID of {seen[taken.uid]}")
            seen[taken.uid] = name
            unnamed = [
                letter for letter in taken.flags if letter.islower() and not "".join(words[ord(letter) - 97 :][:1])
            ]
            if unnamed:
                yield Finding(at, f"has keywords nobody named: {''.join(unnamed)}")


def names(folder: str) -> list[str]:
    """What is in it; nothing, where there is none."""
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []


def _octets(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except FileNotFoundError:
        return b""
