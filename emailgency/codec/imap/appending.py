"""APPEND and REPLACE up to the literal of a message: what the message is to be, and how its octets come.

    APPEND SP mailbox 1*(SP message)                  RFC 3501 §6.3.11, RFC 3502
    [UID SP] REPLACE SP number SP mailbox SP message  RFC 8508 §5
    message = [flags SP] [date-time SP] ([~]{n} / UTF8 SP "(" ~{n} ")")     RFC 3516 §7, RFC 6855 §4

The octets of a literal are not part of what is read here: it ends with the announcement.
"""

import re

from emailgency.codec.imap import arguments
from emailgency.codec.imap.commands import Append, Replace
from emailgency.codec.imap.grammar import Cursor, ProtocolError
from emailgency.codec.imap.literals import Announcement

COMMAND = re.compile(rb"[^\x00-\x20]{1,128} (?:APPEND|(?:UID )?REPLACE) ", re.IGNORECASE)
_WRONG = "APPEND takes a mailbox, flags, a date and a literal"


def first(octets: bytes, literal: Announcement, utf8: bool) -> tuple[bytes, Append | Replace] | None:
    """Tag and command up to and with the announcement; None when that literal is the mailbox name."""
    cursor = Cursor(octets, utf8)
    tag = cursor.tag()
    cursor.space()
    word = cursor.word()
    uid = word == "UID"
    if uid:
        cursor.space()
        word = cursor.word()
    cursor.space()
    number = 0
    if word == "REPLACE":
        number = _number(cursor)
        cursor.space()
    if cursor.announces():
        return None
    message = _message(cursor, arguments.mailbox(cursor), literal)
    return tag, Replace(message, number, uid) if word == "REPLACE" else message


def next_message(line: bytes, before: Append, literal: Announcement | None, utf8: bool) -> Append | None:
    """What stands behind the octets of a message, up to the end of its line: another one, or None for the end."""
    cursor = Cursor(line, utf8)
    if before.utf8:
        cursor.need(b")")
    if literal is None:
        cursor.end()
        return None
    return _message(cursor, before.name, literal)


def _message(cursor: Cursor, name: str, literal: Announcement) -> Append:
    cursor.space()
    flags: tuple[str, ...] = ()
    date = None
    if cursor.octets.startswith(b"(", cursor.at):
        flags = arguments.flag_list(cursor)
        cursor.space()
    if cursor.octets.startswith(b'"', cursor.at):
        date = arguments.date_time(cursor)
        cursor.space()
    utf8 = cursor.skip_word(b"UTF8")
    if utf8:
        if not cursor.utf8:
            raise ProtocolError("ENABLE UTF8=ACCEPT comes first", "NO")  # RFC 6855 §4
        cursor.need(b" (")
    binary = cursor.skip(b"~")
    if not cursor.announces() or (utf8 and not binary):
        raise ProtocolError(_WRONG)
    return Append(name, flags, date, literal.size, literal.synchronising, binary, utf8)


def _number(cursor: Cursor) -> int:
    """A sequence number or UID; 0 for `*`, the last message."""
    if cursor.skip(b"*"):
        return 0
    number = cursor.number()
    if not number:
        raise ProtocolError("there is no message 0")
    return number
