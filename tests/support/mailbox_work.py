"""What mail programs do to a mailbox besides `scenario`, in a second session of the storer after a clean stop of the
first: then the file `modseqs` counts, and the first change must void it.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

from emailgency.store.storing import annotations, files
from emailgency.store.storing.messages import Annotate, Append, CreateFolder, New, Record, Stop, Write
from emailgency.store.storing.replies import Done
from tests.support import strace
from tests.support.ledger import octets_of
from tests.support.scenario import ARCHIVE, M1, TO_M1, Script, judged
from tests.support.storer import Gone, StorerProcess, fresh_id

Noted = dict[str, bytes]


class MailboxScript(Script):
    """`noted` are the possible annotations of the INBOX: after a question without an answer there are two."""

    def __init__(self, data: str, storer: StorerProcess, *, trusting: bool = True) -> None:
        super().__init__(data, storer, trusting=trusting)
        self.noted: list[Noted] = [{}]

    def append_together(self, labels: Sequence[str], folder: str) -> None:
        """MULTIAPPEND."""
        for label in labels:
            self.ledger.asked(label, {folder: 1})
        self.ledger.together(labels, folder)
        self._promise(labels, Append(self.storer.number(), folder, tuple(map(self._written, labels))))

    def replace(self, old: str, source: str, new: str, folder: str) -> None:
        """REPLACE, of a message that is in `source` once."""
        messages = self._messages(source, [old])
        if messages and self.ledger.certain(old) and self.ledger.known(old).get(source) == 1:
            self.ledger.asked(old, {source: -1})
            self.ledger.asked(new, {folder: 1})
            self.ledger.instead((old, source), (new, folder))
            request = Append(self.storer.number(), folder, (self._written(new),), (source, *messages[0]))
            self._promise([old, new], request)

    def annotate(self, **entries: bytes) -> None:
        """All of them or none."""
        noted = {f"/private/{name}": value for name, value in entries.items()}
        before = self.noted[-1]
        self.noted = [before, before | noted]
        reply = self.storer.ask(Annotate(self.storer.number(), M1, tuple(noted.items()), 10, 1000))
        if isinstance(reply, Done):
            del self.noted[0]
        elif not self._trusting:
            raise Gone
        elif (here := notes(self.data)) in self.noted:
            self.noted = [here]

    def _written(self, label: str) -> New:
        id, octets = fresh_id(), octets_of(label)
        self.storer.tell(Write(id, octets[:100]))
        return New(id, octets[100:], "", 1e9)


def notes(data: str) -> Noted:
    """The annotations of the INBOX, from the disk."""
    folder = os.open(os.path.join(data, M1), files.FOLDER)
    try:
        return annotations.load(folder).folder
    finally:
        os.close(folder)


def first_session(script: MailboxScript) -> None:
    """Ends cleanly."""
    script.storer.ask(CreateFolder(script.storer.number(), ARCHIVE, True))
    script.commit(A=[TO_M1], B=[TO_M1], C=[TO_M1])
    script.flag("A", M1)
    script.expunge("C", M1)
    script.annotate(comment=b"old", other=b"kept")
    script.flag("B", M1)
    script.storer.stop()


def second_session(script: MailboxScript) -> None:
    steps: list[Callable[[], Any]] = [
        lambda: script.expunge("B", M1),
        lambda: script.append_together("DEF", M1),
        lambda: script.annotate(comment=b"new", more=b"added"),
        lambda: script.replace("D", M1, "G", M1),
        lambda: script.flag("E", M1),
        lambda: script.replace("A", M1, "H", ARCHIVE),
        lambda: script.append_together("IJ", ARCHIVE),
    ]
    for step in steps:
        step()
    script.storer.ask(Stop(script.storer.number()))


def once(data: str, options: Sequence[str] = (), output: str = os.devnull) -> dict[str, Any]:
    """Both sessions, the second with strace options, and a start: what is not as promised, whether the storer died,
    and how many mail programs found their mod-sequences remembered.
    """
    script = MailboxScript(data, StorerProcess(data))
    first_session(script)
    storer = script.storer = StorerProcess(data)
    storer.ask(Record(storer.number(), ()))  # it has started
    died = False
    try:
        with strace.attached(storer.pid, *options, output=output) if options or output else nullcontext():
            second_session(script)
    except Gone:
        died = True
    finally:
        storer.close()
    result = judged(data, script)
    if notes(data) not in script.noted:
        result["wrong"].append(f"annotations are {notes(data)}, promised {script.noted}")
    return {**result, "died": died}
