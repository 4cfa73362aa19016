"""Folder names: as clients spell them, as hierarchy parts, as special uses.

Parts are what `store.layout` makes paths of. A part that holds the separator itself (the setting was changed, or
another program made the folder) is spelled with a private-use character in its place, so that it stays reachable.
"""

import re
from collections.abc import Mapping

from emailgency.codec.imap.mutf7 import encode
from emailgency.model.errors import Invalid
from emailgency.store import layout

INBOX = "INBOX"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_PRIVATE = 0xF000  # + the code of the separator: in the private-use area of Unicode

Name = tuple[str, ...]  # () is INBOX
UNDELIVERED: Name = ("Undelivered",)  # the customer's, product row A7; nobody makes a folder of that name


def parse(name: str, separator: str) -> Name:
    """The parts of a client's name; raises Invalid with words for the user. INBOX in any case is ()."""
    parts = name.split(separator)
    if parts[0].upper() == INBOX:
        parts[0] = INBOX
        if len(parts) == 1:
            return ()
    if not all(parts):
        raise Invalid("a folder name has an empty part")
    stand_in = chr(_PRIVATE + ord(separator))
    return tuple(part.replace(stand_in, separator) for part in parts)


def spell(name: Name, separator: str) -> str:
    """The reverse of `parse`."""
    stand_in = chr(_PRIVATE + ord(separator))
    return separator.join(part.replace(separator, stand_in) for part in name) or INBOX


def stored(name: Name) -> str:
    """As the file `subscriptions` holds it: the folder's directory name without its dot, which Dovecot reads too."""
    return layout.folder("", name)[2:] or INBOX


def unstored(text: str) -> Name:
    """The reverse of `stored`."""
    return () if text.upper() == INBOX else layout.folder_name("", f"/.{text}")


def speakable(name: Name) -> bool:
    """Whether the name can be said in IMAP: another program may have made one of control characters."""
    try:
        encode("".join(name))
    except UnicodeEncodeError:
        return False
    return all(name) and not any(_CONTROL.search(part) for part in name)


def special_use(name: Name, folders: Mapping[str, str], separator: str) -> list[str]:
    """The RFC 6154 attribute of a folder, by the names of the settings."""
    use = folders.get(spell(name, separator), "")
    return [f"\\{use.capitalize()}"] if use else []
