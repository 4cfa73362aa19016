"""What strangers try with the console."""

import http.client

import pytest

from tests.support.browser import Browser
from tests.support.console_people import PASSWORD, PEOPLE, begun, incoming, known
from tests.support.server import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with begun(tmp_path_factory.mktemp("server")) as server:
        yield server


def test_attack_21_letters_of_strangers_never_become_markup(server: Server) -> None:
    browser = known(server, "administrator")
    incoming(server, "watched@mydomain.zz", "<script>alert(1)</script>", '"<img/src=x/onerror=alert(1)>"@x.example')
    server.wait(lambda: browser.post("/candidates/tidy") and "watched@" in browser.get("/candidates").text)
    for path in ("/candidates", "/received/watched@mydomain.zz"):
        page = browser.get(path).text
        assert "watched@" in page
        assert not [mark for mark in ("<script", "<img") if mark in page]


HOSTILE = '"<script>alert(1)</script>"@mydomain.zz'


def test_attack_21_names_of_strangers_never_become_markup(server: Server) -> None:
    browser = known(server, "administrator")
    server.command("banish", address=HOSTILE)
    for path in (
        "/banished",
        "/banished?q=%3Cscript%3E",
        "/mailboxes?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&sort=%3Cscript%3E",
    ):
        page = browser.get(path)
        assert page.status == 200
        assert "<script" not in page.text
    wrong = Browser(server.ports["https"]).post("/login", {"name": '"><script>alert(1)</script>', "password": "x"})
    assert "<script>" not in wrong.text  # ours has a source
    server.command("banished remove", address=HOSTILE)


@pytest.mark.parametrize("path", ["/login", "/", "/overview", "/mailboxes", "/nothing", "/static/theme.css"])
def test_attack_24_every_answer_says_what_a_browser_must_not_do(server: Server, path: str) -> None:
    headers = known(server, "administrator").get(path).headers
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] in ("same-origin", "no-referrer")
    assert (headers["Cache-Control"] or "") == ("" if path.startswith("/static") else "no-store")


def test_attack_39_a_session_begins_at_the_login_and_ends_at_the_logout(server: Server) -> None:
    browser = Browser(server.ports["https"])
    browser.cookies["__Host-emailgency"] = "chosen-by-somebody-else"
    answer = browser.post("/login", {"name": PEOPLE["user"], "password": PASSWORD})
    cookie = answer.headers["Set-Cookie"]
    assert all(word in cookie for word in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"))
    assert "chosen-by" not in cookie
    kept = dict(browser.cookies)
    browser.get("/mailboxes/paul@mydomain.zz")
    browser.post("/logout")
    assert not browser.cookies
    browser.cookies = kept
    assert browser.get("/mailboxes/paul@mydomain.zz").away == "/eg/login"


def test_attack_39_rights_that_are_taken_away_are_gone_in_open_sessions(server: Server) -> None:
    server.command("mailbox add", address="brian@mydomain.zz", administrator=True)
    server.command("password", address="brian@mydomain.zz", password=PASSWORD)
    browser = Browser(server.ports["https"]).log_in("brian@mydomain.zz", PASSWORD)
    assert browser.get("/overview").status == 200
    server.command("mailbox set", address="brian@mydomain.zz", administrator=False)
    assert browser.get("/overview").away == "/eg/login"


@pytest.mark.parametrize("host", ["evil.example", "mydomain.zz", "x.emailgency.zz", "127.0.0.2", "a" * 300])
def test_attack_40_a_host_that_is_not_ours_is_misdirected(server: Server, host: str) -> None:
    answer = Browser(server.ports["https"], host).get("/login")
    assert answer.status == (400 if len(host) == 300 else 421)
    assert host not in answer.text


def test_attack_40_the_host_gives_no_rights(server: Server) -> None:
    browser = known(server, "other administrator")
    assert browser.host.startswith("mydomainzz.")
    assert '<h1 class="mb-3">other.zz</h1>' in browser.get("/overview").text


def test_attack_41_a_body_is_refused_before_it_is_read(server: Server) -> None:
    browser = known(server, "administrator")
    assert browser.post("/banished/add", {"address": "x" * 70_000}).status == 413


def test_in_clear_nothing_is_shown(server: Server) -> None:
    line = http.client.HTTPConnection("127.0.0.1", server.ports["http"], timeout=20)
    line.request("GET", "/eg/login?x=1", headers={"Host": "mydomainzz.emailgency.zz"})
    answer = line.getresponse()
    assert answer.status == 308
    assert answer.headers["Location"] == f"https://mydomainzz.emailgency.zz:{server.ports['https']}/eg/login?x=1"
    line.close()


@pytest.mark.parametrize("path", ["/mailboxes/%ff%fe", "/%ED%A0%80", "/api/v1/mailboxes/%ff", "/..%2f%c0%af"])
def test_attack_36_a_path_that_is_no_text_is_refused_and_leaves_one_line(server: Server, path: str) -> None:
    assert Browser(server.ports["https"]).get(path).status == 400
    assert "PATH_INFO" not in server.log()
