"""How long reading mail takes: our MIME reader beside the standard library's, and our IMAP command parser.

    python -m benchmarks.mime

Microseconds, best of several; the ratio to the standard library is from the same run, so it holds on a busy machine.
"""

import time
from collections.abc import Callable
from email.parser import BytesParser
from email.policy import compat32, default

from emailgency.codec.imap.connection import Connection
from emailgency.codec.mime import envelope
from emailgency.codec.mime.summary import summarise

TYPICAL = (
    b"Return-Path: <anna@example.net>\r\n"
    b"Received: from mx.example.net (mx.example.net [192.0.2.25])\r\n"
    b"\tby mydomainzz.emailgency.com with ESMTPS id 4f3b2c1a\r\n"
    b"\tfor <bob@mydomain.zz>; Thu, 1 Jan 2026 12:00:00 +0000\r\n"
    b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.net; s=k1;\r\n\th=from:to:subject:date;\r\n\tb="
    + b"QUJD"
    * 40
    + b"\r\nFrom: Anna Bee <anna@example.net>\r\n"
    b'To: "Cee, Bob" <bob@mydomain.zz>, carol@mydomain.zz\r\nCc: Team <team@mydomain.zz>\r\n'
    b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= from the\r\n office\r\nDate: Thu, 1 Jan 2026 12:00:00 +0000\r\n"
    b"Message-ID: <abc.123@example.net>\r\nIn-Reply-To: <old.1@mydomain.zz>\r\nReferences: <old.1@mydomain.zz>\r\n"
    b'MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="----=_Part_123_456.789"\r\n\r\n'
    b"This is a multi-part message in MIME format.\r\n------=_Part_123_456.789\r\n"
    b"Content-Type: text/plain; charset=utf-8; format=flowed\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    + b"Hello, this is the text of it.\r\n"
    * 20
    + b"\r\n------=_Part_123_456.789\r\nContent-Type: text/html; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: 7bit\r\n\r\n"
    + b"<p>Hello, this is it</p>\r\n" * 20
    + b"\r\n------=_Part_123_456.789--\r\n"
)
BOMB = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 2000

COMMANDS = (
    b"a UID FETCH 1:*,7 (FLAGS BODY.PEEK[HEADER.FIELDS (Date From Subject To Cc)])\r\n",
    b"a FETCH 1:* (UID FLAGS)\r\n",
    b"a UID STORE 125 +FLAGS.SILENT (\\Deleted)\r\n",
    b"a SEARCH UNSEEN FROM bob SINCE 1-Feb-2026\r\n",
    b'a SELECT "INBOX"\r\n',
    b"a NOOP\r\n",
)


def microseconds(deed: Callable[[], object], times: int) -> float:
    """The best of seven rounds, in CPU time a call."""
    best = float("inf")
    for _ in range(7):
        start = time.thread_time()
        for _ in range(times):
            deed()
        best = min(best, (time.thread_time() - start) / times)
    return best * 1e6


def standard_library(octets: bytes) -> object:
    """The same facts by `email`: the tree of parts, and the address fields of the modern policy."""
    message = BytesParser(policy=default).parsebytes(octets)
    people = [message[name].addresses for name in ("from", "to", "cc") if name in message]
    return people, message["subject"], [part.get_content_type() for part in message.walk()]


def main() -> None:
    for name, octets, times in (("typical message", TYPICAL, 300), ("2,000 parts", BOMB, 3)):
        print(f"{name}, {len(octets)} octets:")
        ours = microseconds(lambda octets=octets: summarise(octets), times)
        tree = microseconds(lambda octets=octets: BytesParser(policy=compat32).parsebytes(octets), max(times // 5, 1))
        facts = microseconds(lambda octets=octets: standard_library(octets), max(times // 20, 1))
        print(f"  envelope and structure {ours:.0f} µs")
        print(f"  email, tree only {tree:.0f} µs: {tree / ours:.1f} times as long")
        print(f"  email, with addresses {facts:.0f} µs: {facts / ours:.1f} times as long")
    print(f"envelope alone: {microseconds(lambda: envelope.read(TYPICAL), 500):.0f} µs")
    connection = Connection()
    connection.authenticated = True

    def command(octets: bytes) -> None:
        connection.feed(octets)
        connection.next_event()

    for octets in COMMANDS:
        spent = microseconds(lambda octets=octets: command(octets), 2000)
        print(f"{spent:5.1f} µs  {octets.decode().strip()}")


if __name__ == "__main__":
    main()
