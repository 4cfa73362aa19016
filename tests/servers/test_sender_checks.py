"""The real program: what comes in has our findings on top, what goes on is sealed by the customer's key."""

import smtplib
import time
from collections.abc import Iterator
from pathlib import Path

import dkim as dkimpy
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from emailgency.codec.dkim import record
from tests.support.dns_thread import DnsThread
from tests.support.server import Server
from tests.support.sink import Sink

KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
)
FORGED = b"Authentication-Results: mx.emailgency.zz; dmarc=pass\r\n"


@pytest.fixture(scope="module")
def dns() -> Iterator[DnsThread]:
    with DnsThread() as thread:
        thread.zone[("far.zz", "TXT")] = ['"v=spf1 ip4:127.0.0.0/8 -all"']
        thread.zone[("_dmarc.far.zz", "TXT")] = ['"v=DMARC1; p=reject"']
        publish(thread, "eg1._domainkey.far.zz", record(KEY))
        yield thread


def publish(dns: DnsThread, name: str, text: str) -> None:
    dns.zone[(name, "TXT")] = [" ".join(f'"{text[at : at + 200]}"' for at in range(0, len(text), 200))]


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with Sink() as customers_own:
        customers_own.up()
        yield customers_own


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, dns: DnsThread, sink: Sink) -> Iterator[Server]:
    settings = {
        "egress": {"networks": ["127.0.0.0/8"], "ports": [25, sink.port]},
        "dns": {"addresses": [dns.address], "ipv6": False},
    }
    with Server(tmp_path_factory.mktemp("server"), settings).start() as server:
        server.command("customer add", domain="mydomain.zz")
        server.command(
            "customer set", customer="mydomain.zz", smtp_transport=f"127.0.0.1:{sink.port}", authentication=True
        )
        server.command("mailbox add", address="paul@mydomain.zz")
        [key, *_] = server.command("dkim add", customer="mydomain.zz")
        publish(dns, key["name"], key["record"])
        server.command("dkim show", customer="mydomain.zz")
        yield server


def deliver(server: Server, body: bytes) -> bytes:
    message = b"From: bert@far.zz\r\nTo: paul@mydomain.zz\r\nSubject: hello\r\nMessage-ID: <1@far.zz>\r\n\r\n" + body
    message = dkimpy.sign(message, b"eg1", b"far.zz", PEM) + message
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"], timeout=30) as client:
        client.sendmail("bert@far.zz", ["paul@mydomain.zz"], FORGED + message)
    return message


@pytest.mark.parametrize("lines", [1, 40_000])
def test_what_comes_in_is_looked_at_and_goes_on_sealed(server: Server, sink: Sink, dns: DnsThread, lines: int) -> None:
    message = deliver(server, b"a line  of text\r\n" * lines)
    server.wait(lambda: any(message in one.octets for one in sink.messages), time.monotonic() + 60)
    [given] = [one.octets for one in sink.messages if message in one.octets]
    assert given.endswith(b"\r\n" + message)
    assert FORGED not in given
    start = given[: given.index(b"\r\nReceived:")]
    for found in (b"spf=pass", b"dkim=pass", b"dmarc=pass", b"arc=none"):
        assert start.count(found) == 2  # in the field, and in the seal

    def look_up(name: bytes, timeout: int = 5) -> bytes:
        texts = dns.zone[(name.decode().rstrip("."), "TXT")]
        return texts[0].replace('" "', "").strip('"').encode()

    verdict, _, reason = dkimpy.arc_verify(given, dnsfunc=look_up)
    assert (verdict, reason) == (b"pass", "success")
    assert b"d=mydomain.zz" in start
    [stored] = [
        path.read_bytes()
        for path in Path(server.data).glob("customers/*/mailboxes/*/new/*")
        if path.stat().st_size > len(message) and path.stat().st_size < 2 * len(message) + 3000
    ]
    assert stored.startswith(b"Return-Path: <bert@far.zz>\r\nAuthentication-Results: mx.emailgency.zz;")
    assert stored.endswith(message)
