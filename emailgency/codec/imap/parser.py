"""One whole command -> its Struct: a table of words, and a function a command that takes its arguments (RFC 3501 §9).

FETCH items, SEARCH keys and what APPEND takes are grammars of their own: `fetch_items`, `search_keys`, `appending`.
"""

import re
from binascii import Error, a2b_base64
from collections.abc import Callable

from emailgency.codec.imap import (
    annotations,
    arguments,
    commands,
    fetch_items,
    fetch_modifiers,
    listing,
    modseqs,
    notify,
    quotas,
    return_options,
    search_keys,
    sort_criteria,
)
from emailgency.codec.imap.commands import Command, StoreMode
from emailgency.codec.imap.grammar import Cursor, ProtocolError

_BASE64 = re.compile(rb"[A-Za-z0-9+/=]++")
_LIST_LIMIT = 128  # patterns, options, capabilities, ID pairs (RFC 2971 §3.3: 30 pairs)


def parse(octets: bytes, utf8: bool = False) -> tuple[bytes, Command]:
    """Tag and command of a complete command with its CRLF and literals; ProtocolError when it is none."""
    cursor = Cursor(octets, utf8)
    tag = cursor.tag()
    cursor.space()
    word = cursor.atom().upper()
    reader = _COMMANDS.get(word)
    if reader is None:
        if word != b"UID":
            raise ProtocolError("unknown command")
        cursor.space()
        uid_reader = _UID_COMMANDS.get(cursor.atom().upper())
        if uid_reader is None:
            raise ProtocolError("unknown UID command")
        command = uid_reader(cursor)
    else:
        command = reader(cursor)
    cursor.end()
    return tag, command


# ---- without arguments, or with names only -----------------------------------------------------------------


def _bare(command: Command) -> Callable[[Cursor], Command]:
    return lambda cursor: command


def _with_name(make: Callable[[str], Command]) -> Callable[[Cursor], Command]:
    def read(cursor: Cursor) -> Command:
        cursor.space()
        return make(arguments.mailbox(cursor))

    return read


def _rename(cursor: Cursor) -> Command:
    cursor.space()
    name = arguments.mailbox(cursor)
    cursor.space()
    return commands.Rename(name, arguments.mailbox(cursor))


# ---- session -----------------------------------------------------------------------------------------------


def _authenticate(cursor: Cursor) -> Command:
    cursor.space()
    mechanism = cursor.word()
    initial = None
    if cursor.skip(b" "):
        digits = cursor.match(_BASE64, "base64 is missing").group()
        try:
            initial = b"" if digits == b"=" else a2b_base64(digits, strict_mode=True)
        except Error:
            raise ProtocolError("the initial response is not base64") from None
    return commands.Authenticate(mechanism, initial)


def _login(cursor: Cursor) -> Command:
    cursor.space()
    name = cursor.text()
    cursor.space()
    return commands.Login(name, cursor.text())


def _compress(cursor: Cursor) -> Command:
    cursor.space()
    return commands.Compress(cursor.word())


def _enable(cursor: Cursor) -> Command:
    cursor.space()
    return commands.Enable(_words(cursor))


def _id(cursor: Cursor) -> Command:
    cursor.space()
    if not cursor.skip(b"("):
        if cursor.word() != "NIL":
            raise ProtocolError("ID takes a list or NIL")
        return commands.Id(())
    fields: list[tuple[str, str]] = []
    while not cursor.skip(b")"):
        if fields:
            cursor.space()
        name = cursor.string()
        cursor.space()
        value = cursor.nstring()
        if name is None or len(fields) == _LIST_LIMIT:
            raise ProtocolError("malformed ID")
        fields.append((name.decode("utf-8", "replace"), (value or b"").decode("utf-8", "replace")))
    return commands.Id(tuple(fields))


# ---- mailboxes ---------------------------------------------------------------------------------------------


def _select(read_only: bool) -> Callable[[Cursor], Command]:
    def read(cursor: Cursor) -> Command:
        cursor.space()
        name = arguments.mailbox(cursor)
        return commands.Select(name, read_only, *modseqs.select_parameters(cursor))

    return read


def _create(cursor: Cursor) -> Command:
    cursor.space()
    name = arguments.mailbox(cursor)
    uses: list[str] = []
    if cursor.skip(b" ("):
        if cursor.word() != "USE":
            raise ProtocolError("unknown parameter of CREATE")
        cursor.need(b" (")
        while not uses or cursor.skip(b" "):
            cursor.need(b"\\")
            uses.append("\\" + cursor.word().capitalize())
        cursor.need(b"))")
    return commands.Create(name, tuple(uses))


def _without_literal(cursor: Cursor) -> Command:
    raise ProtocolError("a message comes as a literal")  # `appending` reads those that do


# ---- messages ----------------------------------------------------------------------------------------------


def _copy(make: type[commands.Copy] | type[commands.Move], uid: bool) -> Callable[[Cursor], Command]:
    def read(cursor: Cursor) -> Command:
        cursor.space()
        messages = arguments.sequence_set(cursor)
        cursor.space()
        return make(messages, arguments.mailbox(cursor), uid)

    return read


def _store(uid: bool) -> Callable[[Cursor], Command]:
    def read(cursor: Cursor) -> Command:
        cursor.space()
        messages = arguments.sequence_set(cursor)
        cursor.space()
        since = modseqs.unchanged_since(cursor)
        word = cursor.word()
        name = word.removesuffix(".SILENT")
        if name not in _STORE_MODES:
            raise ProtocolError("STORE takes FLAGS, +FLAGS or -FLAGS")
        cursor.space()
        listed = cursor.octets.startswith(b"(", cursor.at)
        flags = arguments.flag_list(cursor) if listed else arguments.flags(cursor)
        return commands.Store(messages, _STORE_MODES[name], name != word, flags, uid, since)

    return read


def _fetch(uid: bool) -> Callable[[Cursor], Command]:
    def read(cursor: Cursor) -> Command:
        cursor.space()
        messages = arguments.sequence_set(cursor)
        cursor.space()
        items = fetch_items.read(cursor, uid)
        return commands.Fetch(messages, items, uid, fetch_modifiers.read(cursor))

    return read


def _search(uid: bool) -> Callable[[Cursor], Command]:
    def read(cursor: Cursor) -> Command:
        cursor.space()
        returns = return_options.read(cursor)
        if not cursor.skip_word(b"CHARSET"):
            return commands.Search(search_keys.read(cursor), uid, returns)
        cursor.space()
        return commands.Search(search_keys.read_with_charset(cursor), uid, returns, charset=True)

    return read


def _sort(uid: bool) -> Callable[[Cursor], Command]:
    def read(cursor: Cursor) -> Command:
        cursor.space()
        returns = return_options.read(cursor)
        criteria = sort_criteria.read(cursor)
        cursor.space()
        return commands.Sort(criteria, search_keys.read_with_charset(cursor), uid, returns)

    return read


def _thread(uid: bool) -> Callable[[Cursor], Command]:
    def read(cursor: Cursor) -> Command:
        cursor.space()
        algorithm = sort_criteria.algorithm(cursor)
        cursor.space()
        return commands.Thread(algorithm, search_keys.read_with_charset(cursor), uid)

    return read


def _uid_expunge(cursor: Cursor) -> Command:
    cursor.space()
    return commands.Expunge(arguments.sequence_set(cursor))


def _words(cursor: Cursor) -> tuple[str, ...]:
    """Atoms in capitals, separated by spaces; at least one."""
    words = [cursor.word()]
    while cursor.skip(b" "):
        words.append(cursor.word())
        if len(words) > _LIST_LIMIT:
            raise ProtocolError("too many words")
    return tuple(words)


_STORE_MODES = {mode.value: mode for mode in StoreMode}

_COMMANDS: dict[bytes, Callable[[Cursor], Command]] = {
    b"CAPABILITY": _bare(commands.Capability()),
    b"NOOP": _bare(commands.Noop()),
    b"LOGOUT": _bare(commands.Logout()),
    b"ID": _id,
    b"STARTTLS": _bare(commands.Starttls()),
    b"AUTHENTICATE": _authenticate,
    b"LOGIN": _login,
    b"COMPRESS": _compress,
    b"ENABLE": _enable,
    b"NAMESPACE": _bare(commands.Namespace()),
    b"SELECT": _select(read_only=False),
    b"EXAMINE": _select(read_only=True),
    b"CREATE": _create,
    b"DELETE": _with_name(commands.Delete),
    b"RENAME": _rename,
    b"SUBSCRIBE": _with_name(commands.Subscribe),
    b"UNSUBSCRIBE": _with_name(commands.Unsubscribe),
    b"LIST": listing.read_list,
    b"LSUB": listing.read_lsub,
    b"STATUS": listing.read_status,
    b"APPEND": _without_literal,
    b"REPLACE": _without_literal,
    b"GETMETADATA": annotations.read_get,
    b"SETMETADATA": annotations.read_set,
    b"GETQUOTA": quotas.read_get,
    b"GETQUOTAROOT": quotas.read_get_root,
    b"SETQUOTA": quotas.read_set,
    b"IDLE": _bare(commands.Idle()),
    b"CHECK": _bare(commands.Check()),
    b"NOTIFY": notify.read,
    b"CLOSE": _bare(commands.Close()),
    b"UNSELECT": _bare(commands.Unselect()),
    b"EXPUNGE": _bare(commands.Expunge()),
    b"COPY": _copy(commands.Copy, uid=False),
    b"MOVE": _copy(commands.Move, uid=False),
    b"STORE": _store(uid=False),
    b"FETCH": _fetch(uid=False),
    b"SEARCH": _search(uid=False),
    b"SORT": _sort(uid=False),
    b"THREAD": _thread(uid=False),
}
_UID_COMMANDS: dict[bytes, Callable[[Cursor], Command]] = {
    b"COPY": _copy(commands.Copy, uid=True),
    b"MOVE": _copy(commands.Move, uid=True),
    b"STORE": _store(uid=True),
    b"FETCH": _fetch(uid=True),
    b"SEARCH": _search(uid=True),
    b"SORT": _sort(uid=True),
    b"THREAD": _thread(uid=True),
    b"EXPUNGE": _uid_expunge,
    b"REPLACE": _without_literal,
}
