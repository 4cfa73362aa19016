"""What we say of a message is what Dovecot says of it; where it is not, the RFC's words stand beside the name."""

import re
from random import Random

import pytest

from emailgency.codec.imap import fetch_items
from emailgency.codec.imap.commands import Section, Text
from emailgency.codec.imap.grammar import Cursor
from emailgency.codec.mime import content, sections, transfer
from emailgency.codec.mime.summary import summarise
from tests.support import mime_shapes
from tests.support.dovecot import Dovecot, parse
from tests.support.mime_corpus import BOMBS, ENCODED, LINE_ENDS, MESSAGES

_NO_DEFECT = "RFC 5322 §4: obsolete syntax that must be read; "
_RFC_2045 = (
    "RFC 2045 §5.2: plain US-ASCII text is the meaning of a Content-Type with a syntax error; Dovecot: empty type"
)
_BOUNDARY = "RFC 2046 §5.1.1: a boundary of 1 to 70 characters is a must; so the text is shown as text, not hidden"

_NUL_BOUNDARY = "no grammar; we find the delimiters, Dovecot does not"
_NUL = "no grammar; we read what stands before it, Dovecot gives an empty type"

# Shape -> why the two differ.
ENVELOPES_DIFFER = {
    "header: NUL in subject": _NO_DEFECT + "§4.1 obs-NO-WS-CTL and NUL; Dovecot ends the address at NUL",
    "address: unclosed comment": "no grammar; Dovecot loses the domain, we keep all",
    "address: spaces around dots": _NO_DEFECT + '§4.4: obs-local-part = word *("." word), CFWS between',
    "address: double at in angle": "no grammar; we read it as without the brackets, Dovecot says SYNTAX_ERROR",
    "address: extra commas": _NO_DEFECT + "§4.4: obs-addr-list: null elements mean nothing; Dovecot shows addresses",
    "address: semicolons": "no grammar; both addresses of what Outlook users type are shown",
    "address: unclosed angle": "no grammar; Dovecot says SYNTAX_ERROR for the domain",
    "address: unclosed quote": "no grammar; we keep the text",
    "address: at in name": "no grammar, yet frequent; the name is shown as a name",
    "address: trailing dot": "no grammar; we keep the domain",
    "address: local only in angle": "no grammar; MISSING_DOMAIN as without the brackets, Dovecot says SYNTAX_ERROR",
    "address: domain only in angle": "no grammar; Dovecot says INVALID_ROUTE",
    "address: apostrophe": "no grammar, yet frequent; the angle bracket holds the address",
    "address: unquoted brackets": "no grammar, yet frequent; the angle bracket holds the address",
}
STRUCTURES_DIFFER = {
    "structure: type only": _RFC_2045,
    "structure: type with slash": _RFC_2045,
    "structure: type empty": _RFC_2045,
    "structure: type nonsense": _RFC_2045,
    "structure: parameter missing semicolon": "type and subtype are there; Dovecot gives up the whole field",
    "structure: parameter unclosed": "RFC 2045 §5.1; we take the rest for the value, Dovecot drops the parameter",
    "structure: parameter without value": "RFC 2045 §5.1; we pass over it, Dovecot over all that follow",
    "structure: parameter with specials": "RFC 2045 §5.1 wants quotes; we read up to the next blank or semicolon",
    "structure: disposition nonsense": "RFC 2183 §2: a type is a must; Dovecot gives an empty one",
    "structure: multipart no boundary parameter": _BOUNDARY,
    "structure: multipart empty boundary": _BOUNDARY,
    "broken: boundary parameter missing inside": _BOUNDARY,
    "broken: NUL in type": _NUL,
    "broken: NUL in part header": _NUL,
    "broken: NUL in boundary": _NUL_BOUNDARY,
}
_BARE_LF = (
    "RFC 3501 §2.3.4: the octets of the message as BODY[] gives them; Dovecot counts CRLF for each LF, and sends it"
)
_BARE_CR = "RFC 5322 §2.2: CR is no line end; Dovecot shows a space for it"
_BOUNDS = (
    "bounds: 1,000 parts, 30 levels here; 10,000 parts and 100 levels in Dovecot. What is beyond is shown as octets"
)
OTHERS_DIFFER = {
    ("lines end in LF", "RFC822.SIZE"): _BARE_LF,
    ("line ends mixed", "RFC822.SIZE"): _BARE_LF,
    ("lines end in CR", "ENVELOPE"): _BARE_CR,
    ("CR in header", "ENVELOPE"): _BARE_CR,
    **{(name, item): _BOUNDS for name in BOMBS for item in ("BODY", "BODYSTRUCTURE")},
}


@pytest.fixture(scope="module")
def theirs():
    dovecot = Dovecot(list(MESSAGES.values()))
    try:
        yield dovecot
    finally:
        dovecot.close()


@pytest.mark.peer("dovecot")
def test_sizes_envelopes_and_structures_agree_with_dovecot(theirs: Dovecot) -> None:
    answers = theirs.fetch("RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE")
    different: dict[str, set[str]] = {"RFC822.SIZE": set(), "ENVELOPE": set(), "BODYSTRUCTURE": set(), "BODY": set()}
    for number, (name, message) in enumerate(MESSAGES.items(), 1):
        for item in _different(message, answers[number]):
            different[item].add(name)
    assert different["RFC822.SIZE"] == set()
    assert different["ENVELOPE"] == ENVELOPES_DIFFER.keys()
    assert different["BODYSTRUCTURE"] == STRUCTURES_DIFFER.keys()
    assert different["BODY"] == STRUCTURES_DIFFER.keys() - {"structure: disposition nonsense"}  # extension data


@pytest.mark.peer("dovecot")
def test_line_ends_of_every_kind_and_bombs_agree_with_dovecot() -> None:
    shapes = LINE_ENDS | BOMBS
    dovecot = Dovecot(list(shapes.values()))
    try:
        answers = dovecot.fetch("RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE")
    finally:
        dovecot.close()
    different = {
        (name, item)
        for number, (name, message) in enumerate(shapes.items(), 1)
        for item in _different(message, answers[number])
    }
    assert different == OTHERS_DIFFER.keys()


def _different(message: bytes, answer: list[object]) -> list[str]:
    """The items of which Dovecot says something else."""
    summary = summarise(message)
    ours = {
        "RFC822.SIZE": str(len(message)),
        "ENVELOPE": parse(summary.envelope)[0],
        "BODYSTRUCTURE": parse(summary.bodystructure)[0],
        "BODY": parse(summary.body)[0],
    }
    theirs = _pairs(answer)
    return [item for item, value in ours.items() if _bare(value) != _bare(theirs[item])]


@pytest.mark.peer("dovecot")
def test_messages_put_together_at_random_agree_with_dovecot() -> None:
    random = Random(2)
    messages = [mime_shapes.message(random) for _ in range(400)]
    dovecot = Dovecot(messages)
    try:
        answers = dovecot.fetch("RFC822.SIZE ENVELOPE BODYSTRUCTURE")
    finally:
        dovecot.close()
    for number, message in enumerate(messages, 1):
        theirs, summary = _pairs(answers[number]), summarise(message)
        assert theirs["RFC822.SIZE"] == str(len(message))
        assert theirs["ENVELOPE"] == parse(summary.envelope)[0]
        assert theirs["BODYSTRUCTURE"] == parse(summary.bodystructure)[0], message


_SECTIONS = (
    "BODY.PEEK[] BODY.PEEK[HEADER] BODY.PEEK[TEXT] BODY.PEEK[1] BODY.PEEK[1.MIME] BODY.PEEK[1.HEADER] BODY.PEEK[1.TEXT]"
    " BODY.PEEK[2] BODY.PEEK[2.MIME] BODY.PEEK[2.TEXT] BODY.PEEK[3] BODY.PEEK[3.HEADER]"
    " BODY.PEEK[3.TEXT] BODY.PEEK[3.HEADER.FIELDS (Subject)] BODY.PEEK[51]"
    " BODY.PEEK[HEADER.FIELDS (Subject X-No)] BODY.PEEK[HEADER.FIELDS.NOT (Subject TO)] BODY.PEEK[TEXT]<2.3>"
)
_CRLF = "RFC 2046 §5.1.1: the CRLF before a delimiter belongs to it; Dovecot counts it to the part that closed before"
_SHARED = "the empty line behind the header is the delimiter's CRLF, too; Dovecot leaves it out of the header"
SECTIONS_DIFFER = {
    "structure: multipart no body in part": _SHARED,
    "structure: multipart header only": _SHARED,
    "structure: multipart empty part": _SHARED,
    "structure: boundary line in header": _SHARED,
    "structure: message cut by boundary": _SHARED,
    "structure: multipart inner prefix": _CRLF,
    "structure: multipart outer prefix": _CRLF,
    "structure: multipart same boundary": _CRLF,
    "structure: multipart no boundary parameter": _BOUNDARY,
    "structure: multipart empty boundary": _BOUNDARY,
    "broken: NUL in boundary": _NUL_BOUNDARY,
}


@pytest.mark.peer("dovecot")
def test_sections_agree_with_dovecot(theirs: Dovecot) -> None:
    answers = theirs.fetch(_SECTIONS)
    items = fetch_items.read(Cursor(f"({_SECTIONS})".encode()), uid=False)
    different = set()
    for number, (name, message) in enumerate(MESSAGES.items(), 1):
        places = summarise(message).places
        # Dovecot writes header names in capitals, and nothing for a part that does not exist where we write NIL.
        dovecot = {key.upper(): value for key, value in _pairs(answers[number]).items()}
        for item in items:
            assert isinstance(item, Section)
            value = dovecot[item.label.decode().upper()]
            # NUL becomes 0x80 where octets are written, not where they are found.
            if (_octets(message, places, item) or b"").replace(b"\0", b"\x80") != (b"" if value == "NIL" else value):
                different.add(name)
    assert different == SECTIONS_DIFFER.keys()


def _octets(message: bytes, places: sections.Places, item: Section) -> bytes | None:
    found = sections.locate(places, item)
    if found is None:
        return None
    if item.text in (Text.FIELDS, Text.FIELDS_NOT):
        return sections.fields(message[slice(*found)], item)
    return message[slice(*sections.cut(*found, item.partial))]


def _pairs(answer: list[object]) -> dict[str, object]:
    return {str(key): value for key, value in zip(answer[::2], answer[1::2], strict=True)}


def _bare(value: object) -> object:
    """Dovecot keeps some white space at the ends of fields, in some places; it means nothing (RFC 5322 §2.2)."""
    if isinstance(value, list):
        return [_bare(element) for element in value]
    return value.strip() if isinstance(value, bytes) else value


_PARTS = ("1", "2", "3")
_PADDING = "RFC 2045 §6.8: `=` may be taken as the end, padding is not to be insisted on; Dovecot fails the FETCH"
_FOREIGN = "RFC 2045 §6.8: octets outside of the alphabet must be passed over; Dovecot fails the FETCH"
_MALFORMED = "RFC 2045 §6.7: a robust reader keeps a malformed escape as it stands; Dovecot fails the FETCH"
BINARIES_DIFFER = {
    "encoded: base64 without padding": _PADDING,
    "encoded: base64 text behind": _PADDING,
    "encoded: base64 twice": _PADDING,
    "encoded: base64 cut": _PADDING,
    "encoded: base64 foreign octets": _FOREIGN,
    "encoded: quoted-printable malformed": _MALFORMED,
    "encoded: quoted-printable equals twice": _MALFORMED,
    "encoded: quoted-printable cut": _MALFORMED,
    "encoded: quoted-printable ends in equals": _MALFORMED,
    "encoded: base64 twice said": "no grammar; the first field counts, as in BODYSTRUCTURE",
    "structure: multipart inner prefix": _CRLF,
    "structure: multipart outer prefix": _CRLF,
    "structure: multipart same boundary": _CRLF,
    "structure: multipart no boundary parameter": _BOUNDARY,
    "structure: multipart empty boundary": _BOUNDARY,
    "encoded: empty field": "RFC 2045 §6.1: without a mechanism it is 7bit; Dovecot does not know it",
    "broken: NUL in boundary": _NUL_BOUNDARY,
    "broken: truncated in base64": _PADDING,
}


@pytest.mark.peer("dovecot")
def test_parts_without_their_encoding_agree_with_dovecot() -> None:
    # each in a session of its own: Dovecot gives up at an encoding that is broken
    shapes = ENCODED | {name: message for name, message in MESSAGES.items() if b"multipart/" in message}
    different = set()
    dovecot = Dovecot(list(shapes.values()))
    try:
        for number, (name, message) in enumerate(shapes.items(), 1):
            fetches = "".join(f"{part} FETCH {number} BINARY.PEEK[{part}]\r\n" for part in _PARTS)
            theirs = _told(dovecot.session(f"a EXAMINE INBOX\r\n{fetches}".encode()), number)
            if theirs != {part: _binary(message, part) for part in _PARTS}:
                different.add(name)
    finally:
        dovecot.close()
    assert different == BINARIES_DIFFER.keys()


def _binary(message: bytes, number: str) -> bytes:
    part = sections.find(summarise(message).places, tuple(int(one) for one in number.split(".")))
    if part is None:
        return b""
    encoding = b"" if part.parts else content.encoding(message[part.header : part.body])
    decoder = transfer.decoder(encoding)
    if decoder is None:
        return b"UNKNOWN-CTE"
    return decoder.feed(message[part.body : part.end]) + decoder.end()


def _told(answers: bytes, message: int) -> dict[str, bytes]:
    """What Dovecot says of each part; of those that do not exist it says that they are empty, or nothing."""
    found = dict.fromkeys(_PARTS, b"")
    at = 0
    while match := re.compile(rb"^\* %d FETCH (?=\()" % message, re.MULTILINE).search(answers, at):
        told, at = parse(answers, match.end())
        assert isinstance(told, list)
        for key, value in zip(told[::2], told[1::2], strict=True):
            if str(key).startswith("BINARY["):
                found[str(key)[7:-1]] = b"" if value == "NIL" else value
    if b"1 NO [UNKNOWN-CTE]" in answers:
        found["1"] = b"UNKNOWN-CTE"
    return found
