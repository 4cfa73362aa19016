"""PREVIEW: the first words of a message, whatever it is made of, in bounded time."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailgency.codec.mime import preview
from tests.support import mime_shapes
from tests.support.growth import grows_linearly
from tests.support.mime_corpus import ENCODED, MESSAGES


def of(body: str, content_type: str = "text/plain; charset=utf-8", *more: str) -> str:
    lines = [f"Content-Type: {content_type}", *more, "", body]
    return preview.preview("\n".join(lines).encode().replace(b"\n", b"\r\n"))


def mixed(*parts: str, subtype: str = "mixed") -> str:
    return of("".join(f"--b\n{part}\n" for part in parts) + "--b--\n", f"multipart/{subtype}; boundary=b")


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("Hello  Paul,\n\n\tyour invoice.\n", "Hello Paul, your invoice."),
        ("", ""),
        (" \n\n", ""),
        ("> you said\n> so\nI say\n", "I say"),
        ("> you said\n> so\n", "> you said > so"),
        ("Grüße \u200b\u202ealles\u00ad gut\x07", "Grüße alles gut"),
        ("x" * 300, "x" * 200),
        ("word " * 100, ("word " * 40).rstrip()),
    ],
)
def test_plain_text(body: str, shown: str) -> None:
    assert of(body) == shown


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("<p>Hel<b>lo</b><br>Paul &amp; all&nbsp;&lt;x&gt;</p>", "Hello Paul & all <x>"),
        ("<html><head><title>No</title><STYLE type=x>p { color: <red> }</style ></head><body>Yes", "Yes"),
        ("<script>if (a < b) alert('</p>')</script>text", "text"),
        ("<!-- hidden <p> -->seen<!-- never ends", "seen"),
        ("<style>never ends", ""),
        ("a <b", "a"),
        ("1 < 2 <p>> 3</p>", "1 < 2 > 3"),
        ('<img alt="a > b">after', 'b">after'),
        ("1 &#0; &#x110000; &bogus; &#38;#38;", "1 \ufffd \ufffd &bogus; &#38;"),
        ("<style>" + "x" * 100_000 + "</style>late", "late"),
    ],
)
def test_html_is_stripped(body: str, shown: str) -> None:
    assert of(body, "text/html; charset=utf-8") == shown


def test_encodings_and_charsets_are_decoded() -> None:
    assert of("R3LDvMOfZQ==", "text/plain; charset=utf-8", "Content-Transfer-Encoding: base64") == "Grüße"
    assert of("Gr=FC=DFe", "text/plain; charset=latin-1", "Content-Transfer-Encoding: quoted-printable") == "Grüße"
    assert of("begin", "text/plain", "Content-Transfer-Encoding: x-uuencode") == ""


def test_the_first_text_that_says_something_is_shown() -> None:
    plain, html = "\n\nplain", "Content-Type: text/html\n\n<p>html</p>"
    assert mixed(plain, html, subtype="alternative") == "plain"
    assert mixed("\n\n \n", html, subtype="alternative") == "html"
    assert mixed("Content-Type: image/png\n\nxx", plain) == "plain"
    assert mixed("Content-Type: text/plain\nContent-Disposition: attachment\n\nattached", plain) == "plain"
    assert mixed("Content-Type: message/rfc822\n\nSubject: inside\n\nforwarded") == "forwarded"
    assert mixed("Content-Type: application/pgp-encrypted\n\nVersion: 1") == ""


def test_every_shape_of_message_has_a_short_preview() -> None:
    for message in (MESSAGES | ENCODED).values():
        assert len(preview.preview(message)) <= preview.LENGTH
        assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029]", preview.preview(message))


@given(st.randoms(use_true_random=False))
def test_any_message_has_one(random: object) -> None:
    assert len(preview.preview(mime_shapes.message(random))) <= preview.LENGTH


@pytest.mark.parametrize(
    "piece", ["<", "<!--", "<style", "<style></style ", "</", "&", "&#", ">\n", " ", "<a ", "<!-", "\u200b"]
)
@pytest.mark.parametrize("kind", ["plain", "html"])
def test_attack_25_a_preview_is_made_in_linear_time(piece: str, kind: str) -> None:
    def work(size: int) -> None:
        of(piece * size, f"text/{kind}; charset=utf-8")

    assert grows_linearly(work, 8_000, 32_000)
