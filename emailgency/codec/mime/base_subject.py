"""What a subject is about: without `Re:`, `Fwd:`, `[list]` and `(fwd)` (RFC 5256 section 2.1). Linear."""

import re

from msgspec import Struct

_BLOB = r"\[[^\[\]]*+\][ ]*+"
_LEADER = re.compile(rf"[ ]++|(?:{_BLOB})*+(?:re|fwd?)[ ]*+(?:{_BLOB})?:", re.IGNORECASE | re.ASCII)
_ONE_BLOB = re.compile(_BLOB)
_BLOBS = re.compile(rf"(?:{_BLOB})*+")
_SPACES = re.compile(r"[ \t\r\n]+")
_TRAILER = "(fwd)"
_OPENING = "[fwd:"


class BaseSubject(Struct, frozen=True):
    """`reply`: something that marks replies and forwards was taken away."""

    text: str
    reply: bool


def base_subject(subject: str) -> BaseSubject:
    """Of a decoded subject."""
    text = _SPACES.sub(" ", subject)  # step 1
    at, end = 0, len(text)
    reply = False
    while True:
        end, cut = _without_trailer(text, at, end)
        at, led = _behind_leaders(text, at, end)
        reply = reply or cut or led
        # step 6: [fwd: text] is text
        if not (
            text[at : at + len(_OPENING)].lower() == _OPENING and end - at > len(_OPENING) and text[end - 1] == "]"
        ):
            return BaseSubject(text[at:end], reply)
        at += len(_OPENING)
        end -= 1
        reply = True


def _without_trailer(text: str, at: int, end: int) -> tuple[int, bool]:
    """Step 2: where it ends without `(fwd)` and blanks; whether one was there."""
    cut = False
    while end > at:
        if text[end - 1] == " ":
            end -= 1
        elif end - at >= len(_TRAILER) and text[end - len(_TRAILER) : end].lower() == _TRAILER:
            end -= len(_TRAILER)
            cut = True
        else:
            break
    return end, cut


def _behind_leaders(text: str, at: int, end: int) -> tuple[int, bool]:
    """Steps 3 to 5: where it begins behind `Re:`, `[list]` and blanks; whether a reply was marked."""
    led = False
    barren = -1  # up to here blobs stand that no `Re:` follows: looking again would be quadratic
    while at < end:
        leader = _LEADER.match(text, at, end) if at >= barren else None
        if leader is not None:
            led = led or text[leader.end() - 1] == ":"
            at = leader.end()
            continue
        if at >= barren:
            blobs = _BLOBS.match(text, at, end)
            barren = blobs.end() if blobs is not None else at
        blob = _ONE_BLOB.match(text, at, end)
        if blob is None or blob.end() >= end:  # step 4: something must stay
            break
        at = blob.end()
    return at, led
