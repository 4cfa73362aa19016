"""The mail of the demo: who writes to whom, and what."""

from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import NamedTuple

DOMAIN = "mydomain.zz"


class Letter(NamedTuple):
    sender: str
    to: str
    what: str  # what becomes of it, told to the person at the terminal
    subject: str
    text: str


LETTERS = (
    Letter(
        "anna@customers.example",
        f"paul@{DOMAIN}",
        "a mailbox",
        "Order 4711",
        "Dear Paul,\n\nplease send us twelve more of the same by Friday.\n\nAnna\n",
    ),
    Letter(
        "stuart@office.example",
        f"ringo@{DOMAIN}",
        "a mailbox",
        "The new drum kit",
        "Ringo,\n\nit arrives on Tuesday. Can somebody open the back door?\n\nStuart\n",
    ),
    Letter(
        "billing@supplier.example",
        f"george@{DOMAIN}",
        "an alias of paul",
        "Invoice 2026-118",
        "Dear customer,\n\nthe invoice for November is 118.00. Grüße aus Hamburg!\n\nBilling\n",
    ),
    Letter(
        "brian@agency.example",
        f"beatles@{DOMAIN}",
        "a list: paul and ringo",
        "Meeting moved to 14:00",
        "All,\n\nroom 2, two o'clock, bring the numbers.\n\nBrian\n",
    ),
    Letter(
        "tony@songs.example",
        f"john@{DOMAIN}",
        "unknown yet: kept until the administrator decides",
        "Are you still there?",
        "John,\n\nyour old number does not answer. Write back when you can.\n\nTony\n",
    ),
    Letter(
        "winner@lottery.example",
        f"i.am.spam@{DOMAIN}",
        "banished: dropped",
        "YOU WON",
        "Claim your prize today.\n",
    ),
)


def message(letter: Letter, at: float) -> bytes:
    """The octets as a mail program sends them; `at` in seconds since the epoch."""
    from datetime import UTC, datetime

    mail = EmailMessage()
    mail["From"] = letter.sender
    mail["To"] = letter.to
    mail["Subject"] = letter.subject
    mail["Date"] = format_datetime(datetime.fromtimestamp(at, UTC))
    mail["Message-ID"] = make_msgid(domain=letter.sender.partition("@")[2])
    mail.set_content(letter.text, cte="8bit")
    return mail.as_bytes(policy=mail.policy.clone(linesep="\r\n"))
