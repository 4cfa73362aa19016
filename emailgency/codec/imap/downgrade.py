"""ENVELOPE and BODYSTRUCTURE of international mail for clients that have not said that they take UTF-8 (RFC 6855 §7).

As RFC 6858 has it: texts and names of people become encoded words (RFC 2047), and an address that cannot be written in
ASCII becomes one that nobody has, with the real one for a name. Only what is asked in parts is changed; headers and
bodies go as they were received. What is 8-bit but no UTF-8 stays: nobody knows what it means.
"""

import re
from binascii import b2a_base64

from emailgency.codec.imap.strings import nstring

_STRING = re.compile(rb'"((?:[^"\\]|\\.)*+)"|\{([0-9]+)\}\r\n|NIL|([()]) ?|[0-9]+| ', re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_LITERAL = re.compile(rb"\{([0-9]+)\}\r\n")
_WORD = 45  # octets of one encoded word: 75 characters at most (RFC 2047 §2)
_NOBODY = b"internationalized-address", b"international.invalid"

Value = bytes | list["Value"] | None


def envelope(serialised: bytes) -> bytes:
    """Of an ENVELOPE that is not ASCII."""
    values, _ = _list(serialised, 1)
    written = [_addresses(value) if isinstance(value, list) else nstring(_ascii(value)) for value in values]
    return b"(" + b" ".join(written) + b")"


def structure(serialised: bytes) -> bytes:
    """Of a BODYSTRUCTURE or BODY that is not ASCII: all its texts, in the envelopes inside it too."""
    pieces: list[bytes] = []
    at = 0
    while (match := _LITERAL.search(serialised, at)) is not None:
        end = match.end() + int(match.group(1))
        pieces += (serialised[at : match.start()], nstring(_ascii(serialised[match.end() : end])))
        at = end
    return b"".join([*pieces, serialised[at:]])


def _list(octets: bytes, at: int) -> tuple[list[Value], int]:
    """The values up to the closing parenthesis; no deeper than an ENVELOPE is."""
    values: list[Value] = []
    while True:
        match = _STRING.match(octets, at)
        assert match is not None  # we have written it
        at = match.end()
        quoted, size, parenthesis = match.groups()
        if quoted is not None:
            values.append(_ESCAPED.sub(rb"\1", quoted))
        elif size is not None:
            values.append(octets[at : at + int(size)])
            at += int(size)
        elif parenthesis == b"(":
            inner, at = _list(octets, at)
            values.append(inner)
        elif parenthesis == b")":
            return values, at
        elif match.group() == b"NIL":
            values.append(None)


def _addresses(addresses: list[Value]) -> bytes:
    return b"(" + b"".join([_address(*address) for address in addresses if isinstance(address, list)]) + b")"


def _address(name: Value, route: Value, local: Value, domain: Value) -> bytes:
    parts = [part for part in (local, domain) if isinstance(part, bytes)]
    if any(_ascii(part) is not part for part in parts):
        name = name or b"@".join(parts)
        local, domain = _NOBODY
    texts = (part if isinstance(part, bytes) else None for part in (name, route, local, domain))
    return b"(" + b" ".join([nstring(_ascii(text)) for text in texts]) + b")"


def _ascii(octets: bytes | None) -> bytes | None:
    """As encoded words, if it is UTF-8 that needs them."""
    if octets is None or octets.isascii():
        return octets
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets
    words: list[bytes] = []
    held = b""
    for character in text:
        encoded = character.encode("utf-8")
        if len(held) + len(encoded) > _WORD:
            words.append(held)
            held = b""
        held += encoded
    return b" ".join([b"=?utf-8?b?%b?=" % b2a_base64(word, newline=False) for word in [*words, held]])
