"""Lists of tags as DKIM, ARC, DMARC and others write them: `name=value; name=value` (RFC 6376 section 3.2)."""

import re

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_SPACE = " \t\r\n"
LONGEST = 16_384  # octets: an RSA signature of 4,096 bits over fifty named fields takes less than 2,000


class Malformed(ValueError):
    """The text says what is wrong, for whoever wrote the list."""


def parse(text: str) -> dict[str, str]:
    """Values without the white space around them. Raises Malformed, also for a tag that is there twice."""
    if len(text) > LONGEST:
        raise Malformed("too long")
    tags: dict[str, str] = {}
    pieces = text.split(";")
    if not pieces[-1].strip(_SPACE):
        pieces.pop()
    for piece in pieces:
        name, equals, value = piece.partition("=")
        name = name.strip(_SPACE)
        if not equals or not _NAME.match(name):
            raise Malformed("not a list of tags")
        if name in tags:
            raise Malformed(f"tag {name} stands there twice")
        tags[name] = value.strip(_SPACE)
    return tags


def solid(value: str) -> str:
    """Without the white space that folding may have put anywhere into it."""
    return "".join(value.split())
