"""Transactions in the words of SMTP: what of a message can be said to a server with these extensions, and how."""

import re
from collections.abc import Mapping

from msgspec import Struct

from emailgency.codec.smtp.client_events import Result, Stage
from emailgency.codec.smtp.reply_reader import Reply

Extensions = Mapping[str, str]  # upper-case keyword -> parameters, of the EHLO in force

# Second line of defence behind codec.address (RFC 5321 section 4.1.2, RFC 6531 section 3.3): nothing that could
# end the path or the command early.
_PATH = re.compile(
    r'(?:"(?:[^"\\\x00-\x1f\x7f]|\\[ -~])*"|[^\x00-\x20\x7f"<>()\[\],;:\\@]+)'
    r"@(?:\[[0-9A-Za-z.:-]+\]|[^\x00-\x20\x7f\"<>()\[\],;:\\@]+)"
)


class Path(Struct, frozen=True):
    """A recipient as the next hop shall see it; NOTIFY and ORCPT of RFC 3461 go along where DSN is offered."""

    address: str
    notify: tuple[str, ...] = ()
    original: str | None = None


class Mail(Struct, frozen=True, kw_only=True):
    """One transaction. `size` counts the octets of the body before dot-stuffing (RFC 1870 section 5)."""

    sender: str
    recipients: tuple[Path, ...]
    size: int
    eight_bit: bool = False
    smtputf8: bool = False
    ret: str | None = None
    envid: str | None = None
    require_tls: bool = False  # RFC 8689


def unfit(mail: Mail, extensions: Extensions) -> Result | None:
    """Why the server's own EHLO says that it cannot take this; None: it can."""
    paths = [path.address for path in mail.recipients]
    if any(not _PATH.fullmatch(path) for path in paths) or (mail.sender and not _PATH.fullmatch(mail.sender)):
        return Result(Stage.RCPT, Reply(553, ("5.1.3 address cannot be written in SMTP",)), ours=True)
    ascii_only = mail.sender.isascii() and all(map(str.isascii, paths))
    if "SMTPUTF8" not in extensions and (mail.smtputf8 or not ascii_only):  # RFC 6531 section 3.2
        return Result(Stage.MAIL, Reply(553, ("5.6.7 next hop does not support SMTPUTF8",)), ours=True)
    if mail.require_tls and mail.sender and "REQUIRETLS" not in extensions:  # RFC 8689 section 5: a bounce goes on
        return Result(Stage.MAIL, Reply(550, ("5.7.30 next hop does not support REQUIRETLS",)), ours=True)
    limit = extensions.get("SIZE", "")
    if limit.isdecimal() and 0 < int(limit[:18]) < mail.size:  # RFC 1870 section 6.4
        text = f"5.3.4 message of {mail.size} octets, next hop takes {limit[:18]}"
        return Result(Stage.MAIL, Reply(552, (text,)), ours=True)
    return None


def mail_command(mail: Mail, extensions: Extensions) -> bytes:
    """MAIL with the parameters the server knows."""
    words = [f"MAIL FROM:<{mail.sender}>"]
    if "SIZE" in extensions and mail.size:
        words.append(f"SIZE={mail.size}")
    if mail.eight_bit and "8BITMIME" in extensions:
        words.append("BODY=8BITMIME")
    if (mail.smtputf8 or not mail.sender.isascii()) and "SMTPUTF8" in extensions:
        words.append("SMTPUTF8")
    if mail.require_tls and "REQUIRETLS" in extensions:
        words.append("REQUIRETLS")
    if "DSN" in extensions:
        words += [f"RET={mail.ret}"] if mail.ret in ("FULL", "HDRS") else []
        words += [f"ENVID={_xtext(mail.envid)}"] if mail.envid else []
    return (" ".join(words) + "\r\n").encode()


def rcpt_command(path: Path, extensions: Extensions) -> bytes:
    """RCPT, likewise."""
    words = [f"RCPT TO:<{path.address}>"]
    if "DSN" in extensions:
        words += ["NOTIFY=" + ",".join(path.notify)] if path.notify else []
        if path.original:
            kind, _, address = path.original.partition(";")
            words.append(f"ORCPT={_xtext(kind)};{_xtext(address)}")
    return (" ".join(words) + "\r\n").encode()


def _xtext(text: str) -> str:
    """RFC 3461 section 4: anything but printable ASCII, and "+" and "=", as +HH."""
    return "".join(c if "!" <= c <= "~" and c not in "+=" else "".join(f"+{o:02X}" for o in c.encode()) for c in text)
