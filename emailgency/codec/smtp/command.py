"""Command lines to meaning: verbs, paths and ESMTP parameters (RFC 5321 section 4.1, RFC 3461, RFC 6531).

A line comes without its CRLF and holds no other CR or LF. Every pattern is linear: each alternative starts with
a character of its own, nothing is optional twice. What is wrong is told by `ProtocolError`.
"""

import re
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from emailgency.codec.smtp.reply import ProtocolError


class Mail(Struct, frozen=True, kw_only=True):
    """MAIL FROM. `sender` is wire form without brackets, "" for the null reverse-path."""

    sender: str
    size: int | None = None  # octets as declared, RFC 1870
    body: str = "7bit"  # or "8bitmime"
    smtputf8: bool = False
    ret: str | None = None  # "FULL", "HDRS"
    envid: str | None = None  # xtext decoded
    require_tls: bool = False  # RFC 8689


class Rcpt(Struct, frozen=True, kw_only=True):
    """RCPT TO. `address` is wire form without brackets, a source route taken off; "postmaster" may lack a domain."""

    address: str
    notify: tuple[str, ...] = ()
    original: str | None = None  # ORCPT, xtext decoded


# RFC 5321 section 4.1.2:  Path = "<" [ A-d-l ":" ] Mailbox ">",  A-d-l = At-domain *( "," At-domain )
# A source route is read and forgotten (section 3.6.1 and appendix C). Characters of an atom and of a domain are
# judged by the address codec; here they only may not be space, control, bracket, quote or at sign. A space
# behind the colon is common enough to be read over, and printers and scripts leave the brackets out: Postfix
# takes both. Without brackets it is a mailbox with its domain, no source route and no empty path.
_LOCAL = r"(?:\"(?:[^\x00-\x1f\x7f\"\\]|\\[\x20-\x7e])*\"|[^\x00-\x20\x7f<>\"@\\]+)"
_DOMAIN = r"@(?:\[[^\x00-\x20\x7f<>\"@\[\]]*\]|[^\x00-\x20\x7f<>\"@\[\]\\]+)"
_PATH = re.compile(
    rf"[ ]?(?:<(?:@[^\x00-\x20\x7f<>\":]*:)?(?P<path>{_LOCAL}(?:{_DOMAIN})?)?>|(?P<bare>{_LOCAL}{_DOMAIN}))"
)
# RFC 5321 section 4.1.2: esmtp-keyword, esmtp-value; a value may hold "=" in AUTH= of old clients, so it may here
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^\x00-\x20\x7f]+))?\Z")
# RFC 3461 section 4: xchar are printable ASCII but "+" and "="; hexchar is "+" and two upper-case hex digits
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*\Z")
_HEXCHAR = re.compile(r"\+([0-9A-F]{2})")
_ORCPT_TYPE = re.compile(r"[A-Za-z0-9-]{1,40}\Z")
_HELLO = re.compile(r"[!-~]{1,255}\Z")
_NOTIFY = {"SUCCESS", "FAILURE", "DELAY"}


def split(line: bytes) -> tuple[str, str]:
    """Upper-case verb and the rest after one space.

    >>> split(b"mail FROM:<a@b.zz>")
    ('MAIL', 'FROM:<a@b.zz>')
    """
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        raise ProtocolError(500, "5.5.2", "command is not UTF-8") from None
    if "\0" in text:
        raise ProtocolError(500, "5.5.2", "NUL in a command", close=True)
    verb, _, rest = text.rstrip(" ").partition(" ")
    return verb.upper(), rest


def hello(rest: str) -> str:
    """The name a client gives; any printable ASCII word, since half the world sends no true host name."""
    if not _HELLO.match(rest):
        raise ProtocolError(501, "5.5.4", "one domain or address literal please")
    return rest


def mail(rest: str) -> Mail:
    path, parameters = _path_and_parameters(rest, "FROM:")
    if path and "@" not in path:
        raise ProtocolError(553, "5.1.7", "sender needs a domain")
    fields = _fields(parameters, _MAIL_PARAMETERS)
    parsed = Mail(sender=path, **fields)
    if not parsed.smtputf8 and not path.isascii():
        raise ProtocolError(553, "5.6.7", "SMTPUTF8 needed")
    return parsed


def rcpt(rest: str, smtputf8: bool) -> Rcpt:
    path, parameters = _path_and_parameters(rest, "TO:")
    if not path:
        raise ProtocolError(501, "5.1.3", "no recipient")
    if "@" not in path and path.lower() != "postmaster":
        raise ProtocolError(553, "5.1.3", "recipient needs a domain")
    if not smtputf8 and not path.isascii():
        raise ProtocolError(553, "5.6.7", "SMTPUTF8 needed")
    return Rcpt(address=path, **_fields(parameters, _RCPT_PARAMETERS))


def bdat(rest: str) -> tuple[int, bool]:
    """RFC 3030 section 2: chunk size in octets and whether it is the last."""
    size, _, last = rest.partition(" ")
    if not _is_number(size) or last.upper() not in ("", "LAST"):
        # the client sends octets we cannot count: nothing behind this line is a command for sure
        raise ProtocolError(501, "5.5.4", "BDAT size [LAST]", close=True)
    return int(size), bool(last)


def _path_and_parameters(rest: str, keyword: str) -> tuple[str, list[str]]:
    if rest[: len(keyword)].upper() != keyword:
        raise ProtocolError(501, "5.5.4", f"{keyword}<address> expected")
    match = _PATH.match(rest, len(keyword))
    if match is None:
        raise ProtocolError(501, "5.1.7" if keyword == "FROM:" else "5.1.3", "bad address syntax")
    tail = rest[match.end() :]
    if tail and tail[0] != " ":
        raise ProtocolError(501, "5.5.4", "space expected after the address")
    return match["path"] or match["bare"] or "", tail.split()


def _fields(parameters: list[str], known: "dict[str, tuple[str, Reader]]") -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for parameter in parameters:
        match = _PARAMETER.match(parameter)
        if match is None:
            raise ProtocolError(501, "5.5.4", "bad parameter syntax")
        entry = known.get(match[1].upper())
        if entry is None:
            raise ProtocolError(555, "5.5.4", "parameter not recognised")
        name, read = entry
        if name in fields:
            raise ProtocolError(501, "5.5.4", "parameter given twice")
        fields[name] = read(match[2] or "")
    fields.pop("", None)
    return fields


def _is_number(text: str) -> bool:
    return 0 < len(text) <= 20 and text.isascii() and text.isdigit()


def _size(value: str) -> int:
    if not _is_number(value):
        raise ProtocolError(501, "5.5.4", "SIZE=octets")
    return int(value)


def _body(value: str) -> str:
    word = value.lower()
    if word not in ("7bit", "8bitmime"):
        raise ProtocolError(501, "5.5.4", "BODY=7BIT or BODY=8BITMIME")
    return word


def _flag(value: str) -> bool:
    if value:
        raise ProtocolError(501, "5.5.4", "parameter takes no value")
    return True


def _ret(value: str) -> str:
    word = value.upper()
    if word not in ("FULL", "HDRS"):
        raise ProtocolError(501, "5.5.4", "RET=FULL or RET=HDRS")
    return word


def _xtext(value: str, limit: int) -> str:
    """Decoded xtext. Only printable ASCII may be in it, so that it cannot break a report it is quoted in (row 17)."""
    if not value or len(value) > limit or not _XTEXT.match(value):
        raise ProtocolError(501, "5.5.4", "bad xtext")
    decoded = _HEXCHAR.sub(lambda match: chr(int(match[1], 16)), value)
    if not decoded.isascii() or not decoded.isprintable():
        raise ProtocolError(501, "5.5.4", "bad character in xtext")
    return decoded


def _envid(value: str) -> str:
    return _xtext(value, 100)  # RFC 3461 section 4.4


def _notify(value: str) -> tuple[str, ...]:
    words = value.upper().split(",")
    if words == ["NEVER"]:
        return ("NEVER",)
    if len(set(words)) != len(words) or not set(words) <= _NOTIFY:
        raise ProtocolError(501, "5.5.4", "NOTIFY=NEVER or a list of SUCCESS, FAILURE, DELAY")
    return tuple(words)


def _original(value: str) -> str:
    """RFC 3461 section 4.2, and RFC 6533 section 3 for type utf-8, whose text is UTF-8 or escaped by itself."""
    kind, mark, text = value.partition(";")
    if not mark or not _ORCPT_TYPE.match(kind) or len(value) > 500:
        raise ProtocolError(501, "5.5.4", "ORCPT=type;address")
    if kind.lower() == "utf-8" and text.isprintable():
        return f"{kind};{text}"
    return f"{kind};{_xtext(text, 500)}"


Reader = Callable[[str], object]
_MAIL_PARAMETERS: dict[str, tuple[str, Reader]] = {
    "SIZE": ("size", _size),
    "BODY": ("body", _body),
    "SMTPUTF8": ("smtputf8", _flag),
    "RET": ("ret", _ret),
    "ENVID": ("envid", _envid),
    "REQUIRETLS": ("require_tls", _flag),
    "AUTH": ("", str),  # RFC 4954 section 5: read, and trusted from nobody
}
_RCPT_PARAMETERS: dict[str, tuple[str, Reader]] = {"NOTIFY": ("notify", _notify), "ORCPT": ("original", _original)}
