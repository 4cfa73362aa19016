"""Mail that we write to people: text and HTML of the same words (RFC 2046 section 5.1.4), never answered (RFC 3834)."""

import re
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import formatdate

from msgspec import Struct

_MESSAGE_ID = re.compile(r"[!-;=?-~]{1,200}")  # on one line, whatever somebody wrote there (attack row 17)


class Written(Struct, frozen=True, kw_only=True):
    """What it says. `html` is a whole document."""

    subject: str
    text: str
    html: str
    language: str  # RFC 3282


class Letterhead(Struct, frozen=True, kw_only=True):
    """From whom and to whom: addresses in wire form, already checked."""

    author: str  # the name shown
    sender: str
    recipient: str
    message_id: str  # without angle brackets
    at: float
    answers: str = ""  # Message-ID of what this is the automatic answer to


def compose(head: Letterhead, written: Written) -> bytes:
    """The message, 7-bit but for a recipient beyond ASCII. The addresses stand as given and are not folded."""
    message = EmailMessage(policy=SMTPUTF8 if not head.recipient.isascii() else SMTP)
    message["Subject"] = " ".join(written.subject.split())
    message["Date"] = formatdate(head.at).replace("-0000", "+0000")
    message["Message-ID"] = f"<{head.message_id}>"
    message["Auto-Submitted"] = "auto-replied" if head.answers else "auto-generated"  # RFC 3834 section 5: no person
    if _MESSAGE_ID.fullmatch(head.answers):
        message["In-Reply-To"] = message["References"] = f"<{head.answers}>"
    message.set_content(written.text, cte="quoted-printable")
    message.add_alternative(written.html, subtype="html", cte="quoted-printable")
    message["Content-Language"] = written.language  # behind what makes a multipart of it, and forgets Content-*
    people = f"From: {_phrase(head.author)} <{head.sender}>\r\nTo: <{head.recipient}>\r\n"
    return people.encode() + message.as_bytes()


def _phrase(name: str) -> str:
    """A display name as a quoted string (RFC 5322 section 3.2.4)."""
    printable = "".join(character for character in name if " " <= character <= "~")
    return '"' + printable.replace("\\", "\\\\").replace('"', '\\"') + '"'
