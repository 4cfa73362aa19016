"""What strangers try on the web: frames, downloads, mail in HTML, look-alike names, requests that say two things."""

import smtplib
import socket
import ssl

import pytest

from emailgency.command.failure import CommandFailed
from tests.support.browser import Browser
from tests.support.console_pages import FILES
from tests.support.console_routes import ROUTES
from tests.support.server import Server

PASSWORD = "Correct-horse1"
BOSS, PAUL = "postmaster@mydomain.zz", "paul@mydomain.zz"
HOST = "mydomainzz.emailgency.zz"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    settings = {
        "credentials": {"memory": 64, "passes": 1},
        "web": {"connections": {"per_network": 400}, "captcha": {"after": 1000}},
    }
    with Server(tmp_path_factory.mktemp("server"), settings).start() as server:
        server.command("customer add", domain="mydomain.zz", relay="hold")
        server.command("mailbox add", address=PAUL)
        server.command("operator add", name="alice")
        server.command("operator password", name="alice", password=PASSWORD)
        for address in (BOSS, PAUL):
            server.command("password", address=address, password=PASSWORD)
        with smtplib.SMTP("127.0.0.1", server.ports["smtp"], timeout=20) as client:
            client.sendmail("bert@far.example", [PAUL, "unknown@mydomain.zz"], HTML.replace("\n", "\r\n").encode())
        server.wait(lambda: server.command("pending list")["messages"])
        yield server


@pytest.fixture(scope="module")
def boss(server: Server) -> Browser:
    return Browser(server.ports["https"]).log_in(BOSS, PASSWORD)


@pytest.fixture(scope="module")
def operator(server: Server) -> Browser:
    return Browser(server.ports["https"]).log_in("alice", PASSWORD)


@pytest.fixture(scope="module")
def message(server: Server) -> str:
    """The id of what Bert has sent."""
    found: str = server.command("pending list")["messages"][0]["id"]
    return found


HTML = """From: Bert <bert@far.example>
Subject: see the picture
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/html; charset=utf-8

<html><head><meta http-equiv="refresh" content="0;url=https://evil.example/"><style>@import "https://evil.example/s";
body{background:url(https://evil.example/b)}</style></head><body onload=alert(1)>Dear <b>Paul</b>
<img src=https://evil.example/pixel><svg onload=alert(1)><math><mtext><script>alert(1)</script></mtext></math>
<form action=https://evil.example/><input name=password></form><iframe srcdoc="<script>alert(1)</script>"></iframe>
</body></html>
--b
Content-Type: text/html
Content-Disposition: attachment; filename="../../x.html\\";a=b"

<script>alert(2)</script>
--b--
"""
MARKS = (
    "<b>paul",
    "<meta http-equiv",
    "<img",
    "<svg onload",
    "<script>alert",
    "<iframe",
    "<style",
    "<math",
    'evil.example/"',
)


def test_attack_22_mail_in_html_is_shown_as_text(boss: Browser, message: str) -> None:
    """Before anybody decides on it, a message is only read: nothing of it is markup, and nothing of it is fetched."""
    boss.post("/candidates/tidy")
    for path in (f"/pending/{message}", "/received/unknown@mydomain.zz"):
        page = boss.get(path)
        assert "Dear" in page.text, path
        assert [mark for mark in MARKS if mark in page.text.lower()] == []
        assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_attack_23_what_can_be_kept_comes_as_a_file_that_we_have_named(
    boss: Browser, operator: Browser, message: str
) -> None:
    for path in sorted(FILES - {"/"}):
        browser = operator if path.startswith("/operator") else boss
        answer = browser.get(path.replace("<id>", message).replace("/profile", f"/profile?address={PAUL}"))
        assert answer.headers["X-Content-Type-Options"] == "nosniff", path
        if answer.status == 200 and not path.startswith("/captcha"):
            named = answer.headers["Content-Disposition"]
            assert named.startswith("attachment; filename="), path
            assert not {"/", "\\", "<"} & set(named.partition("=")[2]), path
        assert "html" not in answer.headers["Content-Type"] or answer.status != 200, path


@pytest.mark.parametrize("route", sorted({route.path for route in ROUTES if route.method == "GET"}))
def test_attack_24_no_page_can_be_framed_or_guessed_at(boss: Browser, operator: Browser, route: str) -> None:
    path = route.replace("<address>", PAUL).replace("<", "").replace(">", "")
    for browser in (boss, operator, Browser(boss.port)):
        answer = browser.get(path)
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"


SAME = [("ADMIN", "admin"), ("e\u0301va", "\u00e9va"), ("\u00e9VA", "\u00e9va"), ('"quoted"', "quoted")]
LOOK_ALIKE = ["\u212aelvin", "pau\u200bl", "pa\u00adul", "\u202elouap", "\u212ain", "a\u2066b"]


@pytest.mark.parametrize(("spelled", "plain"), SAME)
def test_attack_31_two_spellings_of_one_address_are_one(
    server: Server, boss: Browser, spelled: str, plain: str
) -> None:
    server.command("mailbox add", address=f"{plain}@mydomain.zz")
    assert boss.post("/mailboxes/add", {"local": spelled}).status == 400
    server.command("mailbox remove", address=f"{plain}@mydomain.zz")


@pytest.mark.parametrize("spelled", LOOK_ALIKE)
def test_attack_31_no_name_holds_what_nobody_sees_or_becomes_anothers(
    server: Server, boss: Browser, spelled: str
) -> None:
    before = server.command("mailbox list", customer="mydomain.zz")
    assert boss.post("/mailboxes/add", {"local": spelled}).status == 400
    assert server.command("mailbox list", customer="mydomain.zz") == before


def said(server: Server, octets: bytes) -> list[bytes]:
    """The status lines of whatever the server answers until it closes."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    plain = socket.create_connection(("127.0.0.1", server.ports["https"]), timeout=20)
    with context.wrap_socket(plain, server_hostname=HOST) as line:
        line.sendall(octets)
        heard = b""
        while piece := line.recv(65536):
            heard += piece
    return [line[9:12] for line in heard.split(b"\r\n") if line.startswith(b"HTTP/1.")]


BAD = {
    "length and chunks": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /eg/where HTTP/1.1\r\n",
    "two lengths": b"Content-Length: 0\r\nContent-Length: 40\r\n\r\nGET /eg/where HTTP/1.1\r\n",
    "a length with a sign": b"Content-Length: +5\r\n\r\nGET /",
    "a length in hex": b"Content-Length: 0x5\r\n\r\nGET /",
    "an unknown encoding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a blank before the colon": b"Content-Length : 0\r\n\r\n",
    "two hosts": b"Host: evil.example\r\n\r\n",
}


@pytest.mark.parametrize("how", BAD)
def test_attack_40_a_request_that_can_be_read_twofold_is_refused_and_ends_the_line(server: Server, how: str) -> None:
    head = f"POST /eg/login HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n".encode()
    rest = f"Host: {HOST}\r\n\r\n".encode() if b"GET" in BAD[how] else b""  # of the request in the body
    codes = said(server, head + BAD[how] + rest)
    assert len(codes) == 1, codes
    assert codes[0] in (b"400", b"501")


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/eg/login", "//evil.example/eg/login", "/eg//evil.example/..", "/eg/login%0d%0aX:y"],
)
def test_attack_40_no_target_of_a_request_leads_elsewhere(server: Server, target: str) -> None:
    answer = Browser(server.ports["https"])
    line = answer._line()
    line.putrequest("GET", target, skip_host=True)
    line.putheader("Host", answer.host)
    line.endheaders()
    response = line.getresponse()
    text = response.read().decode()
    assert "evil.example" not in (response.headers.get("Location") or "")
    assert response.headers.get("X") is None
    assert "evil.example" not in text
    line.close()


def test_attack_44_names_that_differ_by_a_dot_get_different_hosts(server: Server) -> None:
    made = [
        server.command("customer add", domain=domain)["alternate_domain"] for domain in ("a.bc.zz", "ab.c.zz", "abc.zz")
    ]
    assert len(set(made)) == 3
    assert made[0] == "abczz.emailgency.zz"


@pytest.mark.parametrize("domain", ["w.ww", "ww.w", "m.x", "mai.l", "im.ap"])
def test_attack_44_names_of_the_service_itself_are_nobodys(server: Server, domain: str) -> None:
    try:
        made = server.command("customer add", domain=domain)["alternate_domain"]
    except CommandFailed:
        return
    assert made.partition(".")[0] not in {"www", "mx", "mail", "imap"}
