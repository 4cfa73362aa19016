"""Every command and argument of IMAP, as octets and as what it means."""

from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailgency.codec.imap import appending, parser
from emailgency.codec.imap import commands as c
from emailgency.codec.imap import search_tree as k
from emailgency.codec.imap.grammar import ProtocolError
from emailgency.codec.imap.literals import Announcement
from emailgency.codec.imap.sets import STAR, SequenceSet

ONE = SequenceSet(((1, 1),))
SEEN = k.HasFlag("\\Seen")
DATE_SECTION = c.Section((), c.Text.FIELDS, (b"date", b"from"), None, True, b"BODY[HEADER.FIELDS (Date From)]")


def _all_of(*keys: k.SearchKey) -> c.Search:
    return c.Search(k.And(keys) if len(keys) > 1 else keys[0], uid=False)


def _fetch(*items: c.FetchItem, uid: bool = False) -> c.Fetch:
    return c.Fetch(ONE, items, uid)


def _section(
    label: str,
    text: c.Text = c.Text.ALL,
    part: tuple[int, ...] = (),
    fields: tuple[bytes, ...] = (),
    partial: tuple[int, int] | None = None,
    peek: bool = False,
) -> c.Section:
    return c.Section(part, text, fields, partial, peek, label.encode())


GOOD: dict[str, c.Command] = {
    "CAPABILITY": c.Capability(),
    "noop": c.Noop(),
    "LogOut": c.Logout(),
    "STARTTLS": c.Starttls(),
    "ID NIL": c.Id(()),
    "ID ()": c.Id(()),
    'ID ("name" "x" "os" NIL)': c.Id((("name", "x"), ("os", ""))),
    "AUTHENTICATE PLAIN": c.Authenticate("PLAIN", None),
    "AUTHENTICATE plain AGEAYg==": c.Authenticate("PLAIN", b"\0a\0b"),
    "AUTHENTICATE EXTERNAL =": c.Authenticate("EXTERNAL", b""),
    "LOGIN anna secret": c.Login("anna", "secret"),
    'LOGIN "anna b" "se\\"c\\\\ret"': c.Login("anna b", 'se"c\\ret'),
    "LOGIN {4}\r\nanna {6+}\r\ns c\r\nt": c.Login("anna", "s c\r\nt"),
    "LOGIN {3}\r\n\xc3\xbca {0}\r\n": c.Login("üa", ""),
    "LOGIN a]b c[d": c.Login("a]b", "c[d"),
    "ENABLE condstore UTF8=ACCEPT": c.Enable(("CONDSTORE", "UTF8=ACCEPT")),
    "NAMESPACE": c.Namespace(),
    "SELECT inbox": c.Select("INBOX", read_only=False),
    'EXAMINE "Sent Items"': c.Select("Sent Items", read_only=True),
    "SELECT Entw&APw-rfe (CONDSTORE)": c.Select("Entwürfe", read_only=False, condstore=True),
    "SELECT {5}\r\nINBOX": c.Select("INBOX", read_only=False),
    "SELECT R&-D": c.Select("R&D", read_only=False),
    "CREATE a/b/": c.Create("a/b/"),
    "CREATE x (USE (\\sent \\Junk))": c.Create("x", ("\\Sent", "\\Junk")),
    "DELETE x": c.Delete("x"),
    'RENAME x "y z"': c.Rename("x", "y z"),
    "SUBSCRIBE x": c.Subscribe("x"),
    "UNSUBSCRIBE x": c.Unsubscribe("x"),
    'LIST "" *': c.List("", ("*",)),
    'LIST "" ""': c.List("", ("",)),
    'LIST a/ "%b"': c.List("a/", ("%b",)),
    "LIST {0}\r\n {1}\r\n%": c.List("", ("%",)),
    'LIST (SUBSCRIBED) "" (a% "b") RETURN (CHILDREN STATUS (MESSAGES UNSEEN))': c.List(
        "", ("a%", "b"), ("SUBSCRIBED",), ("CHILDREN", "STATUS"), ("MESSAGES", "UNSEEN"), extended=True
    ),
    'LIST () "" * RETURN ()': c.List("", ("*",), extended=True),
    'LSUB "" #news.%': c.Lsub("", "#news.%"),
    "STATUS inbox (MESSAGES unseen UIDNEXT uidvalidity RECENT)": c.Status(
        "INBOX", ("MESSAGES", "UNSEEN", "UIDNEXT", "UIDVALIDITY", "RECENT")
    ),
    "IDLE": c.Idle(),
    "CHECK": c.Check(),
    "CLOSE": c.Close(),
    "UNSELECT": c.Unselect(),
    "EXPUNGE": c.Expunge(),
    "UID EXPUNGE 1:*": c.Expunge(SequenceSet(((1, STAR),))),
    "COPY 2:1,4 x": c.Copy(SequenceSet(((1, 2), (4, 4))), "x", uid=False),
    "uid copy 4294967295 x": c.Copy(SequenceSet(((4294967295, 4294967295),)), "x", uid=True),
    "MOVE * x": c.Move(SequenceSet(((STAR, STAR),)), "x", uid=False),
    "UID MOVE $ x": c.Move(SequenceSet((), saved=True), "x", uid=True),
    "STORE 1 FLAGS ()": c.Store(ONE, c.StoreMode.REPLACE, silent=False, flags=(), uid=False),
    "STORE 1 +FLAGS.SILENT (\\seen $Forwarded \\Seen \\Recent)": c.Store(
        ONE, c.StoreMode.ADD, silent=True, flags=("\\Seen", "$Forwarded"), uid=False
    ),
    "UID STORE 1 -flags \\DELETED a": c.Store(ONE, c.StoreMode.REMOVE, False, ("\\Deleted", "a"), uid=True),
    "FETCH 1 FLAGS": _fetch(c.Attribute.FLAGS),
    "FETCH 1 (UID RFC822.SIZE uid)": _fetch(c.Attribute.UID, c.Attribute.SIZE),
    "UID FETCH 1 (INTERNALDATE)": _fetch(c.Attribute.UID, c.Attribute.INTERNALDATE, uid=True),
    "FETCH 1 fast": _fetch(c.Attribute.FLAGS, c.Attribute.INTERNALDATE, c.Attribute.SIZE),
    "FETCH 1 ALL": _fetch(c.Attribute.FLAGS, c.Attribute.INTERNALDATE, c.Attribute.SIZE, c.Attribute.ENVELOPE),
    "FETCH 1 FULL": _fetch(
        c.Attribute.FLAGS, c.Attribute.INTERNALDATE, c.Attribute.SIZE, c.Attribute.ENVELOPE, c.Attribute.BODY
    ),
    "FETCH 1 (BODY BODYSTRUCTURE)": _fetch(c.Attribute.BODY, c.Attribute.BODYSTRUCTURE),
    "FETCH 1 BODY[]": _fetch(_section("BODY[]")),
    "FETCH 1 body.peek[]<0.100>": _fetch(_section("BODY[]<0>", peek=True, partial=(0, 100))),
    "FETCH 1 BODY[HEADER]": _fetch(_section("BODY[HEADER]", c.Text.HEADER)),
    "FETCH 1 BODY[text]": _fetch(_section("BODY[TEXT]", c.Text.TEXT)),
    "FETCH 1 BODY[1.2]": _fetch(_section("BODY[1.2]", part=(1, 2))),
    "FETCH 1 BODY[1.mime]": _fetch(_section("BODY[1.MIME]", c.Text.MIME, (1,))),
    "FETCH 1 BODY.PEEK[HEADER.FIELDS (Date From)]": _fetch(DATE_SECTION),
    'FETCH 1 BODY.PEEK[HEADER.FIELDS ({4}\r\nDate "From")]': _fetch(DATE_SECTION),
    "FETCH 1 BODY[2.HEADER.FIELDS.NOT (To)]<10.5>": _fetch(
        _section("BODY[2.HEADER.FIELDS.NOT (To)]<10>", c.Text.FIELDS_NOT, (2,), fields=(b"to",), partial=(10, 5))
    ),
    "FETCH 1 (RFC822 RFC822.HEADER RFC822.TEXT)": _fetch(
        _section("RFC822"),
        _section("RFC822.HEADER", c.Text.HEADER, peek=True),
        _section("RFC822.TEXT", c.Text.TEXT),
    ),
    "SEARCH ALL": _all_of(k.All()),
    "SEARCH unseen DELETED": _all_of(k.Not(SEEN), k.HasFlag("\\Deleted")),
    "SEARCH NEW": _all_of(k.HasFlag("\\Recent"), k.Not(SEEN)),
    "SEARCH OLD": _all_of(k.Not(k.HasFlag("\\Recent"))),
    "SEARCH 1 UID *": _all_of(k.Numbers(ONE, uid=False), k.Numbers(SequenceSet(((STAR, STAR),)), uid=True)),
    "SEARCH OR SEEN NOT (SEEN KEYWORD $x)": _all_of(
        k.Or(SEEN, k.Not(k.And((SEEN, k.HasFlag("$x"))))),
    ),
    "SEARCH UNKEYWORD a LARGER 5 SMALLER 6": _all_of(k.Not(k.HasFlag("a")), k.Size(True, 5), k.Size(False, 6)),
    'SEARCH ON 1-feb-2026 SENTSINCE "28-Feb-2024" BEFORE 31-Dec-1999': _all_of(
        k.Day(False, k.When.ON, date(2026, 2, 1)),
        k.Day(True, k.When.SINCE, date(2024, 2, 28)),
        k.Day(False, k.When.BEFORE, date(1999, 12, 31)),
    ),
    'SEARCH FROM anna HEADER X-Foo ""': _all_of(k.Header("from", "anna"), k.Header("x-foo", "")),
    "SEARCH CHARSET UTF-8 SUBJECT {5}\r\ngr\xc3\xbcn": c.Search(k.Header("subject", "grün"), False, charset=True),
    'SEARCH CHARSET iso-8859-1 BODY {1}\r\n\xfc TEXT "x"': c.Search(
        k.And((k.Body("ü", header=False), k.Body("x", header=True))), uid=False, charset=True
    ),
    "UID SEARCH ANSWERED": c.Search(k.HasFlag("\\Answered"), uid=True),
}

BAD = (
    "",
    " ",
    "NOOP x",
    "NOOP ",
    "NOPE",
    "UID",
    "UID NOPE 1",
    "UID NOOP",
    "LOGIN",
    "LOGIN a",
    "LOGIN a b c",
    "LOGIN a  b",
    'LOGIN "a" "b',
    'LOGIN "a\\b" c',
    'LOGIN "a\r" c',
    "LOGIN a {2}\r\nb",
    "LOGIN a {-1}",
    "LOGIN a {1e3}",
    "LOGIN a {}",
    "LOGIN {3}\r\na\0b c",
    'LOGIN "\xc3\xbc" b',
    "LOGIN {1}\r\n\xff b",
    "LOGIN a(b c",
    "LOGIN a%b c",
    "LOGIN a* b",
    "AUTHENTICATE",
    "AUTHENTICATE PLAIN !!!",
    "AUTHENTICATE PLAIN A",
    "SELECT",
    "SELECT a b",
    "SELECT &",
    "SELECT &AGE-",
    "SELECT \xff",
    "SELECT &AAA-",
    "SELECT a (b",
    "CREATE x (USE ())",
    "CREATE x (FOO (\\Sent))",
    "RENAME a",
    'LIST ""',
    "LIST * *",
    'LIST "" (',
    'LIST "" () ',
    'LIST "" * RETURN',
    "LIST (A B",
    "STATUS x",
    "STATUS x ()",
    "STATUS x (NOPE)",
    "STATUS x MESSAGES",
    "APPEND x",
    "APPEND x (\\Seen)",
    'APPEND x "abc"',
    "COPY x y",
    "COPY 0 y",
    "COPY 1",
    "COPY 1,, y",
    "COPY ,1 y",
    "COPY 1: y",
    "COPY :1 y",
    "COPY 1:2:3 y",
    "COPY 4294967296 y",
    "COPY 99999999999 y",
    "COPY -1 y",
    "COPY 1.5 y",
    "STORE 1 FLAGS",
    "STORE 1 FLAG ()",
    "STORE 1 FLAGS (\\Foo)",
    "STORE 1 FLAGS (a",
    "STORE 1 FLAGS (a  b)",
    "STORE 1 FLAGS.LOUD ()",
    "STORE 1 FLAGS (a*b)",
    "STORE 1 FLAGS (\\)",
    "FETCH 1",
    "FETCH 1 ()",
    "FETCH 1 NOPE",
    "FETCH 1 (FLAGS",
    "FETCH 1 (FAST)",
    "FETCH 1 (FLAGS ALL)",
    "FETCH a FLAGS",
    "FETCH 1 BODY[",
    "FETCH 1 BODY[0]",
    "FETCH 1 BODY[1.]",
    "FETCH 1 BODY[.1]",
    "FETCH 1 BODY[1..2]",
    "FETCH 1 BODY[1MIME]",
    "FETCH 1 BODY[MIME]",
    "FETCH 1 BODY[HEADER.FIELDS]",
    "FETCH 1 BODY[HEADER.FIELDS ()]",
    "FETCH 1 BODY[HEADER.FOO]",
    'FETCH 1 BODY[HEADER.FIELDS ("a b")]',
    "FETCH 1 BODY[HEADER.FIELDS (a:)]",
    "FETCH 1 BODY[]<0>",
    "FETCH 1 BODY[]<0.0>",
    "FETCH 1 BODY[]<1.>",
    "FETCH 1 BODY[]<-1.5>",
    "FETCH 1 BODY[]<4294967296.1>",
    "FETCH 1 BODY.PEEK",
    "SEARCH",
    "SEARCH ()",
    "SEARCH NOPE",
    "SEARCH NOT",
    "SEARCH OR SEEN",
    "SEARCH (SEEN",
    "SEARCH SEEN)",
    "SEARCH ON x",
    "SEARCH ON 32-Jan-2026",
    "SEARCH ON 1-Foo-2026",
    "SEARCH ON 29-Feb-2025",
    'SEARCH ON "1-Jan-2026',
    "SEARCH LARGER x",
    "SEARCH LARGER 4294967296",
    "SEARCH HEADER x",
    "SEARCH FROM",
    "SEARCH CHARSET UTF-8",
    "SEARCH UID x",
    "SEARCH SEEN ",
    "ID",
    "ID x",
    'ID ("a")',
    'ID ("a" "b"',
    "ENABLE",
    "ENABLE ",
)


@pytest.mark.parametrize("text", GOOD)
def test_a_command_is_read(text: str) -> None:
    assert parser.parse(b"a.1 " + text.encode("latin-1") + b"\r\n") == (b"a.1", GOOD[text])


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_command_is_refused_with_bad(text: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        parser.parse(b"a1 " + text.encode("latin-1") + b"\r\n")
    assert caught.value.condition == "BAD"


@pytest.mark.parametrize("tag", [b"", b"+", b"a+b", b"a b", b"(", b'"a"', b"\xff", b"x" * 129])
def test_a_malformed_tag_is_refused(tag: bytes) -> None:
    with pytest.raises(ProtocolError):
        parser.parse(tag + b" NOOP\r\n" if b" " not in tag else tag + b"\r\n")


@pytest.mark.parametrize("name", ["idna", "utf-7", "nonsense", "unicode_escape"])
def test_an_unknown_charset_is_refused_with_badcharset(name: str) -> None:
    refused = k.Unsearchable("the charset is not supported", b"BADCHARSET (US-ASCII UTF-8)")
    for octets in (f"SEARCH CHARSET {name} ((", f"SORT (SUBJECT) {name} ALL", f"UID THREAD REFERENCES {name} ALL"):
        command = parser.parse(f"a {octets}\r\n".encode())[1]
        assert isinstance(command, c.Search | c.Sort | c.Thread)
        assert command.key == refused


def test_8_bit_in_quotes_is_read_once_utf8_is_enabled() -> None:
    assert parser.parse('a SELECT "Entwürfe"\r\n'.encode(), utf8=True)[1] == c.Select("Entwürfe", read_only=False)


APPEND_DATES = {
    '" 1-Jan-2026 00:00:00 +0000"': 1767225600,
    '"01-Jan-2026 00:00:00 +0100"': 1767225600 - 3600,
    '"31-dec-2025 19:00:00 -0500"': 1767225600,
    '"31-Dec-2025 23:59:60 +0000"': 1767225599,  # a leap second
    '" 1-Jan-2026 05:45:00 +0545"': 1767225600,
}


@pytest.mark.parametrize("text", APPEND_DATES)
def test_internal_dates_are_seconds_since_the_epoch(text: str) -> None:
    octets = f"a APPEND x {text} {{5}}\r\n".encode()
    assert appending.first(octets, Announcement(5, True), False) == (
        b"a",
        c.Append("x", (), APPEND_DATES[text], 5, True),
    )


@pytest.mark.parametrize(
    "text",
    ['"1-Jan-2026 00:00:00 +0000"', '" 1-Jan-2026 24:00:00 +0000"', '" 1-Jan-2026 00:61:00 +0000"',
     '"30-Feb-2026 00:00:00 +0000"', '" 1-Jan-2026 00:00:00"', '" 1-Jan-2026 00:00:00 CET"', '""'],
)  # fmt: skip
def test_an_impossible_internal_date_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError):
        appending.first(f"a APPEND x {text} {{5}}\r\n".encode(), Announcement(5, True), False)


def test_search_is_at_most_32_deep() -> None:
    parser.parse(b"a SEARCH " + b"(" * 32 + b"SEEN" + b")" * 32 + b"\r\n")
    for opening in (b"(", b"NOT ", b"OR SEEN "):
        command = parser.parse(b"a SEARCH " + opening * 5000 + b"SEEN\r\n")[1]
        assert command == c.Search(k.Unsearchable("the search is too complex", b"LIMIT"), uid=False)


_WORDS = st.sampled_from(
    [word for text in GOOD for word in text.encode("latin-1").replace(b"(", b" ( ").replace(b")", b" ) ").split(b" ")]
    + [b" ", b" ", b" ", b"(", b")", b'"', b"{3}\r\nabc", b"[", b"]", b"<", b"\\", b"*", b":", b",", b"\0", b"\xff"]
)


@given(st.sampled_from(sorted(GOOD)), st.lists(_WORDS, max_size=12))
def test_any_words_make_a_command_or_a_refusal(text: str, words: list[bytes]) -> None:
    name = text.encode("latin-1").split(b" ")[0]
    for octets in (
        b" ".join([b"a", name, *words]),
        b"a " + b"".join(words),
        b"a UID " + b"".join([name, b" ", *words]),
    ):
        with suppress(ProtocolError):
            assert isinstance(parser.parse(octets + b"\r\n"), tuple)
        with suppress(ProtocolError):
            appending.first(octets + b" {3}\r\n", Announcement(3, True), False)
