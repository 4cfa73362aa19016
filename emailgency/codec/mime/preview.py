"""A few words of a message for a list of messages (RFC 8970): from its first text part, decoded, without markup.

Bounded and linear for any octets: of each of the first few text parts so much is read as 200 characters take, and at
most `READ` octets. Nothing is interpreted: what looks like markup goes, what is left is text.
"""

import codecs
import html
import re
from collections.abc import Iterator

from emailgency.codec.mime import decoding, structure, transfer
from emailgency.codec.mime.headers import Octets
from emailgency.codec.mime.structure import Part

LENGTH = 200  # characters, RFC 8970 §3.3
HEAD = 262144  # octets of a message that nearly always hold its first text
READ = 262144  # encoded octets of one part: style sheets come first
_FIRST = 4096  # octets read at first, twice as many each time there was too little text
_CANDIDATES = 4  # text parts looked at until one says something

_MARKUP = re.compile(
    r"<!--.*?(?:-->|\Z)|<(style|script|title)\b.*?(?:</\1\s*>|\Z)|<(?=[a-z/!?])(/?[a-z][a-z0-9]*+)?[^>]*+(?:>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_WITHIN_WORDS = re.compile(
    r"/?(?:a|abbr|b|bdi|bdo|big|code|del|em|font|i|ins|kbd|mark|q|s|small|span|strong|sub|sup|tt|u|wbr)", re.IGNORECASE
)
_QUOTED = re.compile(r"^[ \t]*>.*\n?", re.MULTILINE)
# Controls, and what is not seen: soft hyphens, joiners, marks and overrides of direction (a list would show them)
_UNSEEN = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def preview(octets: Octets) -> str:
    """At most LENGTH characters; empty when there is no text. `octets` may be only the beginning of a message."""
    texts = _texts(structure.read(octets))
    return next((words for part in texts if (words := _words(octets, part))), "")


def _texts(message: Part) -> list[Part]:
    """The first text parts that are not attached, in their order."""
    found: list[Part] = []
    waiting = [message]
    while waiting and len(found) < _CANDIDATES:
        part = waiting.pop()
        disposition = part.content.disposition
        if disposition is not None and disposition[0].lower() == b"attachment":
            continue
        waiting.extend(reversed(part.parts))
        if not part.parts and (part.content.is_type(b"text", b"plain") or part.content.is_type(b"text", b"html")):
            found.append(part)
    return found


def _words(octets: Octets, part: Part) -> str:
    without = transfer.decoder(part.content.encoding)
    if without is None:
        return ""
    words = ""
    for text in _growing(octets, part, without):
        words = _readable(text, part.content.is_type(b"text", b"html"))
        if len(words) >= LENGTH:
            break
    return words[:LENGTH].rstrip()


def _growing(octets: Octets, part: Part, without: transfer.Decoder) -> Iterator[str]:
    """The beginning of a part's text, each time about twice as much of it."""
    to_text = codecs.getincrementaldecoder(decoding.charset(part.content.parameter(b"charset")))("replace")
    text = ""
    at, end, step = part.body, min(part.end, part.body + READ), _FIRST
    while at < end:
        until = min(at + step, end)
        text += to_text.decode(without.feed(octets[at:until]))
        at, step = until, step * 2
        if at < end:
            yield text
    yield text + to_text.decode(without.end(), final=True)


def _readable(text: str, markup: bool) -> str:
    """Without markup, quoted lines (unless there are no others) and what is not seen; one space between words."""
    if markup:
        text = html.unescape(_MARKUP.sub(_gap, text))
    text = _UNSEEN.sub("", text)
    return " ".join((" ".join(_QUOTED.sub("", text).split()) or text).split())


def _gap(match: re.Match[str]) -> str:
    """What stands in the place of markup: a space, unless it can stand within a word."""
    return "" if _WITHIN_WORDS.fullmatch(match.group(2) or "") else " "
