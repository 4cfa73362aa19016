"""A folder that is listed anew for good while a request to the old snapshot is under way."""

from array import array
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred

from emailgency.store.mailboxes.folder import Folder
from emailgency.store.mailboxes.folders import Folders
from emailgency.store.storing.messages import Asking, Expunge, Open, SetFlags
from emailgency.store.storing.replies import Changed, Opened


class SlowStorer:
    """Answers `Open` at once with `names`, all else when the test does."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.uidnext = 1
        self.asked: list[tuple[Asking, Deferred[Any]]] = []

    def number(self) -> int:
        return len(self.asked) + 1

    def ask(self, request: Asking) -> "Deferred[Any]":
        answer: Deferred[Any] = Deferred()
        self.asked.append((request, answer))
        if isinstance(request, Open):
            answer.callback(
                Opened(
                    number=request.number,
                    folder=request.folder,
                    uidvalidity=7,
                    uidnext=self.uidnext,
                    token=f"t{len(self.asked)}",
                    names=tuple(("cur", name) for name in self.names),
                    keywords=(),
                    modseqs=array("Q", [5] * len(self.names)).tobytes(),
                    highest=5,
                )
            )
        return answer


def opened(folders: Folders) -> Folder:
    done: list[Any] = []
    ensureDeferred(folders.open("box")).addCallback(done.append)
    return done[0]


def replaced(request: type[Asking], begin: Any) -> tuple[Folder, Folder, Deferred[Any]]:
    """The old snapshot, the new one, and the answer to a request that was made to the old one."""
    storer = SlowStorer()
    folders = Folders(storer, "/data")
    storer.names, storer.uidnext = ["1.a.h,U=1:2,", "1.b.h,U=2:2,"], 4
    old = opened(folders)
    ensureDeferred(begin(folders, old)).addErrback(lambda failure: failure.raiseException())
    storer.names.append("1.c.h,U=3:2,")  # readers were told that it had gone: their numbers cannot go on
    new = opened(folders)
    assert old.gone
    assert new is not old
    return old, new, next(answer for asked, answer in storer.asked if isinstance(asked, request))


def test_messages_that_are_removed_from_a_replaced_snapshot_leave_the_new_one() -> None:
    _, new, answer = replaced(Expunge, lambda folders, old: folders.expunge(old, [1]))
    answer.callback(Changed(9, "box", expunged=(1,), modseq=8))
    assert list(new.uids) == [2, 3]


def test_flags_that_are_set_in_a_replaced_snapshot_are_set_in_the_new_one() -> None:
    _, new, answer = replaced(SetFlags, lambda folders, old: folders.set_flags(old, [2], lambda letters: "S"))
    answer.callback(Changed(9, "box", renamed=((2, "cur", "1.b.h,U=2:2,S"),), modseq=8))
    assert new.letters == ["", "S", ""]
