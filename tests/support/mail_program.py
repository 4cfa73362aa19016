"""A user at work in one mailbox: appends, copies, moves, flags and expunges, while the server dies under him."""

import contextlib
import random
import threading
import time

from tests.support.cabinet import Cabinet, Doubt
from tests.support.door import Closed, Door
from tests.support.imap_line import ImapLine, No, Seen
from tests.support.letters import letter
from tests.support.promises import Promises

FOLDERS = ("INBOX", "Archive", "Trash")
FULL = 50  # messages of a folder from which on more is thrown away than kept
PAUSE = 0.01  # seconds between two requests
RETRY = 0.02  # seconds until a server that was not ready is asked again
FLAGS = ("\\Seen", "\\Flagged", "\\Answered", "$Work")


class MailProgram(threading.Thread):
    """`enough` set: it looks at everything until all that is due has come, and ends."""

    def __init__(self, seed: int, name: str, address: str, password: str, door: Door, promises: Promises) -> None:
        super().__init__(name=f"user {name}", daemon=True)
        self.enough = threading.Event()
        self.cabinet = Cabinet(
            name,
            lambda label: promises.may_arrive(name, label),
            promises.complain,
            {folder: {} for folder in FOLDERS},
        )
        self.forgiven: float | None = None  # set after a power loss, for the next look
        self.deeds = 0
        self._mailbox = name
        self._login = f'LOGIN {address} "{password}"'
        self._chance = random.Random(f"{seed} {name}")
        self._door = door
        self._promises = promises
        self._folder = ""
        self._number = 0

    def run(self) -> None:
        try:
            while not self._finished():
                with contextlib.suppress(OSError, EOFError, No):
                    self._visit()
                self._door.pause(RETRY)
        except Closed:
            pass
        except Exception as error:
            self._promises.complain(f"{self.name}: {error!r} after {self.cabinet.doubt}")

    def _finished(self) -> bool:
        if not self.enough.is_set() or self.cabinet.doubt is not None:
            return False
        return self._promises.due(self._mailbox) <= {label for label, count in self.cabinet.arrived.items() if count}

    def _visit(self) -> None:
        line = ImapLine(self._door.port("imap"))
        try:
            line.command(self._login)
            self._look_at_all(line)
            while not self.enough.is_set():
                try:
                    self._work(line)
                except No:
                    if self.cabinet.doubt is None:
                        raise
                    self._look_at_all(line)
                self._door.pause(PAUSE)
        finally:
            line.close()

    def _look_at_all(self, line: ImapLine) -> None:
        forgiven = self.forgiven
        listing: dict[str, dict[int, Seen]] = {}
        for folder in FOLDERS:
            self._folder = ""
            self._select(line, folder)
            listing[folder] = line.messages()
        self.cabinet.compare(listing, time.monotonic(), forgiven)
        self.forgiven = None

    def _select(self, line: ImapLine, folder: str) -> None:
        if self._folder != folder:
            self._folder = ""
            self.cabinet.selected(folder, line.select(folder))
            self._folder = folder

    def _work(self, line: ImapLine) -> None:
        folder = self._chance.choice(FOLDERS)
        self._select(line, folder)
        held = self.cabinet.folders[folder]
        if folder == "INBOX":
            first = max(held, default=0) + 1
            for uid, seen in sorted(line.messages(first).items()):
                self.cabinet.delivered(uid, seen, time.monotonic())
        uids = sorted(self._chance.sample(sorted(held), min(len(held), self._chance.randrange(1, 9))))
        if len(held) > FULL:
            self._throw_away(line, folder, sorted(held)[: FULL // 2])
            return
        deed = self._chance.choice(("append", "copy", "move", "move", "flag", "flag", "throw away"))
        self.deeds += 1
        if deed == "append":
            self._append(line)
        elif not uids:
            return
        elif deed == "flag":
            self._flag(line, folder, uids)
        elif deed == "throw away":
            self._throw_away(line, folder, uids)
        else:
            self._copy(line, folder, uids, deed)

    def _append(self, line: ImapLine) -> None:
        folder = self._chance.choice(FOLDERS)
        flags = frozenset(self._chance.sample(FLAGS, self._chance.randrange(3)))
        self._number += 1
        label = f"{self._mailbox}.own.{self._number}"
        if folder == "INBOX":
            folder = "Trash"  # in INBOX only letters arrive
        self.cabinet.doubt = Doubt("append", destination=folder, label=label)
        uid = line.append(folder, " ".join(sorted(flags)), letter(label))
        self.cabinet.doubt = None
        self.cabinet.came(folder, uid, Seen(label, flags), time.monotonic(), delivered=False)

    def _copy(self, line: ImapLine, folder: str, uids: list[int], deed: str) -> None:
        destination = self._chance.choice([other for other in FOLDERS[1:] if other != folder])
        self.cabinet.doubt = Doubt(deed, folder, tuple(uids), destination)
        told = line.copy(uids, destination, deed.upper())
        self.cabinet.doubt = None
        if sorted(told) != uids:
            self._promises.complain(f"{self.name}: {deed} of {uids} from {folder} was told as {told}")
        self.cabinet.moved(folder, told, destination, time.monotonic(), copied=deed == "copy")

    def _throw_away(self, line: ImapLine, folder: str, uids: list[int]) -> None:
        self.cabinet.flagging(folder, uids, "+", {"\\Deleted"}, time.monotonic())
        self.cabinet.doubt = Doubt("expunge", folder, tuple(uids))
        line.expunge(uids)
        self.cabinet.doubt = None
        self.cabinet.gone(folder, uids)

    def _flag(self, line: ImapLine, folder: str, uids: list[int]) -> None:
        sign = self._chance.choice("+-")
        flags = set(self._chance.sample(FLAGS, self._chance.randrange(1, 3)))
        self.cabinet.flagging(folder, uids, sign, flags, time.monotonic())
        line.flag(uids, sign, " ".join(sorted(flags)))
        self.cabinet.flagged(folder, uids)
