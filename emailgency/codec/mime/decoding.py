"""Octets of mail -> text: transfer encodings in chunks, charsets from a short list, encoded words (RFC 2045 §6, 2047).

Nothing here fails: what cannot be decoded is replaced. Charsets are named by whoever wrote the mail, and some of
Python's codecs are quadratic (idna, punycode) or no charsets at all (unicode_escape), so only known ones are used.
"""

import codecs
import re
from binascii import Error, a2b_base64, a2b_qp
from collections.abc import Iterator

from emailgency.codec.mime import transfer
from emailgency.codec.mime.headers import Octets, unfold

CHUNK = 65536  # octets decoded at a time

_CHARSET = re.compile(
    r"us-?ascii|ascii|utf-?(?:8|16(?:[bl]e)?)|iso[-_]?8859[-_]?(?:1[0134568]?|[2-9])|latin-?1|(?:windows|cp)-?125[0-8]"
    r"|koi8-[ru]|macintosh|gb2312|gbk|gb18030|big5|shift_jis|euc-jp|iso-2022-jp|euc-kr|tis-620"
)
_ENCODED_WORD = re.compile(rb"=\?([^?\s*]{1,40}+)(?:\*[^?\s]{0,40}+)?\?([bBqQ])\?([^?]*+)\?=")
_NO_BASE64 = bytes(octet for octet in range(256) if not (chr(octet).isalnum() and octet < 128) and octet not in b"+/")


def charset(name: bytes | None) -> str:
    """The codec of a charset's name; windows-1252 for an unknown one, which shows at least the ASCII in it."""
    text = (name or b"us-ascii").decode("latin-1").strip().lower()
    if text in ("us-ascii", "ascii", "usascii") or not _CHARSET.fullmatch(text):
        return "cp1252"  # 8-bit text that claims to be ASCII is mostly this
    try:
        return codecs.lookup(text).name
    except LookupError:
        return "cp1252"


def header_text(value: bytes) -> str:
    """A field's raw value as people read it: unfolded, encoded words decoded, bare 8-bit taken for UTF-8 if it is."""
    value = unfold(value)
    if b"=?" not in value:
        return _bare(value)
    pieces: list[str] = []
    at = 0
    for match in _ENCODED_WORD.finditer(value):
        between = value[at : match.start()]
        if between.strip(b" \t") or not at:  # white space between encoded words is not shown (RFC 2047 §6.2)
            pieces.append(_bare(between))
        pieces.append(_word(*match.groups()))
        at = match.end()
    pieces.append(_bare(value[at:]))
    return "".join(pieces)


def _word(name: bytes, encoding: bytes, payload: bytes) -> str:
    octets = _base64(payload) if encoding in b"bB" else a2b_qp(payload, header=True)
    return octets.decode(charset(name), "replace")


def _bare(octets: bytes) -> str:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode("cp1252", "replace")


def body_text(octets: Octets, start: int, end: int, encoding: bytes, charset_name: bytes | None) -> Iterator[str]:
    """The text of octets[start:end], piece by piece; a character is never cut in two."""
    name = charset(charset_name)
    decoder: codecs.IncrementalDecoder | None = None
    begin = b""  # too little to tell how to decode it
    without = transfer.decoder(encoding) or transfer.Identity()
    for at in range(start, end, CHUNK):
        piece = without.feed(octets[at : min(at + CHUNK, end)])
        if decoder is None:
            piece, begin = begin + piece, b""
            if len(piece) < len(codecs.BOM_UTF16):
                begin = piece
                continue
            decoder = _decoder(name, piece)
        yield decoder.decode(piece)
    rest = begin + without.end()
    yield (decoder or _decoder(name, rest)).decode(rest, final=True)


def _decoder(name: str, begin: bytes) -> codecs.IncrementalDecoder:
    """For a text that begins with these octets: Python refuses UTF-16 without a byte order mark."""
    if name == "utf-16" and not begin.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        name = "utf-16-be"  # RFC 2781 section 4.3
    return codecs.getincrementaldecoder(name)("replace")


def _base64(digits: bytes) -> bytes:
    digits = digits.translate(None, _NO_BASE64)
    if len(digits) % 4 == 1:  # six bits are no octet
        digits = digits[:-1]
    try:
        return a2b_base64(digits + b"=" * (-len(digits) % 4))
    except Error:
        return b""
