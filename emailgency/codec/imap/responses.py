"""What the server says: functions giving whole responses as bytes, CRLF included (RFC 3501 §7).

Free text and names from outside are made safe here: no CR, LF, NUL or 8-bit octet can leave through them
(reliability rows 17 and 36).
"""

import re
import time
from collections.abc import Iterable, Mapping, Sequence

from emailgency.codec.imap import mutf7
from emailgency.codec.imap.sets import compress
from emailgency.codec.imap.strings import astring, nstring, string, utf8_astring

_UNPRINTABLE = re.compile(rb"[^\x20-\x7e]")
_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")

# ---- names and text ----------------------------------------------------------------------------------------


def mailbox(name: str, utf8: bool = False) -> bytes:
    """A mailbox name as it goes on the wire; `utf8` after ENABLE UTF8=ACCEPT (RFC 6855)."""
    return utf8_astring(name) if utf8 else astring(mutf7.encode(name))


def text(words: str) -> bytes:
    """Human-readable text for a status response; whatever could end the line or lie to a terminal is escaped."""
    octets = words.encode("ascii", "backslashreplace")
    return _UNPRINTABLE.sub(lambda match: b"\\x%02x" % match.group()[0], octets) or b"."


# ---- status responses --------------------------------------------------------------------------------------


def tagged(tag: bytes, condition: str, words: str, code: bytes = b"") -> bytes:
    """`A1 OK [code] words`; `condition` is OK, NO or BAD. `code` is made by the functions below."""
    if code:
        return b"%b %b [%b] %b\r\n" % (tag, condition.encode("ascii"), code, text(words))
    return b"%b %b %b\r\n" % (tag, condition.encode("ascii"), text(words))


def untagged(condition: str, words: str, code: bytes = b"") -> bytes:
    """`* OK [code] words`; `condition` is OK, NO, BAD, PREAUTH or BYE."""
    return tagged(b"*", condition, words, code)


def continuation(words: str = "OK") -> bytes:
    """`+ words`."""
    return b"+ " + text(words) + b"\r\n"


def challenge(base64: bytes = b"") -> bytes:
    """The continuation of AUTHENTICATE: `+ ` and base64 of the challenge, which may be empty."""
    return b"+ " + base64 + b"\r\n"


def permanent_flags(flags: Iterable[str], new_keywords: bool) -> bytes:
    """Code `PERMANENTFLAGS (...)`; `new_keywords` adds `\\*`."""
    return b"PERMANENTFLAGS " + flag_list([*flags, "\\*"] if new_keywords else flags)


def number_code(word: bytes, number: int) -> bytes:
    """Codes UIDVALIDITY, UIDNEXT, UNSEEN, HIGHESTMODSEQ."""
    return b"%b %d" % (word, number)


def append_uid(uidvalidity: int, uids: Iterable[int]) -> bytes:
    """Code `APPENDUID 38505 3955` (RFC 4315)."""
    return b"APPENDUID %d %b" % (uidvalidity, compress(uids))


def copy_uid(uidvalidity: int, sources: Iterable[int], targets: Iterable[int]) -> bytes:
    """Code `COPYUID 38505 304,319:320 3956:3958` (RFC 4315); the n-th source became the n-th target."""
    return b"COPYUID %d %b %b" % (uidvalidity, compress(sources), compress(targets))


def modified(numbers: Iterable[int]) -> bytes:
    """Code `MODIFIED 7,9` (RFC 7162 section 3.1.3)."""
    return b"MODIFIED " + compress(numbers)


def mailbox_id(id: str) -> bytes:
    """Code `MAILBOXID (F2212)` (RFC 8474 section 4)."""
    return b"MAILBOXID (%b)" % id.encode("ascii")


# ---- untagged data -----------------------------------------------------------------------------------------


def capability(names: Iterable[str]) -> bytes:
    """`* CAPABILITY IMAP4rev1 ...`."""
    return b"* CAPABILITY " + " ".join(names).encode("ascii") + b"\r\n"


def flag_list(flags: Iterable[str]) -> bytes:
    """`(\\Seen $Forwarded)`."""
    return b"(" + " ".join(flags).encode("ascii") + b")"


def flags(names: Iterable[str]) -> bytes:
    """`* FLAGS (...)`."""
    return b"* FLAGS " + flag_list(names) + b"\r\n"


def number(value: int, word: bytes) -> bytes:
    """`* 3 EXISTS`, `* 0 RECENT`, `* 5 EXPUNGE`."""
    return b"* %d %b\r\n" % (value, word)


def listed(
    attributes: Iterable[str],
    separator: str | None,
    name: str,
    word: bytes = b"LIST",
    child_info: Iterable[str] = (),
    old_name: str | None = None,
    utf8: bool = False,
) -> bytes:
    """`* LIST (\\HasNoChildren) "/" INBOX`; `word` is LSUB for that.

    `child_info` are the selection options that folders below fulfil (CHILDINFO of RFC 5258); `old_name` is where the
    folder was before (OLDNAME of RFC 9051).
    """
    extended = b""
    if child_info:
        extended = b' ("CHILDINFO" (%b))' % b" ".join(b'"%b"' % option.encode("ascii") for option in child_info)
    elif old_name is not None:
        extended = b' ("OLDNAME" (%b))' % mailbox(old_name, utf8)
    return b"* %b %b %b %b%b\r\n" % (
        word,
        flag_list(attributes),
        nstring(None if separator is None else separator.encode("ascii")),
        mailbox(name, utf8),
        extended,
    )


def status(name: str, items: Mapping[str, int | str], utf8: bool = False) -> bytes:
    """`* STATUS INBOX (MESSAGES 3 UNSEEN 1)`, in the order of `items`."""
    listing = " ".join(f"{item} {value}" for item, value in items.items())
    return b"* STATUS %b (%b)\r\n" % (mailbox(name, utf8), listing.encode("ascii"))


def search(numbers: Sequence[int], modseq: int = 0, word: bytes = b"SEARCH") -> bytes:
    """`* SEARCH 2 84 882`; `* SEARCH` when nothing was found. `modseq`: the highest of them (RFC 7162)."""
    more = b" (MODSEQ %d)\r\n" % modseq if modseq else b"\r\n"
    return b"* " + word + b" %d" * len(numbers) % tuple(numbers) + more  # one format: half the time of a join


def vanished(uids: Iterable[int]) -> bytes:
    """`* VANISHED 405,407:408` of ascending UIDs (RFC 7162 section 3.2.10)."""
    return b"* VANISHED " + compress(uids) + b"\r\n"


def namespace(prefix: str, separator: str) -> bytes:
    """`* NAMESPACE (("" "/")) NIL NIL`: one personal name space (RFC 2342)."""
    return b"* NAMESPACE ((%b %b)) NIL NIL\r\n" % (string(mutf7.encode(prefix)), string(separator.encode("ascii")))


def identity(fields: Mapping[str, str]) -> bytes:
    """`* ID ("name" "Emailgency")` (RFC 2971); NIL without fields."""
    if not fields:
        return b"* ID NIL\r\n"
    pairs = [string(part.encode("ascii")) for pair in fields.items() for part in pair]
    return b"* ID (" + b" ".join(pairs) + b")\r\n"


def enabled(names: Iterable[str]) -> bytes:
    """`* ENABLED CONDSTORE` (RFC 5161)."""
    return " ".join(["* ENABLED", *names]).encode("ascii") + b"\r\n"


# ---- FETCH -------------------------------------------------------------------------------------------------


def fetch_start(sequence: int) -> bytes:
    """`* 12 FETCH (`: then attributes separated by spaces, and `FETCH_END`."""
    return b"* %d FETCH (" % sequence


FETCH_END = b")\r\n"


def changed_flags(sequence: int, uid: int, flags: bytes | None, modseq: int) -> bytes:
    """`* 5 FETCH (UID 9 FLAGS (\\Seen) MODSEQ (12))`; without FLAGS for those that are not to be told."""
    if flags is None:
        return b"* %d FETCH (UID %d MODSEQ (%d))\r\n" % (sequence, uid, modseq)
    return b"* %d FETCH (UID %d FLAGS (%b) MODSEQ (%d))\r\n" % (sequence, uid, flags, modseq)


def size_attribute(octets: int) -> bytes:
    """`RFC822.SIZE 4286`."""
    return b"RFC822.SIZE %d" % octets


def date_attribute(at: float) -> bytes:
    """`INTERNALDATE "17-Jul-1996 02:44:25 +0000"` of seconds since the epoch; always in UTC."""
    return b"INTERNALDATE " + _date_time(at)


def save_date(at: int) -> bytes:
    """`SAVEDATE "17-Jul-1996 02:44:25 +0000"`, NIL for 0: nobody knows (RFC 8514 section 5)."""
    return b"SAVEDATE " + (_date_time(at) if at else b"NIL")


def _date_time(at: float) -> bytes:
    day = time.gmtime(at)
    return b'"%02d-%b-%04d %02d:%02d:%02d +0000"' % (
        day.tm_mday,
        _MONTHS[day.tm_mon - 1],
        day.tm_year,
        day.tm_hour,
        day.tm_min,
        day.tm_sec,
    )


def section_attribute(label: bytes, octets: bytes | None) -> bytes:
    """`BODY[TEXT] {3}CRLFabc`, or NIL for a part that does not exist."""
    if octets is None:
        return label + b" NIL"
    return b"%b {%d}\r\n%b" % (label, len(octets), octets)


def section_start(label: bytes, size: int, binary: bool = False) -> bytes:
    """The same up to the octets, of which exactly `size` must follow; `binary`: as a literal8 (RFC 3516 section 7)."""
    return b"%b %b{%d}\r\n" % (label, b"~" if binary else b"", size)


def preview(words: str | None) -> bytes:
    """`PREVIEW "Hello Paul"`, or NIL for one that is not known yet (RFC 8970 section 4.1)."""
    return b"PREVIEW " + nstring(None if words is None else words.encode("utf-8"))


def binary_size(label: bytes, octets: int) -> bytes:
    """`BINARY.SIZE[1] 4286`."""
    return b"%b %d" % (label, octets)
