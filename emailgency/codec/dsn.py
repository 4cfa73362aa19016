"""Delivery status notifications (RFC 3464, RFC 3461 section 6, RFC 6522), built from fields, never from templates.

    compose(report) -> (head, tail)     the original, whole or its header, goes between the two

Every value is cut down to printable ASCII without line ends on its way into a field, so that nothing that a peer said
or called itself can add a line (attack row 17). Addresses beyond ASCII take the form of RFC 6533 section 3.
"""

import re
from email.utils import formatdate
from enum import Enum

from msgspec import Struct

_UNSAFE = re.compile(r"[^ -~]+")
_VALUE_LIMIT = 900  # octets of one field value; RFC 5322 section 2.1.1 allows lines of 998


class Action(Enum):
    """RFC 3464 section 2.3.3."""

    FAILED = "failed"
    DELAYED = "delayed"
    RELAYED = "relayed"  # into a mail system that sends no notifications of success


class Status(Struct, frozen=True, kw_only=True):
    """What became of one recipient. `original` is the decoded ORCPT, "rfc822;..."; `until` counts from the epoch."""

    address: str
    action: Action
    status: str  # RFC 3463
    original: str | None = None
    diagnostic: str = ""  # the remote's reply, code first; empty: it was not a remote who decided
    remote: str = ""  # host name or [address]
    reason: str = ""  # for people
    until: float | None = None


class Report(Struct, frozen=True, kw_only=True):
    """One notification. `boundary` must be unguessable, since the original may contain anything."""

    reporting: str  # our host name
    to: str  # wire form of the original sender
    message_id: str  # without angle brackets
    boundary: str
    now: float
    arrived: float
    statuses: tuple[Status, ...]
    envid: str | None = None
    whole: bool = False  # the original follows whole, else only its header


_SUBJECTS = {
    Action.FAILED: "Mail could not be delivered",
    Action.DELAYED: "Mail is delayed",
    Action.RELAYED: "Mail was passed on",
}
_EXPLANATIONS = {
    Action.FAILED: "Your message could not be delivered to the recipients below. It will not be tried again.",
    Action.DELAYED: "Your message has not been delivered yet to the recipients below.\r\n"
    "You need not send it again: we keep trying, and tell you if it fails.",
    Action.RELAYED: "Your message was handed to the mail servers of the recipients below.\r\n"
    "They do not confirm delivery, so this is the last you will hear from us.",
}


def subject(action: Action) -> str:
    """Of a notification that tells this."""
    return _SUBJECTS[action]


def compose(report: Report) -> tuple[bytes, bytes]:
    """The message without trace fields, cut where the original goes. UTF-8 only in To, and only if it must be."""
    action = report.statuses[0].action
    kind = "message/rfc822" if report.whole else "text/rfc822-headers"
    head = [
        field("From", f"Mail delivery <postmaster@{report.reporting}>"),
        f"To: <{_unfolded(report.to)}>",
        field("Subject", subject(action)),
        field("Date", formatdate(report.now).replace("-0000", "+0000")),
        field("Message-ID", f"<{report.message_id}>"),
        field("Auto-Submitted", "auto-replied"),  # RFC 3834 section 5.1.1
        field("MIME-Version", "1.0"),
        f'Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary="{report.boundary}"',
        "",
        f"--{report.boundary}",
        field("Content-Type", "text/plain; charset=us-ascii"),
        "",
        f"This is the mail server {_safe(report.reporting)}.",
        "",
        _EXPLANATIONS[action],
        "",
        *(line for status in report.statuses for line in _for_people(status)),
        "",
        f"--{report.boundary}",
        field("Content-Type", "message/delivery-status"),
        "",
        *_about_message(report),
        *(line for status in report.statuses for line in _about_recipient(status)),
        f"--{report.boundary}",
        field("Content-Type", kind),
        field("Content-Transfer-Encoding", "8bit"),
        "",
        "",
    ]
    return "\r\n".join(head).encode(), f"\r\n--{report.boundary}--\r\n".encode()


def field(name: str, value: str) -> str:
    """One header field on one line, without CRLF."""
    return f"{name}: {_safe(value)}"


def _for_people(status: Status) -> list[str]:
    lines = [f"<{_encoded(status.address)}>:"]
    if status.diagnostic:
        lines.append(f"  {_safe(status.remote) or 'the server'} said: {_safe(status.diagnostic)}")
    if status.reason:
        lines.append(f"  {_safe(status.reason)}")
    if status.until is not None:
        lines.append(f"  We keep trying until {formatdate(status.until)}.")
    return lines


def _about_message(report: Report) -> list[str]:
    """RFC 3464 section 2.2."""
    lines = [field("Original-Envelope-Id", report.envid)] if report.envid else []
    lines.append(field("Reporting-MTA", f"dns; {report.reporting}"))
    lines.append(field("Arrival-Date", formatdate(report.arrived).replace("-0000", "+0000")))
    return [*lines, ""]


def _about_recipient(status: Status) -> list[str]:
    """RFC 3464 section 2.3."""
    lines = []
    if status.original:
        kind, _, address = status.original.partition(";")
        lines.append(field("Original-Recipient", f"{_safe(kind)}; {_encoded(address)}"))
    kind = "rfc822" if status.address.isascii() else "utf-8"
    lines.append(field("Final-Recipient", f"{kind}; {_encoded(status.address)}"))
    lines.append(field("Action", status.action.value))
    lines.append(field("Status", status.status))
    if status.remote:
        lines.append(field("Remote-MTA", f"dns; {status.remote}"))
    if status.diagnostic:
        lines.append(field("Diagnostic-Code", f"smtp; {status.diagnostic}"))
    if status.until is not None:
        lines.append(field("Will-Retry-Until", formatdate(status.until)))
    return [*lines, ""]


def _safe(text: str) -> str:
    return _UNSAFE.sub("?", text)[:_VALUE_LIMIT]


def _unfolded(address: str) -> str:
    """An address in a header field of its own; letters beyond ASCII stay (RFC 6532), controls do not."""
    return re.sub(r"[\x00-\x1f\x7f\x80-\x9f\u2028\u2029]", "?", address)[:_VALUE_LIMIT]


def _encoded(address: str) -> str:
    """utf-8-addr-xtext of RFC 6533 section 3; ASCII addresses stay as they are."""
    return _safe("".join(c if " " <= c <= "~" else f"\\x{{{ord(c):X}}}" for c in address))
