"""What a POP3 server says: +OK and -ERR, response codes (RFC 2449 section 8, RFC 3206), challenges."""

from binascii import b2a_base64
from collections.abc import Iterable

END = b".\r\n"


def ok(words: str = "") -> bytes:
    return b"+OK %b\r\n" % words.encode()


def err(words: str, code: str = "") -> bytes:
    """
    >>> err("Later.", "SYS/TEMP")
    b'-ERR [SYS/TEMP] Later.\\r\\n'
    """
    return b"-ERR %b%b\r\n" % (f"[{code}] ".encode() if code else b"", words.encode())


def challenge(octets: bytes) -> bytes:
    """RFC 5034 section 4."""
    return b"+ %b\r\n" % b2a_base64(octets, newline=False)


def many(words: str, lines: Iterable[str]) -> bytes:
    """A whole multi-line response; no line of ours begins with a dot."""
    return ok(words) + b"".join(b"%b\r\n" % line.encode() for line in lines) + END
