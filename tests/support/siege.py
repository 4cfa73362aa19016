"""A whole server under load from outside while it is killed, stopped or loses its disk, and what must hold afterwards.

    siege = Siege(server, seed)
    siege.begin()
    siege.kill(5)             # blows, each followed by a start on the same data
    siege.end()               # siege.promises.complaints: empty is what a test wants to see

Senders repeat what had no 250 (RFC 1047), users work in their mailboxes by IMAP, the customer's server is up and down
at random. All they were promised is kept here (`promises`, `cabinet`); at the end everything is compared with what
IMAP tells, with what the customer's server got, and with the files on the disk.
"""

import contextlib
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from emailgency.codec import maildir
from emailgency.flows.upkeep.verify import verify_all
from emailgency.store import layout, verify
from tests.support.cabinet import Cabinet
from tests.support.door import Closed, Door
from tests.support.letters import label_of
from tests.support.mail_program import FOLDERS, MailProgram
from tests.support.promises import Promises
from tests.support.senders import Household, Sender
from tests.support.server import Server, left_in
from tests.support.sink import Sink

PASSWORD = "Correct-horse1"
DOMAIN, UNRELAYED, ALTERNATE = "mydomain.zz", "second.zz", "mydomainzz.emailgency.zz"
PATIENCE = 300.0
SENDERS = 3
LAZY = 10.0  # seconds; what nobody waits for is synced within one, on a machine that has time
GET_GOING = 10.0  # seconds that they have for it on a crowded machine


def settings(sink: Sink) -> dict[str, Any]:
    """A server that is quick to try again, and whose passwords cost nothing."""
    return {
        "egress": {"networks": ["127.0.0.0/8"], "ports": [sink.port]},
        "retry": {"probe_first": 0.05, "probe_longest": 0.2, "message_first": 0.1, "message_longest": 0.3},
        "relay": {"refresh": 0.5, "connections": 4},
        "courier": {"idle": 0.1},
        "flush": {"interval": 0},
        "credentials": {"memory": 64, "passes": 1},
        "imap": {"clear_login": True},
        "storer": {"segment_size": 65536},
        "stop": {"grace": 20},
    }


class Weather(threading.Thread):
    """Lets the customer's server come and go."""

    def __init__(self, seed: int, sink: Sink, door: Door) -> None:
        super().__init__(name="weather", daemon=True)
        self.enough = threading.Event()
        self._chance = random.Random(f"{seed} weather")
        self._sink = sink
        self._door = door

    def run(self) -> None:
        with contextlib.suppress(Closed):
            while not self.enough.is_set():
                self._sink.up()
                self._door.pause(self._chance.uniform(0.1, 1.5))
                self._sink.down()
                self._door.pause(self._chance.uniform(0.05, 0.5))
        self._sink.up()


class Siege:
    """`server` has not been started and takes its settings from here."""

    def __init__(
        self,
        server: Server,
        seed: int,
        *,
        patient: bool = False,
        more_settings: Mapping[str, Any] | None = None,
        redis_url: str = "",
        patience: float = PATIENCE,
    ) -> None:
        """`patient`: the senders of `tests.support.senders`. `redis_url` empty: the server has its own.

        `patience`: seconds until everything that is due has come.
        """
        self.server = server
        self.sink = Sink()
        self.server.configure({**settings(self.sink), **(more_settings or {})})
        self.promises = Promises()
        self.chance = random.Random(f"{seed} blows")
        self.door = Door()
        self.seed = seed
        self._redis_url = redis_url
        self._patience = patience
        self.blows = 0
        self.relayed_twice = 0
        household = Household(DOMAIN, ALTERNATE, UNRELAYED)
        self.senders = [
            Sender(f"s{seed}.{number}", seed, self.door, household, self.promises, patient=patient)
            for number in range(SENDERS)
        ]
        users = [(name, f"{name}@{DOMAIN}") for name in household.mailboxes] + [("solo", f"solo@{UNRELAYED}")]
        self.users = [MailProgram(seed, name, address, PASSWORD, self.door, self.promises) for name, address in users]
        self._weather = Weather(seed, self.sink, self.door)
        self._ids: dict[str, str] = {}  # user -> his mailbox, as the server calls it

    # ---- begin ---------------------------------------------------------------------------------------------

    def begin(self) -> None:
        self.server.start()
        self._furnish()
        self.door.open(self.server.ports)
        for thread in (*self.senders, *self.users, self._weather):
            thread.start()

    def _furnish(self) -> None:
        command = self.server.command
        command("customer add", domain=DOMAIN, smtp_transport=f"127.0.0.1:{self.sink.port}")
        command("customer add", domain=UNRELAYED, relay="none")
        for user in self.users:
            domain = UNRELAYED if user.cabinet.name == "solo" else DOMAIN
            address = f"{user.cabinet.name}@{domain}"
            command("mailbox add", address=address)
            command("password", address=address, password=PASSWORD)
            shown = command("mailbox show", address=address)
            self._ids[user.cabinet.name] = shown["id"]
        command("alias add", address=f"george@{DOMAIN}", mailbox=f"paul@{DOMAIN}")
        command("list add", address=f"team@{DOMAIN}", members=[f"{name}@{DOMAIN}" for name in ("paul", "mary", "vip")])

    # ---- blows ---------------------------------------------------------------------------------------------

    def kill(self, times: int, longest: float = 0.6) -> None:
        """SIGKILL of the reactor at a random moment, with or without its children, also while it starts; before it,
        now and then, of one of the children alone, which it must survive. `longest` seconds of life at work.
        """
        for _ in range(times):
            if self.promises.failed.is_set():
                return
            for name in self.chance.choice([[], [], ["storer"], ["redis"]]):
                self.work(longest)
                self._strike(name)
            self.work(longest)
            self.fell(self.chance.choice([[], [], ["storer"], ["redis"], ["storer", "redis"]]))
            while self.chance.random() < 0.2:
                self.server.spawn()
                self.promises.failed.wait(self.chance.uniform(0, longest))
                self.fell([])
            self.rise()

    def stop(self, longest: float = 0.6) -> None:
        """SIGTERM under load."""
        self.work(longest)
        self.door.shut()
        status = self.server.stop()
        self.blows += 1
        if status not in (0, -signal.SIGTERM):
            self.promises.complain(f"it stopped with status {status}")
        self.rise()

    def rise(self) -> None:
        self.server.start()
        self.door.open(self.server.ports)

    def live(self, longest: float) -> None:
        self.promises.failed.wait(self.chance.uniform(0.02, longest))

    def work(self, longest: float) -> None:
        """Live, but not before somebody's letter was taken, or now and then a deed was done in a mailbox: where others
        want the processors, nobody gets so far in a tenth of a second.
        """
        done = self._deeds if self.chance.random() < 0.3 else self._letters
        before = done()
        until = time.monotonic() + GET_GOING
        while done() == before and time.monotonic() < until and not self.promises.failed.is_set():
            self.promises.failed.wait(0.005)
        self.live(longest)

    def _letters(self) -> int:
        return self.promises.taken

    def _deeds(self) -> int:
        return sum(user.deeds for user in self.users)

    def _strike(self, name: str) -> None:
        pid = self.children().get(name)
        if pid is not None:
            self.blows += 1
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def fell(self, others: list[str]) -> None:
        children = self.children()
        self.door.shut()
        self.server.kill()
        self.blows += 1
        for name in others:
            if name in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(children[name], signal.SIGKILL)

    def children(self) -> dict[str, int]:
        """Process ids of "storer", "redis" and the others, as far as they run."""
        found = {}
        with contextlib.suppress(OSError):
            with open(f"/proc/{self.server.pid}/task/{self.server.pid}/children", encoding="ascii") as file:
                pids = list(map(int, file.read().split()))
            for pid in pids:
                with open(f"/proc/{pid}/cmdline", encoding="ascii", errors="replace") as file:
                    line = file.read()
                found[_name(line)] = pid
        return found

    def figures(self) -> str:
        return (
            f"seed {self.seed}: {self.blows} blows, {len(self.promises.letters)} letters, "
            f"{self._deeds()} deeds by IMAP, {len(self.sink.messages)} relayed, "
            f"{self.relayed_twice} of them twice, slowest answer {self.promises.slowest:.2f} s"
        )

    # ---- end -----------------------------------------------------------------------------------------------

    def end(self) -> None:
        """Let everything come to rest, stop the server, compare: `promises.complaints` is complete."""
        try:
            self._settle()
            if self.server.process is not None and self.server.stop() not in (0, -signal.SIGTERM):
                self.promises.complain("it did not stop in good order")
            if not self.promises.complaints:
                self._compare()
        finally:
            self.door.close()
            self.server.close()
            self.sink.close()

    def _settle(self) -> None:
        until = time.monotonic() + self._patience
        self._weather.enough.set()
        for threads in (self.senders, [self._weather], self.users):
            for thread in threads:
                if not isinstance(thread, Weather):
                    thread.enough.set()
            for thread in threads:
                while thread.is_alive() and time.monotonic() < until and not self.promises.failed.is_set():
                    thread.join(0.1)
                if thread.is_alive() and not self.promises.failed.is_set():
                    self.promises.complain(f"{thread.name} has not come to an end: {self._missing()}")
        while not self.promises.failed.is_set() and (pending := self._pending()):
            if time.monotonic() > until:
                self.promises.complain(f"still pending: {pending[:5]}")
            self.server.command("pending flush", customer=DOMAIN)
            self.promises.failed.wait(0.1)

    def _pending(self) -> list[Any]:
        """Hops with messages waiting or on the way."""
        hops = self.server.command("pending list", customer=DOMAIN)["hops"]
        return [hop for hop in hops if hop["pending"] or hop["carrying"]]

    def _missing(self) -> list[str]:
        waiting = [letter.label for letter in list(self.promises.letters.values()) if not letter.accepted]
        for user in self.users:
            waiting += sorted(self.promises.due(user.cabinet.name) - user.cabinet.arrived.keys())
        return waiting[:10]

    # ---- on the disk ---------------------------------------------------------------------------------------

    def _compare(self) -> None:
        promises, data = self.promises, self.server.data
        self.relayed_twice = promises.check_relayed(self.sink)
        verified = verify_all(data, self._redis_url, "", lambda what, done, of: None)
        for problem in verified.problems:
            promises.complain(f"verify: {problem.path} {problem.problem}")
        for name in os.listdir(corrupt) if os.path.isdir(corrupt := os.path.join(data, layout.CORRUPT)) else ():
            promises.complain(f"corrupt: {name}")
        promises.check_unknown(_unknown(data))
        places = list(verify.maildirs(data))
        for user in self.users:
            (mailbox,) = (path for path in places if path.endswith(f"/mailboxes/{self._ids[user.cabinet.name]}"))
            for folder in FOLDERS:
                path = layout.folder(mailbox, () if folder == "INBOX" else (folder,))
                self._compare_folder(user.cabinet, folder, os.path.join(data, path))
        if "Unhandled" in self.server.log():
            promises.complain("the log tells of an unhandled error")

    def _compare_folder(self, cabinet: Cabinet, folder: str, path: str) -> None:
        there = {}
        for subfolder in ("new", "cur", "tmp") if os.path.isdir(path) else ():
            for name in os.listdir(os.path.join(path, subfolder)):
                with open(os.path.join(path, subfolder, name), "rb") as file:
                    label = label_of(file.read())
                if label is None or subfolder == "tmp":
                    self.promises.complain(f"{path}/{subfolder}/{name} is not what it was")
                there[maildir.uid_of(name)] = label
        promised = {uid: held.label for uid, held in cabinet.folders[folder].items()}
        if there != promised:
            differences = sorted(there.items() ^ promised.items(), key=str)
            self.promises.complain(f"{cabinet.name}: {folder} on the disk differs: {differences[:6]}")


def _name(line: str) -> str:
    """Of a child with this command line. The storer may be a fork of its server."""
    others = {"valkey": "redis", ".ledger.": "ledger", ".searching.": "searcher"}
    return next((name for word, name in others.items() if word in line), "storer")


def _unknown(data: str) -> Counter[tuple[str, str]]:
    """Copies by label and address in the folders of unknown addresses."""
    copies: Counter[tuple[str, str]] = Counter()
    for path in verify.maildirs(data):
        if "/catchall/" not in path:
            continue
        address = ""  # missing: `verify` tells
        with (
            contextlib.suppress(FileNotFoundError),
            open(os.path.join(data, path, "address"), encoding="utf-8") as file,
        ):
            address = file.read().strip()
        for subfolder in ("new", "cur", "tmp"):
            for name in os.listdir(os.path.join(data, path, subfolder)):
                with open(os.path.join(data, path, subfolder, name), "rb") as file:
                    copies[label_of(file.read()) or name, address] += 1
    return copies


def left_overs_end(server: Server) -> None:
    """Kill what a killed server left behind, and wait until it is gone: a disk in use cannot be unmounted."""
    while pids := left_in(server.data):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)
