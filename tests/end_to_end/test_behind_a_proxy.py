"""A proxy in front of every door: its header comes first and in clear, also where TLS follows at once."""

import contextlib
import socket
import ssl

import pytest

from tests.support.server import Server

HEADER = b"PROXY TCP4 203.0.113.7 192.0.2.1 4711 25\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    settings = {section: {"proxies": ["127.0.0.1"]} for section in ("smtp", "imap", "pop3", "web")}
    with Server(tmp_path_factory.mktemp("server"), settings).start() as server:
        yield server


def greeting(server: Server, service: str, secure: bool, said: bytes = b"", header: bytes = HEADER) -> bytes:
    with socket.create_connection(("127.0.0.1", server.ports[service]), timeout=10) as line:
        line.sendall(header)
        if not secure:
            line.sendall(said)
            return line.recv(1000)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(line) as secured:
            secured.sendall(said)
            return secured.recv(1000)


@pytest.mark.parametrize(
    ("service", "secure"),
    [
        ("smtp", False),
        ("submission", False),
        ("submissions", True),
        ("imap", False),
        ("imaps", True),
        ("pop3", False),
        ("pop3s", True),
    ],
)
def test_every_door_opens_behind_a_proxy(server: Server, service: str, secure: bool) -> None:
    assert greeting(server, service, secure).startswith((b"220 mx.emailgency.zz", b"* OK ", b"+OK "))


@pytest.mark.parametrize(("service", "secure"), [("http", False), ("https", True)])
def test_attack_38_the_web_knows_clients_only_from_a_listed_proxy(server: Server, service: str, secure: bool) -> None:
    asked = b"GET /%b HTTP/1.1\r\nHost: x.zz\r\n\r\n" % service.encode()
    assert greeting(server, service, secure, asked).startswith(b"HTTP/1.1 404")
    server.wait(lambda: f"'/{service}' from 203.0.113.7" in server.log())
    for header in (b"", b"PROXY TCP4 x\r\n"):
        with contextlib.suppress(OSError):  # cut off
            assert greeting(server, service, secure, asked, header) == b""
