"""What mail programs are told, and that nothing a stranger says to the web does harm."""

import itertools
import socket
import time
from urllib.parse import quote
from xml.etree import ElementTree

import pytest

from tests.support.server import Server

DOMAIN = "mydomain.zz"
PATHS = ("/mail/config-v1.1.xml", "/.well-known/autoconfig/mail/config-v1.1.xml")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    settings = {
        "web": {"connections": {"total": 30, "reserved": 0, "per_network": 30}},
        "access": {"submission": 587},
        "listen": {"pop3": []},
    }
    with Server(tmp_path_factory.mktemp("server"), settings).start() as server:
        server.command("customer add", domain=DOMAIN, domain_alias=["other.zz"])
        server.command("mailbox add", address=f"paul@{DOMAIN}")
        yield server


def exchange(server: Server, octets: bytes, service: str = "http") -> bytes:
    """All that comes back until the end."""
    with socket.create_connection(("127.0.0.1", server.ports[service]), 20) as line:
        line.sendall(octets)
        answer = b""
        while piece := line.recv(65536):
            answer += piece
        return answer


def get(server: Server, target: str, host: str = f"autoconfig.{DOMAIN}", method: str = "GET") -> tuple[int, str]:
    request = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    head, _, body = exchange(server, request).partition(b"\r\n\r\n")
    return int(head.split()[1]), body.decode()


def doors(body: str) -> list[tuple[str, ...]]:
    root = ElementTree.fromstring(body)
    tags = ("hostname", "port", "socketType", "username", "authentication")
    return [
        (server.get("type", ""), *(server.findtext(tag) or "" for tag in tags))
        for server in [*root.iter("incomingServer"), *root.iter("outgoingServer")]
    ]


@pytest.mark.parametrize("path", PATHS)
def test_a_program_is_told_every_door_by_the_address(server: Server, path: str) -> None:
    status, body = get(server, f"{path}?emailaddress=paul%40{DOMAIN}")
    assert status == 200
    host, name = "mydomainzz.emailgency.zz", ("%EMAILADDRESS%", "password-cleartext")
    ports = server.ports
    assert doors(body) == [
        ("imap", host, str(ports["imaps"]), "SSL", *name),
        ("imap", host, str(ports["imap"]), "STARTTLS", *name),
        ("pop3", host, str(ports["pop3s"]), "SSL", *name),
        ("smtp", host, str(ports["submissions"]), "SSL", *name),
        ("smtp", host, "587", "STARTTLS", *name),  # as the settings say; POP3 in clear is not listened on
    ]
    provider = ElementTree.fromstring(body).find("emailProvider")
    assert (provider.get("id"), provider.findtext("domain")) == (DOMAIN, DOMAIN)


def test_every_domain_of_a_customer_is_answered_for(server: Server) -> None:
    for address in ("paul@other.zz", "paul@mydomainzz.emailgency.zz", "PAUL@MyDomain.ZZ"):
        status, body = get(server, f"{PATHS[0]}?emailaddress={address}")
        assert status == 200
        assert doors(body)[0][1] == "mydomainzz.emailgency.zz"


def test_without_an_address_the_host_says_the_domain(server: Server) -> None:
    assert get(server, PATHS[0])[0] == 200
    assert get(server, PATHS[1], host=f"{DOMAIN}:8080")[0] == 200
    assert get(server, PATHS[1], host="elsewhere.zz")[0] == 404


def test_attack_08_the_answer_does_not_tell_which_addresses_exist(server: Server) -> None:
    known = get(server, f"{PATHS[0]}?emailaddress=paul@{DOMAIN}")
    assert get(server, f"{PATHS[0]}?emailaddress=nobody@{DOMAIN}") == known
    assert get(server, f"{PATHS[0]}?emailaddress=@{DOMAIN}") == known


def test_attack_21_a_hostile_address_never_comes_back(server: Server) -> None:
    hostile = [
        f'"><script>alert(1)</script>@{DOMAIN}',
        f"]]><x>@{DOMAIN}",
        f"&xxe;@{DOMAIN}",
        f"a\r\nX-Evil: 1@{DOMAIN}",
        "<script>@<script>.zz",
        f"x@{DOMAIN}\0<evil>",
        "x@" + "a." * 5000 + "zz",
        f"{'<evil>' * 1000}@{DOMAIN}",
        "evil",
        "",
    ]
    for address in hostile:
        status, body = get(server, f"{PATHS[0]}?emailaddress={quote(address, safe='')}", host="elsewhere.zz")
        assert status in (200, 404), address
        assert not any(word in body for word in ("script", "evil", "xxe", "]]>")), body
    assert get(server, f"{PATHS[0]}?emailaddress=%ff@{DOMAIN}")[0] == 404
    assert get(server, f"{PATHS[0]}?emailaddress=a@{DOMAIN}&emailaddress=b@{DOMAIN}")[0] == 404
    assert get(server, "/<script>alert(1)</script>")[1] == "There is no such page.\n"
    evil = exchange(server, b"GET / HTTP/1.1\r\nHost: <evil>\r\nConnection: close\r\n\r\n")
    assert b"evil" not in evil


def test_attack_24_every_answer_has_the_headers(server: Server) -> None:
    for target, method in itertools.product((PATHS[0], "/", "/nothing/here"), ("GET", "HEAD", "POST")):
        request = f"{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        head = exchange(server, request.encode()).partition(b"\r\n\r\n")[0].decode()
        for line in ("X-Content-Type-Options: nosniff", "frame-ancestors 'none'", "Server: Emailgency\r\n"):
            assert line in head + "\r\n", (target, method)


def test_attack_40_a_request_names_one_host(server: Server) -> None:
    line = f"GET {PATHS[0]} HTTP/1.1\r\n"
    for hosts in ("", f"Host: {DOMAIN}\r\nHost: evil.zz\r\n"):
        assert exchange(server, f"{line}{hosts}Connection: close\r\n\r\n".encode()).startswith(b"HTTP/1.1 400")
    both = f"{line}Host: {DOMAIN}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    assert exchange(server, both.encode()).startswith(b"HTTP/1.1 4")


def test_attack_41_a_body_is_refused_before_it_is_read(server: Server) -> None:
    head = f"POST {PATHS[0]} HTTP/1.1\r\nHost: {DOMAIN}\r\n"
    assert exchange(server, f"{head}Content-Length: 500000000\r\n\r\n".encode()).startswith(b"HTTP/1.1 413")
    chunked = f"{head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
    assert exchange(server, chunked.encode()).startswith(b"HTTP/1.1 411")
    assert get(server, PATHS[0], method="POST")[0] == 405
    assert get(server, PATHS[0], method="TRACE")[0] == 405


def test_attack_28_idle_connections_keep_nobody_out_for_long(server: Server) -> None:
    idle = []
    for service in ("http", "https"):
        idle += [socket.create_connection(("127.0.0.1", server.ports[service]), 20) for _ in range(15)]
    server.wait(lambda: 'emailgency_connections{service="web"} 30.0' in server.page("/metrics")[1])
    with pytest.raises((ConnectionError, ValueError, IndexError)):
        get(server, PATHS[0])
    for line in idle:
        line.close()
    deadline = time.monotonic() + 20
    while 'emailgency_connections{service="web"} 0.0' not in server.page("/metrics")[1]:
        assert time.monotonic() < deadline
    assert get(server, PATHS[0])[0] == 200
