"""What a mail program was told of a folder before the storer went, and whether it can go on from there (RFC 7162).

A client knows UIDs, flags and HIGHESTMODSEQ. It comes back and asks what has changed and what has vanished since: then
it must know the folder as it is. A UID is for ever of one message, and no number is ever smaller than it was.
"""

from array import array

from msgspec import Struct

from emailgency.codec import maildir
from emailgency.store.storing.replies import Changed, Gone, Opened

Message = tuple[str, str]  # its id, which is in the file name, and its flags


class Told(Struct):
    """As of one moment."""

    folder: str
    validity: int
    uidnext: int
    highest: int
    messages: dict[int, Message]

    def complaints(self, now: Opened, gone: Gone) -> list[str]:
        """`gone` answers Vanished since `highest`."""
        if now.uidvalidity != self.validity:
            return [f"{self.folder}: UIDVALIDITY was {self.validity}, is {now.uidvalidity}"]
        wrong = []
        if now.uidnext < self.uidnext or now.highest < self.highest:
            wrong.append(f"{self.folder}: UIDNEXT and HIGHESTMODSEQ were {self}, are {now.uidnext}, {now.highest}")
        here, modseqs = _messages(now), _modseqs(now)
        for uid in here.keys() - self.messages.keys():
            if uid < self.uidnext:
                wrong.append(f"{self.folder}: UID {uid} came below UIDNEXT {self.uidnext}")
            elif modseqs[uid] <= self.highest:
                wrong.append(f"{self.folder}: the client never hears of UID {uid}")
        for uid, (id, flags) in self.messages.items():
            if uid not in here:
                if gone.known and uid not in gone.uids:
                    wrong.append(f"{self.folder}: the client never hears that UID {uid} has gone")
            elif here[uid][0] != id:
                wrong.append(f"{self.folder}: UID {uid} was {id}, is {here[uid][0]}")
            elif here[uid][1] != flags and modseqs[uid] <= self.highest:
                wrong.append(f"{self.folder}: the client never hears of new flags of UID {uid}")
        return wrong


def told(opened: Opened) -> Told:
    """What a client knows who has just selected the folder."""
    return Told(opened.folder, opened.uidvalidity, opened.uidnext, opened.highest, _messages(opened))


def flagged(before: Told, changed: Changed) -> Told:
    """What he knows after his STORE."""
    messages = {uid: (before.messages[uid][0], maildir.flags_of(name)) for uid, _, name in changed.renamed}
    return Told(before.folder, before.validity, before.uidnext, changed.modseq, before.messages | messages)


def _messages(opened: Opened) -> dict[int, Message]:
    return {maildir.uid_of(name): (maildir.parse(name).id, maildir.flags_of(name)) for _, name in opened.names}


def _modseqs(opened: Opened) -> dict[int, int]:
    uids = [maildir.uid_of(name) for _, name in opened.names]
    return dict(zip(uids, array("Q", opened.modseqs), strict=True))
