"""The MIME reader on mail as it comes: structures, sections, decoded text; total and linear on anything else."""

import email
import email.policy
from binascii import b2a_base64
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailgency.codec.imap.commands import Section, Text
from emailgency.codec.mime import addresses, decoding, headers, search_text, sections, structure
from emailgency.codec.mime.addresses import Mailbox
from emailgency.codec.mime.envelope import read as envelope
from emailgency.codec.mime.summary import summarise
from tests.support.dovecot import parse
from tests.support.mime_corpus import MESSAGES

ALTERNATIVE = MESSAGES["structure: alternative"]
REPORT = MESSAGES["structure: multipart report"]


def _section(*part: int, text: Text = Text.ALL) -> Section:
    return Section(part, text, (), None, True, b"")


def test_sections_are_found_by_offsets() -> None:
    places = summarise(REPORT).places

    def octets(*part: int, text: Text = Text.ALL) -> bytes | None:
        found = sections.locate(places, _section(*part, text=text))
        return None if found is None else REPORT[slice(*found)]

    assert octets() == REPORT
    assert octets(1) == b"failed"
    assert octets(3, text=Text.MIME) == b"Content-Type: message/rfc822\r\n\r\n"
    assert octets(3, text=Text.HEADER) == b"Subject: original\r\nFrom: o@x\r\n\r\n"
    assert octets(3, text=Text.TEXT) == b"lost"
    assert octets(3, 1) == b"lost"
    assert octets(4) is None
    assert octets(1, text=Text.HEADER) is None
    assert octets(3, 2) is None
    assert octets(*([1] * 64)) is None


def test_partial_fetches_are_cut_to_what_there_is() -> None:
    assert sections.cut(10, 20, None) == (10, 20)
    assert sections.cut(10, 20, (0, 5)) == (10, 15)
    assert sections.cut(10, 20, (8, 5)) == (18, 20)
    assert sections.cut(10, 20, (50, 5)) == (20, 20)
    assert sections.cut(10, 20, (4294967295, 4294967295)) == (20, 20)


def test_header_fields_are_selected_as_they_stand() -> None:
    header = b"Subject: a\r\n b\r\nsubject : c\r\nTo: d\r\nX-Subject: e\r\n\r\n"
    assert headers.select(header, (b"subject",), others=False) == b"Subject: a\r\n b\r\nsubject : c\r\n\r\n"
    assert headers.select(header, (b"subject",), others=True) == b"To: d\r\nX-Subject: e\r\n\r\n"
    assert headers.select(header, (b"none",), others=False) == b"\r\n"
    assert headers.select(b"", (b"a",), others=True) == b""


def test_a_mapped_file_reads_as_its_octets(tmp_path) -> None:
    import mmap

    for message in MESSAGES.values():
        if not message:
            continue  # an empty file cannot be mapped
        path = tmp_path / "message"
        path.write_bytes(message)
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            assert summarise(mapped) == summarise(message)


def test_the_header_alone_gives_the_same_envelope() -> None:
    for message in MESSAGES.values():
        end = headers.header_end(message, 0, len(message))
        assert envelope(message[:end]) == summarise(message).envelope


# ---- text ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b" plain \r\n", "plain"),
        (b"=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        (b"=?UTF-8?B?R3LDvMOfZQ==?=", "Grüße"),
        (b"=?utf-8?b?R3LDvMOfZQ?=", "Grüße"),
        (b"=?iso-8859-1?Q?a_b=5F?= c", "a b_ c"),
        (b"=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        (b"=?utf-8?q?a?=\r\n =?utf-8?q?b?= c", "ab c"),
        (b"x =?utf-8*en?q?a?=", "x a"),
        (b"=?nonsense?q?a?=", "a"),
        (b"=?idna?q?a?=", "a"),
        (b"=?utf-8?x?a?=", "=?utf-8?x?a?="),
        (b"=?utf-8?q?=ff?=", "\ufffd"),
        ("Grüße".encode(), "Grüße"),
        ("Grüße".encode("latin-1"), "Grüße"),
    ],
)
def test_header_text_is_what_people_read(value: bytes, text: str) -> None:
    assert decoding.header_text(value) == text


@given(
    st.text(max_size=100), st.sampled_from(["base64", "quoted-printable", "8bit"]), st.sampled_from(["utf-8", "utf-16"])
)
def test_body_text_comes_back_across_chunks(text: str, encoding: str, charset: str) -> None:
    import base64
    import quopri

    octets = (text * 3).encode(charset, "surrogatepass" if charset == "utf-8" else "replace")
    encoded = {"base64": base64.encodebytes, "quoted-printable": quopri.encodestring}.get(encoding, bytes)(octets)
    if encoding == "quoted-printable":  # encoding makes all line ends alike
        octets = quopri.decodestring(encoded)
    for chunk in (7, 16, 65536):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(decoding, "CHUNK", chunk)
            pieces = decoding.body_text(encoded, 0, len(encoded), encoding.encode(), charset.encode())
            assert "".join(pieces) == octets.decode(charset, "replace")


def _found(message: bytes, text: str, with_header: bool = False) -> bool:
    return any(search_text.in_body(message, search_text.Text(text), with_header))


def test_search_reads_what_is_encoded() -> None:
    assert _found(ALTERNATIVE, "GRÜSSE")
    assert _found(ALTERNATIVE, "<B></b>")
    assert not _found(ALTERNATIVE, "Gr=C3")
    assert not _found(ALTERNATIVE, "hello")
    assert _found(ALTERNATIVE, "hello", with_header=True)
    assert _found(REPORT, "original")  # a message in a message is body, with its header
    assert _found(REPORT, "lost")
    assert not _found(MESSAGES["structure: multipart nested"], "AAAA")  # an attachment is no text
    assert search_text.in_field(ALTERNATIVE, "subject", search_text.Text("HELL"))
    assert search_text.in_field(ALTERNATIVE, "subject", search_text.Text(""))
    assert not search_text.in_field(ALTERNATIVE, "x-nothing", search_text.Text(""))


@given(st.integers(0, 40), st.integers(1, 12))
def test_a_text_is_found_across_chunks(before: int, chunk: int) -> None:
    message = b"Subject: x\r\n\r\n" + b"a" * before + b"needle" + b"a" * 20
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "CHUNK", chunk)
        assert _found(message, "NEEDLE")
        assert not _found(message, "NEEDLES")


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("Thu, 1 Jan 2026 23:59:59 -1200", date(2026, 1, 1)),
        ("28 February 2024 00:00 +0000", date(2024, 2, 28)),
        ("Fri, 02-Jan-98 10:00:00 GMT", date(1998, 1, 2)),
        ("1 Jan 126 10:00:00", date(2026, 1, 1)),
        ("31 Feb 2026", None),
        ("", None),
        ("x" * 1000 + "1 Jan 2026", None),
    ],
)
def test_the_day_of_a_message_is_read(value: str, day: date | None) -> None:
    assert search_text.sent_day(f"Date: {value}\r\n\r\n".encode()) == day


# ---- anything ------------------------------------------------------------------------------------------------

_MIME_PIECES = st.sampled_from(
    [
        b"\r\n",
        b"\n",
        b"\r\n\r\n",
        b"--b",
        b"--b--",
        b"--c",
        b"--bc",
        b"Content-Type: ",
        b"multipart/mixed; boundary=b",
        b'multipart/digest; boundary="c"',
        b"message/rfc822",
        b"text/plain; charset=utf-8",
        b"Content-Disposition: a; b=c",
        b"Subject: ",
        b"From: ",
        b"To: a@b, c <d@e>",
        b"(",
        b")",
        b"<",
        b">",
        b"@",
        b":",
        b";",
        b",",
        b'"',
        b"\\",
        b"\0",
        b"\xff",
        b" ",
        b"\t",
        b"=?utf-8?q?x?=",
        b"multipart/mixed; boundary=bc",
        b"*0=a; x*1*=b",
    ]
)
_MAIL = st.lists(_MIME_PIECES | st.binary(max_size=4), max_size=60).map(b"".join)


@given(_MAIL)
def test_any_octets_have_a_summary_that_a_client_can_read(message: bytes) -> None:
    summary = summarise(message)
    for serialised in (summary.envelope, summary.bodystructure, summary.body):
        assert parse(serialised)[1] == len(serialised)
    _check(message, summary.places)
    for text in (True, False):
        list(search_text.in_body(message, search_text.Text("x"), text))
    search_text.sent_day(message)
    search_text.field_texts(message, "subject")
    headers.select(message, (b"subject", b"to"), others=False)
    assert envelope(message) == summary.envelope


def _check(message: bytes, places: sections.Places) -> None:
    assert 0 <= places.header <= places.body <= places.end <= len(message)
    at = places.body
    for part in places.parts:
        assert at <= part.header
        assert part.end <= places.end
        at = part.end
        _check(message, part)


@given(st.text('ab@<>,;:()."\\ []=?\t', max_size=40).map(str.encode))
def test_any_address_list_is_read(value: bytes) -> None:
    for mailbox in addresses.parse(value):
        assert mailbox.local is not None or mailbox.domain is None


@given(
    st.lists(
        st.tuples(st.text("abcXYZ .", max_size=9).map(str.strip), st.text("abc", min_size=1, max_size=5)), max_size=6
    )
)
def test_ordinary_addresses_are_read_as_the_standard_library_reads_them(people: list[tuple[str, str]]) -> None:
    value = ", ".join(f'"{name}" <{local}@example.org>' if name else f"{local}@example.org" for name, local in people)
    message = email.message_from_string(f"To: {value}\n\n", policy=email.policy.default)
    theirs = [(a.display_name, a.username, a.domain) for a in message["to"].addresses] if people else []
    ours = [
        ((m.name or b"").decode(), (m.local or b"").decode(), (m.domain or b"").decode())
        for m in addresses.parse(value.encode())
    ]
    assert ours == theirs


def test_a_comment_before_the_address_names_nobody() -> None:
    assert addresses.parse(b"(Anna) a@b") == [Mailbox(None, None, b"a", b"b")]


def test_parts_and_depth_are_bounded() -> None:
    deep = structure.read(MESSAGES["structure: nested 10"])
    assert len(deep.parts) == 1
    many = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 3000
    message = structure.read(many)
    assert len(message.parts) == structure.PARTS
    assert message.parts[-1].end == len(many)


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ("grün".encode("utf-16-be"), "grün"),
        (b"\xff\xfe" + "grün".encode("utf-16-le"), "grün"),
        (b"\xfe\xff" + "grün".encode("utf-16-be"), "grün"),
        (b"\0", "\ufffd"),
        (b"", ""),
    ],
)
def test_utf_16_is_read_with_and_without_a_byte_order_mark(octets: bytes, text: str) -> None:
    assert "".join(decoding.body_text(octets, 0, len(octets), b"8bit", b"utf-16")) == text
    encoded = b2a_base64(octets)
    assert "".join(decoding.body_text(encoded, 0, len(encoded), b"base64", b"UTF-16")) == text
