"""The strings of IMAP as the server writes them (RFC 3501 §4.3): atom, quoted or literal."""

import re

_ATOM = re.compile(rb"[!#$&'+,\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+")
# Longer strings go as literals: clients bound their lines.
_PLAIN = re.compile(rb"[\x20\x21\x23-\x5b\x5d-\x7e]{0,1024}+")
_QUOTABLE = re.compile(rb"[\x20-\x7e]{0,1024}+")
_REPLACEMENT = "\ufffd".encode()


def string(octets: bytes) -> bytes:
    """A quoted string where it can be one, else a literal. NUL may be in neither and becomes U+FFFD, as in Dovecot."""
    if _PLAIN.fullmatch(octets):
        return b'"%b"' % octets
    if _QUOTABLE.fullmatch(octets):
        return b'"%b"' % octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return literal(octets.replace(b"\0", _REPLACEMENT))


def nstring(octets: bytes | None) -> bytes:
    """A string, or NIL for None."""
    return b"NIL" if octets is None else string(octets)


def astring(octets: bytes) -> bytes:
    """An atom where it can be one (but not NIL, which some clients take for nothing), else a string."""
    if _ATOM.fullmatch(octets) and octets.upper() != b"NIL":
        return octets
    return string(octets)


def utf8_astring(text: str) -> bytes:
    """The same of a text, for a client that takes UTF-8 in quoted strings (RFC 6855 section 3)."""
    if text.isascii():
        return astring(text.encode("ascii"))
    return b'"%b"' % text.replace("\\", "\\\\").replace('"', '\\"').encode("utf-8")


def literal(octets: bytes) -> bytes:
    """`{5}CRLF` and the octets."""
    return b"{%d}\r\n%b" % (len(octets), octets)
