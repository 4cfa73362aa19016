"""Answers about one folder that overtake each other: the newest word of a message counts."""

from array import array

from emailgency.store.mailboxes.folder import Folder
from emailgency.store.storing.replies import Opened


def listed(uidnext: int, *messages: tuple[str, int]) -> Folder:
    """A snapshot of files in cur/ with their mod-sequences."""
    folder = Folder("/data", "box")
    folder.load(
        Opened(
            number=1,
            folder="box",
            uidvalidity=7,
            uidnext=uidnext,
            token="t",
            names=tuple(("cur", name) for name, _ in messages),
            keywords=(),
            modseqs=array("Q", [modseq for _, modseq in messages]).tobytes(),
            highest=max((modseq for _, modseq in messages), default=1),
        )
    )
    return folder


def test_a_change_that_is_answered_behind_a_newer_listing_changes_nothing() -> None:
    folder = listed(2, ("1.a.h,U=1:2,FS", 50))
    assert not folder.rename(1, "cur", "1.a.h,U=1:2,S", 40)
    assert folder.letters == ["FS"]
    assert folder.rename(1, "cur", "1.a.h,U=1:2,S", 60)
    assert (folder.letters, list(folder.modseqs)) == (["S"], [60])


def test_a_message_that_went_before_its_coming_is_answered_stays_away() -> None:
    folder = listed(3, ("1.a.h,U=1:2,", 50))
    assert not folder.place(2, "new", "1.b.h,U=2", 45)  # so the folder is listed anew
    assert list(folder.uids) == [1]
    assert folder.place(1, "new", "1.a.h,U=1", 45)
    assert folder.place(3, "new", "1.c.h,U=3", 60)
    assert list(folder.uids) == [1, 3]
