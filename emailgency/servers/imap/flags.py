"""Flags as IMAP says them and as the letters of a Maildir file name hold them (<https://cr.yp.to/proto/maildir.html>)."""

from collections.abc import Callable, Iterable, Sequence

from emailgency.store.mailboxes.folder import MAX_KEYWORDS, Folder

SYSTEM = {"\\Answered": "R", "\\Flagged": "F", "\\Deleted": "T", "\\Seen": "S", "\\Draft": "D"}
_SHOWN = frozenset(SYSTEM.values())


def words(letters: str, keywords: Sequence[str]) -> list[str]:
    """Flags of a message without \\Recent. Letters IMAP has no word for (P, passed) are kept but not shown."""
    shown = [flag for flag, letter in SYSTEM.items() if letter in letters]
    for letter in letters:
        at = ord(letter) - 97
        if 0 <= at < len(keywords) and keywords[at]:
            shown.append(keywords[at])
    return shown


def texts(folder: Folder) -> Callable[[str, bool], bytes]:
    """A function (letters, recent) -> b"\\\\Seen $Forwarded", fast for thousands of messages of one folder."""
    keywords = folder.keywords
    known: dict[tuple[str, bool], bytes] = {}

    def text(letters: str, recent: bool) -> bytes:
        found = known.get((letters, recent))
        if found is None:
            shown = [*words(letters, keywords), "\\Recent"] if recent else words(letters, keywords)
            found = known[letters, recent] = " ".join(shown).encode("ascii", "replace")
        return found

    return text


def system_letters(flags: Iterable[str]) -> str:
    """Letters of the system flags among `flags`; \\Recent is not a client's to set and is passed over."""
    return "".join(SYSTEM.get(flag, "") for flag in flags)


def keywords_among(flags: Iterable[str]) -> list[str]:
    return [flag for flag in flags if not flag.startswith("\\")]


def unknown_system(flags: Iterable[str]) -> list[str]:
    """Flags with a backslash that do not exist (or \\Recent, which nobody may set)."""
    return [flag for flag in flags if flag.startswith("\\") and flag not in SYSTEM]


def replaced(old: str, new: str) -> str:
    """STORE FLAGS: the new letters, and those of the old ones that IMAP cannot see."""
    hidden = (letter for letter in old if letter.isupper() and letter not in _SHOWN)
    return "".join(sorted({*new, *hidden}))


def added(old: str, new: str) -> str:
    return "".join(sorted({*old, *new}))


def removed(old: str, gone: str) -> str:
    return "".join(letter for letter in sorted(old) if letter not in gone)


def offered(folder: Folder) -> list[str]:
    """FLAGS of the folder: all system flags and its keywords."""
    return [*SYSTEM, *(word for word in folder.keywords if word)]


def room_for_keywords(folder: Folder) -> bool:
    return len(folder.keywords) < MAX_KEYWORDS
