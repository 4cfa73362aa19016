"""A customer's people at the console and at their mail programs, for tests that drive a real browser.

Names resolve as they do for people: the console is asked for by the customer's alternate domain.
"""

import imaplib
import os
import smtplib
import ssl
from email.message import EmailMessage
from typing import Any

from emailgency.store.redis.reading import reading_url
from tests.support.chromium import Screen
from tests.support.dns_thread import DnsThread
from tests.support.server import Server
from tests.support.sink import Sink

DOMAIN, ALTERNATE = "mydomain.zz", "mydomainzz.emailgency.zz"
POSTMASTER = f"postmaster@{DOMAIN}"
PASSWORD = "Correct-horse1"
RESOLVED = "--host-resolver-rules=MAP *.emailgency.zz 127.0.0.1"  # an argument of Chromium


def public_dns(names: DnsThread) -> None:
    """The customer's domain as it is before he has heard of us."""
    names.zone |= {
        ("mx.emailgency.zz", "A"): ["198.51.100.7"],
        (ALTERNATE, "A"): ["198.51.100.7"],
        (f"mail.{DOMAIN}", "A"): ["203.0.113.5"],
        (DOMAIN, "MX"): [f"10 mail.{DOMAIN}."],
        (DOMAIN, "TXT"): ['"v=spf1 mx -all"'],
    }


def settings(names: DnsThread, home: Sink) -> dict[str, Any]:
    """Of a server that asks `names` and may reach `home`, the customer's own server."""
    return {
        "credentials": {"memory": 64, "passes": 1},
        "web": {"connections": {"per_network": 200}},
        "dns": {"addresses": [names.address], "ipv6": False},
        "egress": {"networks": ["198.51.100.0/24", "203.0.113.0/24", "127.0.0.1/32"], "ports": [25, home.port]},
        "retry": {"probe_first": 0.2, "probe_longest": 0.5, "message_first": 0.2},
        "flush": {"interval": 0},
    }


def root(server: Server) -> str:
    return f"https://{ALTERNATE}:{server.ports['https']}/eg"


def log_in(screen: Screen, server: Server, address: str, password: str) -> None:
    screen.page.goto(f"{root(server)}/login")
    screen.page.get_by_label("Your mail address").fill(address)
    screen.page.get_by_label("Password").fill(password)
    screen.page.get_by_role("button", name="Log in", exact=True).click()


def letter(sender: str, recipients: list[str], subject: str, text: str = "Come together.") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, ", ".join(recipients), subject
    message.set_content(text)
    return message


def incoming(server: Server, recipients: list[str], subject: str, text: str = "Come together.") -> None:
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"], local_hostname="songs.example", timeout=30) as client:
        client.send_message(letter("tony@songs.example", recipients, subject, text))


def unchecked() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def subjects(server: Server, address: str, password: str) -> list[str]:
    """Of the inbox, as a mail program reads it."""
    with imaplib.IMAP4_SSL("127.0.0.1", server.ports["imaps"], ssl_context=unchecked(), timeout=30) as client:
        client.login(address, password)
        client.select("INBOX")
        _, found = client.fetch("1:*", "(BODY[HEADER.FIELDS (SUBJECT)])")
    return [part[1].decode().partition(":")[2].strip() for part in found if isinstance(part, tuple)]


def came(home: Sink, subject: str, to: str) -> int:
    """How often the customer's own server has taken it."""
    return sum(f"Subject: {subject}".encode() in one.octets and to in one.recipients for one in home.messages)


def expire(server: Server, pattern: str) -> None:
    """What Redis keeps for a time only has no more of it."""
    with reading_url(f"unix://{os.path.join(server.data, 'redis', 'socket')}") as redis:
        keys = list[bytes]()
        at: bytes | None = None
        while at != b"0":
            at, some = redis.ask("SCAN", at or "0", "MATCH", pattern)
            keys += some
        assert keys
        for key in keys:
            redis.ask("PEXPIRE", key, "1")
        server.wait(lambda: not redis.ask("EXISTS", *keys))
