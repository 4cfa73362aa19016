"""The items of FETCH (RFC 3501 §6.4.5): `(FLAGS UID BODY.PEEK[1.2.HEADER.FIELDS (Date From)]<0.100> BINARY[2])`."""

import re
from collections.abc import Mapping
from functools import lru_cache

from emailgency.codec.imap.commands import Attribute, Binary, FetchItem, Section, Text
from emailgency.codec.imap.grammar import Cursor, ProtocolError

_NAME = re.compile(rb"[A-Za-z0-9.]{1,16}+")
_SECTION = re.compile(rb"((?:[1-9][0-9]{0,8}\.?)*+)([A-Za-z][A-Za-z.]*+)?")
_PARTIAL = re.compile(rb"<([0-9]{1,10})\.([0-9]{1,10})>")
_LAZY = re.compile(rb" \(LAZY\)", re.IGNORECASE)  # another word there is a modifier of the whole FETCH
_FIELD = re.compile(rb"[!-9;-~]+")  # RFC 5322 §3.6.8 ftext
_ATOM = re.compile(rb"[!#$&'+,\-./0-9;<=>?@A-Z\[\]^_`a-z|}~]+")
_LARGEST = (1 << 32) - 1
_ITEM_LIMIT = 256  # items of one command, and fields of one section
_REMEMBERED = 512  # octets
_DEPTH_LIMIT = 64  # part numbers in a row; our own reader stops at 30 levels

_FAST = (Attribute.FLAGS, Attribute.INTERNALDATE, Attribute.SIZE)
_MACROS: dict[bytes, tuple[FetchItem, ...]] = {
    b"FAST": _FAST,
    b"ALL": (*_FAST, Attribute.ENVELOPE),
    b"FULL": (*_FAST, Attribute.ENVELOPE, Attribute.BODY),
}
_PLAIN: Mapping[bytes, FetchItem] = {attribute.value: attribute for attribute in Attribute} | {
    b"RFC822": Section((), Text.ALL, (), None, False, b"RFC822"),
    b"RFC822.HEADER": Section((), Text.HEADER, (), None, True, b"RFC822.HEADER"),
    b"RFC822.TEXT": Section((), Text.TEXT, (), None, False, b"RFC822.TEXT"),
}
_BINARY = (b"BINARY", b"BINARY.PEEK", b"BINARY.SIZE")
_TEXTS = {text.value: text for text in Text if text is not Text.ALL}


def read(cursor: Cursor, uid: bool) -> tuple[FetchItem, ...]:
    """The items standing at the cursor, macros expanded, each once; with `uid` UID is one of them."""
    rest = cursor.octets[cursor.at :]
    if len(rest) > _REMEMBERED:
        return _read(cursor, uid)
    items, length = _remembered(rest, uid)
    cursor.at += length
    return items


@lru_cache(maxsize=256)
def _remembered(rest: bytes, uid: bool) -> tuple[tuple[FetchItem, ...], int]:
    """Items, and how many octets they take. A mail program sends the same few lists all day (20 µs to read one)."""
    cursor = Cursor(rest)
    return _read(cursor, uid), cursor.at


def _read(cursor: Cursor, uid: bool) -> tuple[FetchItem, ...]:
    items: dict[FetchItem, None] = {Attribute.UID: None} if uid else {}
    if not cursor.skip(b"("):
        macro = _NAME.match(cursor.octets, cursor.at)
        expanded = _MACROS.get(macro.group().upper()) if macro else None
        if macro and expanded:
            cursor.at = macro.end()
            items.update(dict.fromkeys(expanded))
        else:
            items[_item(cursor)] = None
        return tuple(items)
    for _ in range(_ITEM_LIMIT):
        items[_item(cursor)] = None
        if cursor.skip(b")"):
            return tuple(items)
        cursor.space()
    raise ProtocolError("too many items")


def _item(cursor: Cursor) -> FetchItem:
    name = cursor.match(_NAME, "a fetch item is missing").group().upper()
    if name in (b"BODY", b"BODY.PEEK") and cursor.skip(b"["):
        return _section(cursor, name == b"BODY.PEEK")
    if name in _BINARY and cursor.skip(b"["):
        return _binary(cursor, name)
    item = _PLAIN.get(name)
    if item is Attribute.PREVIEW and _LAZY.match(cursor.octets, cursor.at):
        cursor.match(_LAZY, "")
        return Attribute.PREVIEW_IF_KNOWN
    if item is None:
        raise ProtocolError("unknown fetch item")
    return item


def _section(cursor: Cursor, peek: bool) -> Section:
    numbers, word = cursor.match(_SECTION, "malformed section").groups()
    word = (word or b"").upper()
    if bool(numbers) and numbers.endswith(b".") != bool(word):
        raise ProtocolError("malformed section")
    if numbers.count(b".") > _DEPTH_LIMIT:
        raise ProtocolError("the section is too deep")
    part = tuple(int(number) for number in numbers.split(b".") if number)
    text = _TEXTS.get(word) if word else Text.ALL
    if text is None or (text is Text.MIME and not part):
        raise ProtocolError("malformed section")
    label = b"BODY[" + numbers + word
    fields: list[bytes] = []
    if text in (Text.FIELDS, Text.FIELDS_NOT):
        fields = _fields(cursor)
        label += b" (" + b" ".join(_label(field) for field in fields) + b")"
    cursor.need(b"]")
    label += b"]"
    partial = _partial(cursor)
    if partial:
        label += b"<%d>" % partial[0]
    return Section(part, text, tuple(field.lower() for field in fields), partial, peek, label)


def _binary(cursor: Cursor, name: bytes) -> Binary:
    """RFC 3516 §7: numbers of parts only, and no partial of a size."""
    section = _section(cursor, peek=name != b"BINARY")
    size = name == b"BINARY.SIZE"
    if section.text is not Text.ALL or (size and section.partial):
        raise ProtocolError("malformed section")
    label = section.label.replace(b"BODY", b"BINARY.SIZE" if size else b"BINARY", 1)
    return Binary(section.part, section.partial, section.peek, label, size)


def _fields(cursor: Cursor) -> list[bytes]:
    cursor.need(b" (")
    fields: list[bytes] = []
    while not fields or cursor.skip(b" "):
        field = cursor.astring()
        if not _FIELD.fullmatch(field):
            raise ProtocolError("no such header field name")
        fields.append(field)
        if len(fields) > _ITEM_LIMIT:
            raise ProtocolError("too many fields")
    cursor.need(b")")
    return fields


def _label(field: bytes) -> bytes:
    """The field name as an astring. Printable ASCII without spaces: a quoted string holds whatever no atom can."""
    if _ATOM.fullmatch(field):
        return field
    return b'"' + field.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def _partial(cursor: Cursor) -> tuple[int, int] | None:
    if not cursor.octets.startswith(b"<", cursor.at):
        return None
    first, most = (int(number) for number in cursor.match(_PARTIAL, "malformed partial").groups())
    if not 0 < most <= _LARGEST or first > _LARGEST:
        raise ProtocolError("malformed partial")
    return first, most
