"""Servers that send mail as RFC 1047 asks: what had no 250 comes again, until it has one."""

import random
import socket
import threading
import time
from typing import BinaryIO

from tests.support.door import Closed, Door
from tests.support.letters import letter as octets_of
from tests.support.letters import on_the_wire
from tests.support.promises import Letter, Promises

PATIENCE = 30.0  # seconds; a server that says nothing for so long does not live
PAUSE = 0.03  # seconds between two batches or tries of one sender: a stream, not a flood


class Refused(Exception):
    """A reply that is not 2xx or 3xx."""


class Household:
    """To whom letters go, and what that means."""

    def __init__(self, domain: str, alternate: str, unrelayed: str) -> None:
        self.mailboxes = ("paul", "mary", "vip")
        self._domain = domain
        self._alternate = alternate
        self._unrelayed = unrelayed  # the domain of a customer without a server of his own, with one mailbox, solo

    def letter(self, label: str, chance: random.Random) -> Letter:
        sender = f"anna.{label}@example.org" if chance.random() < 0.9 else ""
        if chance.random() < 0.1:
            address = f"solo@{self._unrelayed}"
            return Letter(label, sender, (address,), frozenset({"solo"}), frozenset(), frozenset())
        kinds = chance.sample(
            ("paul", "mary", "vip", "george", "team", "unknown", "other"), chance.choice((1, 1, 2, 3))
        )
        recipients, mailboxes, unknown = [], set[str](), set[str]()
        for kind in kinds:
            domain = self._alternate if chance.random() < 0.1 else self._domain
            local = f"unknown.{chance.randrange(3)}" if kind in ("unknown", "other") else kind
            recipients.append(f"{local}@{domain}")
            if local.startswith("unknown."):
                unknown.add(f"{local}@{self._domain}")
            else:
                mailboxes |= {"george": {"paul"}, "team": set(self.mailboxes)}.get(local, {local})
        relayed = {recipient.replace(f"@{self._alternate}", f"@{self._domain}") for recipient in recipients}
        return Letter(label, sender, tuple(recipients), frozenset(mailboxes), frozenset(unknown), frozenset(relayed))


class Sender(threading.Thread):
    """One server. `enough` set: it sends what is left and ends."""

    def __init__(
        self, name: str, seed: int, door: Door, household: Household, promises: Promises, *, patient: bool = False
    ) -> None:
        """`patient`: it never hangs up early, and a connection cut between dot and answer is worth a complaint."""
        super().__init__(name=name, daemon=True)
        self.enough = threading.Event()
        self._chance = random.Random(f"{seed} {name}")
        self._door = door
        self._household = household
        self._promises = promises
        self._patient = patient
        self._unsent: list[Letter] = []
        self._number = 0

    def run(self) -> None:
        try:
            while self._unsent or not self.enough.is_set():
                try:
                    self._converse()
                except (OSError, EOFError, Refused):
                    self._door.pause(PAUSE)
        except Closed:
            pass
        except Exception as error:
            self._promises.complain(f"{self.name}: {error!r}")

    def _converse(self) -> None:
        with socket.create_connection(("127.0.0.1", self._door.port("smtp")), PATIENCE) as line:
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with line.makefile("rb") as replies:
                self._expect(replies)
                line.sendall(b"EHLO out.example.org\r\n")
                self._expect(replies)
                while self._unsent or not self.enough.is_set():
                    self._batch(line, replies)
                    self._door.pause(PAUSE)
                line.sendall(b"QUIT\r\n")
                self._expect(replies)

    def _batch(self, line: socket.socket, replies: BinaryIO) -> None:
        """Some transactions, each begun in the segment that ends the one before."""
        while not self.enough.is_set() and len(self._unsent) < self._chance.randrange(1, 6):
            self._number += 1
            label = f"{self.name}.{self._number}"
            self._unsent.append(self._household.letter(label, self._chance))
        batch = list(self._unsent)
        line.sendall(_begin(batch[0]))
        for at, letter in enumerate(batch):
            for _ in range(len(letter.recipients) + 2):
                self._expect(replies)
            following = _begin(batch[at + 1]) if at + 1 < len(batch) else b""
            self._promises.asked(letter)
            body = on_the_wire(octets_of(letter.label))
            if not self._patient and self._chance.random() < 0.02:
                line.sendall(body if self._chance.random() < 0.5 else body[: self._chance.randrange(len(body))])
                raise EOFError  # hangs up before the answer, or in the middle
            line.sendall(body + following)
            try:
                self._expect(replies)
            except (OSError, EOFError):
                if self._patient:
                    self._promises.complain(f"{letter.label} was cut off between its final dot and the answer")
                raise
            self._promises.accepted(letter.label)
            self._unsent.remove(letter)

    def _expect(self, replies: BinaryIO) -> None:
        """The next reply must be good, or temporary trouble."""
        begun = time.monotonic()
        try:
            text = replies.readline()
            while text[3:4] == b"-":
                text = replies.readline()
        except TimeoutError:
            self._promises.complain(f"{self.name} heard nothing for {PATIENCE} s")
            raise
        self._promises.slowest = max(self._promises.slowest, time.monotonic() - begun)
        if not text.endswith(b"\r\n"):
            raise EOFError
        if text[:1] not in b"23":
            if text[:1] != b"4":
                self._promises.complain(f"{self.name} heard {text!r}")
            raise Refused(text)


def _begin(letter: Letter) -> bytes:
    recipients = "".join(f"RCPT TO:<{address}>\r\n" for address in letter.recipients)
    return f"MAIL FROM:<{letter.sender}>\r\n{recipients}DATA\r\n".encode()
