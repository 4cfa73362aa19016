"""The words of the demo: what stands on the terminal once the mail is in."""

from msgspec import Struct

from emailgency.demo.customer_server import HOST
from emailgency.demo.letters import DOMAIN, LETTERS
from emailgency.rules.routing import POSTMASTER


class Doors(Struct, frozen=True):
    """Where the server listens, and the words with which a person runs `emailgency` here."""

    smtp: int
    imap: int
    imaps: int
    pop3: int
    pop3s: int
    https: int
    command: str
    data: str


def picture(doors: Doors, passwords: dict[str, str], pending: int, server_port: int, fresh: bool) -> str:
    """Passwords by local part; `pending` messages; `fresh`: the letters came in just now, not in an earlier demo."""
    readers = {name: password for name, password in passwords.items() if name != POSTMASTER}
    people = "\n".join(f"    user {name}@{DOMAIN}, password {password}" for name, password in readers.items())
    name, password = next(iter(readers.items()))
    return f"""
{DOMAIN} is a customer whose own mail server is down.
{arrivals() if fresh else "Its mail came in during an earlier demo."}

Read it in any mail program: IMAP server {HOST}
    port {doors.imaps} (TLS) or port {doors.imap} (STARTTLS); the certificate is self-signed, accept it
    or by POP3: ports {doors.pop3s} (TLS) and {doors.pop3} (STARTTLS)
{people}
  or one message here:
    curl -sk -u '{name}@{DOMAIN}:{password}' 'imaps://{HOST}:{doors.imaps}/INBOX;MAILINDEX=1'

Decide about john, and see the rest, in a browser: https://{HOST}:{doors.https}/eg/login
    user {POSTMASTER}@{DOMAIN}, password {passwords[POSTMASTER]}

Send more: SMTP server {HOST}, port {doors.smtp}, to any address of {DOMAIN}.

Pending: {messages(pending)} for the customer's server, {HOST}:{server_port}, which refuses connections.
    {doors.command} pending list --data {doors.data}
Bring that server back, and look here again:
    {doors.command} demo-server up --data {doors.data}

Ctrl-C ends the demo; its mail stays in {doors.data}
"""


def arrivals() -> str:
    lines = "\n".join(f"    {letter.to:24}{letter.what}" for letter in LETTERS)
    return f"{messages(len(LETTERS))} for its people have just come in by SMTP:\n{lines}"


def messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count} messages"
