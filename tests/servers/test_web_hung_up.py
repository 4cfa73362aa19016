"""Who hangs up before he is answered leaves nothing half done, and nothing uncounted."""

import http.client
import ssl
from urllib.parse import urlencode

import pytest

from tests.support.browser import Browser
from tests.support.server import Server

PASSWORD = "Correct-horse1"
BOSS = "postmaster@mydomain.zz"
UNCHECKED = ssl._create_unverified_context()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    settings = {
        "credentials": {"memory": 64, "passes": 1},
        "login": {"delay": 0.5},  # seconds before a wrong password is answered: by then he has hung up
        "web": {"captcha": {"after": 1}},
    }
    with Server(tmp_path_factory.mktemp("server"), settings).start() as server:
        server.command("customer add", domain="mydomain.zz", relay="none")
        server.command("password", address=BOSS, password=PASSWORD)
        yield server


def hang_up(server: Server, body: str) -> None:
    """Behind a login."""
    line = http.client.HTTPSConnection("127.0.0.1", server.ports["https"], context=UNCHECKED, timeout=20)
    host = f"mydomainzz.emailgency.zz:{line.port}"
    line.request("POST", "/eg/login", body, {"Host": host, "Content-Type": "application/x-www-form-urlencoded"})
    line.close()


def test_attack_35_a_wrong_password_counts_also_when_nobody_waits_for_the_answer(server: Server) -> None:
    browser = Browser(server.ports["https"])
    assert 'name="digits"' not in browser.get("/login").text
    body = urlencode({"name": BOSS, "password": "wrong"})

    def counted() -> bool:
        hang_up(server, body)  # again and again: it may be gone before the server has read it
        return 'name="digits"' in browser.get("/login").text

    server.wait(counted)
