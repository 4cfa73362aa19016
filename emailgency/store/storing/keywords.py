"""The file `dovecot-keywords`: which keyword each small letter in the file names of a folder means.

Lines are `<number> <word>`; number 0 is the letter a (Dovecot, "Maildir mailbox format"). A word
never changes its letter.
"""

from emailgency.store.storing import files
from emailgency.store.storing.maildir import Maildir
from emailgency.store.storing.messages import Keywords
from emailgency.store.storing.replies import KeywordList, Refused

_NAME = "dovecot-keywords"
_LETTERS = 26


def give(folder: Maildir, request: Keywords) -> KeywordList | Refused:
    """Letters for these words, all or none. Keywords compare without regard to case (RFC 3501 section 9, flag)."""
    words = extended(read(folder), request.words)
    if words is None:
        return Refused(request.number, "limit")
    if words != read(folder):
        write(folder, words)
    return KeywordList(request.number, words)


def extended(known: tuple[str, ...], wanted: tuple[str, ...]) -> tuple[str, ...] | None:
    """The list with the new words in its gaps and at its end; None when the letters do not suffice."""
    words = list(known)
    present = {word.lower() for word in words if word}
    for word in wanted:
        if word.lower() in present:
            continue
        if any(character.isspace() or not character.isprintable() for character in word) or not word:
            return None
        present.add(word.lower())
        if "" in words:
            words[words.index("")] = word
        else:
            words.append(word)
    return tuple(words) if len(words) <= _LETTERS else None


def translate(letters: str, source: Maildir, destination: Maildir) -> str:
    """Flag letters of one folder as another one writes them; a keyword that finds no letter there is lost."""
    standard = "".join(letter for letter in letters if letter.isupper())
    if standard == letters:
        return letters
    if source is destination:
        return letters
    names = read(source)
    indices = (ord(letter) - 97 for letter in letters if letter.islower())
    kept = []
    for word in (names[index] for index in indices if index < len(names) and names[index]):
        known = read(destination)
        words = extended(known, (word,))
        if words is not None:
            if words != known:
                write(destination, words)
            kept.append(chr(97 + [one.lower() for one in words].index(word.lower())))
    return standard + "".join(sorted(kept))


def read(folder: Maildir) -> tuple[str, ...]:
    """The words by number; gaps are empty words."""
    return parse(files.read_all(folder.subfolder(""), _NAME) or b"")


def parse(octets: bytes) -> tuple[str, ...]:
    """The words of a `dovecot-keywords` file; lines that say nothing are passed over."""
    words: dict[int, str] = {}
    for line in octets.decode("utf-8", "replace").splitlines():
        number, _, word = line.partition(" ")
        if number.isascii() and number.isdigit() and len(number) <= 2 and int(number) < _LETTERS and word:
            words[int(number)] = word
    return tuple(words.get(index, "") for index in range(max(words, default=-1) + 1))


def write(folder: Maildir, words: tuple[str, ...]) -> None:
    """Replace the file, synced."""
    lines = [f"{index} {word}\n" for index, word in enumerate(words) if word]
    files.replace(folder.subfolder(""), _NAME, "".join(lines).encode())
