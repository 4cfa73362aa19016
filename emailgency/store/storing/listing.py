"""Open: what is in a folder."""

from emailgency.store.storing import files
from emailgency.store.storing.maildir import Maildir
from emailgency.store.storing.messages import Opened, Unchanged

_KEYWORDS = "dovecot-keywords"
LETTERS = 26


def opened(number: int, folder: Maildir, token: str = "") -> Opened | Unchanged:
    """List the folder; with the token of the last list only when somebody else changed it meanwhile."""
    if folder.names is None or folder.changed():
        folder.list()
    assert folder.names is not None
    if token and token == folder.token():
        return Unchanged(number)
    return Opened(
        number,
        folder.path,
        folder.uids.validity,
        folder.uids.next,
        folder.token(),
        tuple(folder.names[uid] for uid in sorted(folder.names)),
        read_keywords(folder),
    )


def read_keywords(folder: Maildir) -> tuple[str, ...]:
    """`dovecot-keywords` has lines `<number> <word>`; number 0 is the letter a. Gaps are empty words."""
    octets = files.read_all(folder.subfolder(""), _KEYWORDS) or b""
    words: dict[int, str] = {}
    for line in octets.decode("utf-8", "replace").splitlines():
        number, _, word = line.partition(" ")
        if number.isdigit() and int(number) < LETTERS and word:
            words[int(number)] = word
    return tuple(words.get(index, "") for index in range(max(words, default=-1) + 1))


def write_keywords(folder: Maildir, words: tuple[str, ...]) -> None:
    """Replace the file, synced."""
    lines = [f"{index} {word}\n" for index, word in enumerate(words) if word]
    files.replace(folder.subfolder(""), _KEYWORDS, "".join(lines).encode())
