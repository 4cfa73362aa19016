"""What a server has promised from outside: every letter that was sent, to whom, and whether it had its 250.

Kept by the test, never by the server. Letters are known by their labels (`tests.support.letters`).
"""

import threading
from collections import Counter
from collections.abc import Iterable

from msgspec import Struct

from tests.support.letters import label_of
from tests.support.sink import Sink, Taken


class Letter(Struct):
    """`mailboxes` and `unknown` get one copy each, `relayed` are the addresses the customer's server must hear of."""

    label: str
    sender: str
    recipients: tuple[str, ...]
    mailboxes: frozenset[str]
    unknown: frozenset[str]
    relayed: frozenset[str]
    accepted: bool = False


class Promises:
    """Used by many threads at once. `complaints` is what must stay empty."""

    def __init__(self) -> None:
        self.letters: dict[str, Letter] = {}
        self.complaints: list[str] = []
        self.taken = 0  # letters that had their 250, about
        self.slowest = 0.0  # seconds until an answer to a command or a message
        self.failed = threading.Event()

    def complain(self, words: str) -> None:
        self.complaints.append(words)
        self.failed.set()

    def asked(self, letter: Letter) -> None:
        """From now on it may arrive."""
        self.letters[letter.label] = letter

    def accepted(self, label: str) -> None:
        """It had its 250."""
        self.letters[label].accepted = True
        self.taken += 1

    def may_arrive(self, mailbox: str, label: str) -> bool:
        letter = self.letters.get(label)
        return letter is not None and mailbox in letter.mailboxes

    def due(self, mailbox: str) -> set[str]:
        """Labels that must have come to this mailbox."""
        return {label for label, one in list(self.letters.items()) if one.accepted and mailbox in one.mailboxes}

    # ---- at the customer's server --------------------------------------------------------------------------

    def check_relayed(self, sink: Sink) -> int:
        """Everything at least once, twice only where our record may have been cut off. Returns how many came twice."""
        last = {taken.line: at for at, taken in enumerate(sink.messages)}
        came: dict[tuple[str, str], list[int]] = {}
        for at, taken in enumerate(sink.messages):
            for key in self._known(taken):
                came.setdefault(key, []).append(at)
        for letter in self.letters.values():
            for address in letter.relayed if letter.accepted else ():
                if (letter.label, address) not in came:
                    self.complain(f"{letter.label} was never relayed to {address}")
        twice = 0
        for (label, address), times in came.items():
            if len({_unmarked(sink.messages[at].octets) for at in times}) > 1:
                self.complain(f"{label} was relayed to {address} with other octets the second time")
            for at in times[:-1]:
                line = sink.messages[at].line
                twice += 1
                if last[line] != at or line in sink.farewells:
                    self.complain(f"{label} was relayed again to {address}, though its first record was synced")
        return twice

    def _known(self, taken: Taken) -> Iterable[tuple[str, str]]:
        label = label_of(taken.octets)
        letter = self.letters.get(label or "")
        if letter is None or not _unmarked(taken.octets).startswith(b"Received: ") or taken.sender != letter.sender:
            self.complain(f"relayed with other octets or another sender: {taken.sender} {taken.octets[:300]!r}")
            return
        for address in taken.recipients:
            if address not in letter.relayed:
                self.complain(f"{label} was relayed to {address}, who is none of its recipients")
            yield letter.label, address

    # ---- on the disk ---------------------------------------------------------------------------------------

    def check_unknown(self, copies: Counter[tuple[str, str]]) -> None:
        """`copies` of (label, address) in the folders of unknown addresses."""
        for letter in self.letters.values():
            for address in letter.unknown:
                count = copies.pop((letter.label, address), 0)
                if count != 1 if letter.accepted else count > 1:
                    self.complain(f"{letter.label} is kept {count} times for {address}")
        for label, address in copies:
            self.complain(f"{label} is kept for {address}, who is none of its recipients")


def _unmarked(octets: bytes) -> bytes:
    """A message that the customer's server may have had before says so in a field in front."""
    return octets.partition(b"\r\n")[2] if octets.startswith(b"X-Emailgency-Id: ") else octets
