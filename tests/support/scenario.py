"""Everything the storer does, once, in a fixed order: what the sweeps over all its system calls run.

A commit that gets no Done is sent again after the recovery, as a sending server would do it.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import msgspec

from emailgency.codec import maildir
from emailgency.model.address import Address
from emailgency.model.envelope import Catchall, Deliver, Outcome, Relay, Target, Undelivered
from emailgency.store import layout
from emailgency.store.spool import records as spool_records
from emailgency.store.spool.live import LOCAL, delivery
from emailgency.store.spool.records import Finished
from emailgency.store.storing.messages import (
    Append,
    Asking,
    Commit,
    Copy,
    CreateFolder,
    DeleteFolder,
    Expunge,
    Furnish,
    Keywords,
    New,
    Open,
    Record,
    Redeliver,
    Release,
    RenameFolders,
    SetFlags,
    Stop,
    Write,
)
from emailgency.store.storing.replies import Changed, Done, Failed, KeywordList, Opened, Reply
from tests.support import strace
from tests.support.fork_server import forked
from tests.support.ledger import RELAY, Ledger, World, octets_of
from tests.support.recovery import Retry
from tests.support.storer import Gone, StorerProcess, envelope_of, fresh_id
from tests.support.told import Told, flagged, told

M1, M2 = layout.mailbox("c", "m1"), layout.mailbox("c", "m2")
UNDELIVERED = layout.undelivered("c")
CATCHALL = layout.catchall("c", Address("who", "mydomain.zz"))
ARCHIVE, SUB, OLD = (layout.folder(M1, name) for name in (("Archive",), ("Archive", "Sub"), ("Old",)))
TO_M1 = Deliver(customer="c", mailbox="m1", recipient=0)
TO_M2 = Deliver(customer="c", mailbox="m2", recipient=0)
TO_WHO = Catchall(customer="c", address="who@mydomain.zz", recipient=0)
HOME = Relay(customer="c", address="r0@mydomain.zz", recipient=0)


class Script:
    """Steps with their promises."""

    def __init__(self, data: str, storer: StorerProcess, *, trusting: bool = True) -> None:
        """`trusting`: after a Failed the disk can still be looked at; else it ends the script as Gone."""
        self._trusting = trusting
        self.data = data
        self.storer = storer
        self.ledger = Ledger()
        self.retries: dict[str, Retry] = {}
        self.ids: dict[str, str] = {}
        self._plans: dict[str, tuple[Target, ...]] = {}
        self.clients: list[Told] = []  # what mail programs know, the latest last

    # ---- mail --------------------------------------------------------------------------------------------

    def commit(self, append: Sequence[tuple[str, str]] = (), **plans: Sequence[Target]) -> None:
        """Commit these labels, and append others (label, folder), all at once; see the deliveries through."""
        requests = [self._commit(label, tuple(plan)) for label, plan in plans.items()]
        appends = [self._append(label, folder) for label, folder in append]
        self.storer.tell(*requests, *appends)
        for label, request in zip(plans, requests, strict=True):
            if isinstance(self.storer.reply(request.number), Done):
                self.retries.pop(label, None)
                self.ids[label] = request.id
            elif not self._trusting:
                raise Gone
        for (label, _), request in zip(append, appends, strict=True):
            self._keep([label], self.storer.reply(request.number))
        for label in plans:
            if label in self.ids:
                self._see_through(label)

    def _commit(self, label: str, plan: tuple[Target, ...]) -> Commit:
        places: World = {}
        for target in plan:
            place = delivery_place(target)
            places[place] = places.get(place, 0) + 1
        self.ledger.asked(label, places)
        self.ledger.answered(label)  # by us or, in the end, to the sender's repetition
        octets = octets_of(label)
        self.retries[label] = Retry(octets, plan, f"fingerprint of {label}")
        self._plans[label] = plan
        return self.storer.commit_request(octets, plan, fingerprint=f"fingerprint of {label}")

    def _see_through(self, label: str) -> None:
        id, plan = self.ids[label], self._plans[label]
        local = {index for index, target in enumerate(plan) if isinstance(target, LOCAL)}
        for _ in range(4):
            if not local:
                return
            self.storer.until(lambda: any(event.id == id for event in self.storer.delivered))
            (event,) = [event for event in self.storer.delivered if event.id == id]
            self.storer.delivered.remove(event)
            local -= {placed.target for placed in event.placed}
            if local and not self._trusting:
                raise Gone
            if local:
                envelope = envelope_of(b"", plan)
                again = tuple(delivery(envelope, index, plan[index]) for index in sorted(local))
                self.storer.tell(Redeliver(self.storer.number(), id, again))
        self.ids.pop(label)  # a broken disk; the next start goes on

    def plan(self, label: str) -> tuple[Target, ...]:
        """Of a commit in this script."""
        return self._plans[label]

    def finish(self, label: str, target: int) -> None:
        """The customer's server has it."""
        if label not in self.ids:
            return
        self.ledger.asked(label, {RELAY: -1})
        record = Finished(self.ids[label], (target,), 0.0, Outcome(word="relayed"))
        self._promise([label], Record(self.storer.number(), (spool_records.encode(record),)))

    def release(self, label: str) -> None:
        if label in self.ids:
            self.storer.tell(Release((self.ids[label],)))
            self.storer.ask(Record(self.storer.number(), ()))

    # ---- folders -----------------------------------------------------------------------------------------

    def append(self, label: str, folder: str) -> None:
        request = self._append(label, folder)
        self._promise([label], request)

    def _append(self, label: str, folder: str) -> Append:
        id, octets = fresh_id(), octets_of(label)
        self.ledger.asked(label, {folder: 1})
        self.storer.tell(Write(id, octets[:100]))
        return Append(self.storer.number(), folder, (New(id, octets[100:], "S", 1e9),))

    def copy(self, labels: Sequence[str], source: str, destination: str, *, move: bool = False) -> None:
        messages = self._messages(source, labels)
        if len(messages) < len(labels) or not all(map(self.ledger.certain, labels)):
            return
        for label in labels:
            change = {destination: 1}
            if move:
                change[source] = change.get(source, 0) - 1  # within one folder it gets a new UID, no more
            self.ledger.asked(label, change)
        if not move:
            self.ledger.together(labels, destination)
        self._promise(labels, Copy(self.storer.number(), source, destination, messages, move))

    def expunge(self, label: str, folder: str) -> None:
        messages = self._messages(folder, [label])
        if messages and self.ledger.certain(label):
            self.ledger.asked(label, {folder: -1})
            self._promise([label], Expunge(self.storer.number(), folder, messages))

    def flag(self, label: str, folder: str) -> None:
        for uid, name in self._messages(folder, [label]):
            given = self.storer.ask(Keywords(self.storer.number(), folder, ("work",)))
            letters = "FSa" if isinstance(given, KeywordList) else "FS"
            reply = self.storer.ask(SetFlags(self.storer.number(), folder, ((uid, name, letters),)))
            if isinstance(reply, Changed):
                self.clients.append(flagged(self.clients[-1], reply))

    def rename(self, labels: Sequence[str], *pairs: tuple[str, str]) -> None:
        there = []
        for label in filter(self.ledger.certain, labels):
            world = self.ledger.known(label)
            change: World = {}
            for old, new in pairs:
                if old in world:
                    change |= {old: -world[old], new: world[old]}
            if change:
                there.append(label)
                self.ledger.asked(label, change)
        for _, new in pairs:
            self.ledger.together([label for label in there if self.ledger.coming(label, new)], new)
        self._promise(there, RenameFolders(self.storer.number(), pairs))

    def delete(self, labels: Sequence[str], folder: str) -> None:
        there = [label for label in labels if self.ledger.certain(label) and self.ledger.known(label).get(folder)]
        for label in there:
            self.ledger.asked(label, {folder: -self.ledger.known(label)[folder]})
        self._promise(there, DeleteFolder(self.storer.number(), folder))

    def _promise(self, labels: Sequence[str], request: Asking) -> Reply:
        reply = self.storer.ask(request)
        self._keep(labels, reply)
        return reply

    def _keep(self, labels: Sequence[str], reply: Reply) -> None:
        if isinstance(reply, Changed | Done):
            self.ledger.answered(*labels)
        elif self._trusting:
            self.ledger.doubtful(self.data, *labels)
        else:
            raise Gone

    def _messages(self, folder: str, labels: Sequence[str]) -> tuple[tuple[int, str], ...]:
        reply = self.storer.ask(Open(self.storer.number(), folder))
        if isinstance(reply, Failed) and not self._trusting:
            raise Gone
        if not isinstance(reply, Opened):
            return ()
        self.clients.append(told(reply))
        marks = [f"X-Label: {label}\r\n".encode() for label in labels]
        found = []
        for subfolder, name in reply.names:
            try:
                with open(os.path.join(self.data, folder, subfolder, name), "rb") as stream:
                    head = stream.read(200)
            except OSError as error:
                raise Gone from error  # the disk has lost its power
            for mark in [mark for mark in marks if mark in head]:
                marks.remove(mark)
                found.append((maildir.uid_of(name), name))
        return tuple(found)


def delivery_place(target: Target) -> str:
    """The Maildir of a target, or RELAY."""
    return delivery(envelope_of(b"", (target,)), 0, target).folder if isinstance(target, LOCAL) else RELAY


def play(script: Script) -> None:
    """The whole path."""
    unknown = tuple(Undelivered(customer="c", recipient=index) for index in (0, 1))
    steps: list[Callable[[], Any]] = [
        lambda: script.commit(A=[TO_M1, TO_M2]),
        lambda: script.commit(B=[TO_M1, *unknown, TO_WHO], C=[HOME, TO_M2]),
        lambda: script.append("D", M1),
        lambda: script.storer.ask(Furnish(script.storer.number(), M1, (ARCHIVE,), ("INBOX", "Archive"))),
        lambda: script.storer.ask(CreateFolder(script.storer.number(), SUB)),
        lambda: script.copy(["A", "B"], M1, ARCHIVE),
        lambda: script.copy(["B"], M1, ARCHIVE, move=True),
        lambda: script.flag("A", M1),
        lambda: script.copy(["A", "D"], M1, SUB, move=True),
        lambda: script.expunge("A", M2),
        lambda: script.finish("C", 0),
        lambda: script.release("A"),
        lambda: script.rename("ABD", (ARCHIVE, OLD), (SUB, f"{OLD}.Sub")),
        lambda: script.delete("ABD", OLD),
        lambda: script.commit(E=[TO_M1]),
    ]
    for step in steps:
        step()
    script.storer.ask(Stop(script.storer.number()))


def once(data: str, options: Sequence[str] = (), output: str = os.devnull) -> dict[str, Any]:
    """Play it with strace options, start again, and tell what is not as promised, and whether the storer died."""
    storer = StorerProcess(data)
    storer.ask(Record(storer.number(), ()))  # it has started
    script = Script(data, storer)
    try:
        with strace.attached(storer.pid, *options, output=output) if options or output else nullcontext():
            play(script)
    except Gone:
        died = True
    else:
        died = False
    finally:
        storer.close()
    return {**judged(data, script), "died": died}


def judged(data: str, script: Script) -> dict[str, Any]:
    """Start on the data as it was left and compare with the promises: what is "wrong", and "remembered" (`recover`)."""
    retries = msgspec.json.encode(list(script.retries.values())).decode()
    clients = msgspec.json.encode([client for client in script.clients if client.folder in (M1, M2)]).decode()
    good, result = forked("tests.support.recovery:recover", [data, retries, clients])
    if not good:
        return {"wrong": [result], "remembered": 0}
    wrong = [*result["findings"], *script.ledger.complaints(data, result["pending"])]
    return {"wrong": wrong, "remembered": result["remembered"]}
