"""A proxy in front of every door: its header comes first and in clear, also where TLS follows at once."""

import socket
import ssl

import pytest

from tests.support.server import Server

HEADER = b"PROXY TCP4 203.0.113.7 192.0.2.1 4711 25\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    settings = {
        "smtp": {"proxies": ["127.0.0.1"]},
        "imap": {"proxies": ["127.0.0.1"]},
        "pop3": {"proxies": ["127.0.0.1"]},
    }
    with Server(tmp_path_factory.mktemp("server"), settings).start() as server:
        yield server


def greeting(server: Server, service: str, secure: bool) -> bytes:
    with socket.create_connection(("127.0.0.1", server.ports[service]), timeout=10) as line:
        line.sendall(HEADER)
        if not secure:
            return line.recv(1000)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(line) as secured:
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
