"""Digits to type: when they are asked for, and what programs try instead of typing them (attack row 35)."""

import signal
from hashlib import sha256

import pytest

from emailgency.servers.web.console.console import CHALLENGE, COOKIE
from emailgency.store.redis.reading import reading_url
from tests.support.api import Program
from tests.support.browser import Browser
from tests.support.captcha import ask_link, digits, seen
from tests.support.server import Server

PASSWORD = "Correct-horse1"
NAME = "postmaster@mydomain.zz"
FIELD = 'name="digits"'


@pytest.fixture
def server(tmp_path):
    settings = {
        "credentials": {"memory": 64, "passes": 1},
        "login": {"delay": 0.0},
        "web": {"captcha": {"after": 2, "per_network": 30}},
    }
    with Server(tmp_path, settings).start() as server:
        server.command("customer add", domain="mydomain.zz", relay="none")
        server.command("password", address=NAME, password=PASSWORD)
        yield server


@pytest.fixture
def stranger(server: Server) -> Browser:
    return Browser(server.ports["https"])


def log_in(browser: Browser, typed: str = "", password: str = PASSWORD) -> int:
    return browser.post("/login", {"name": NAME, "password": password, "digits": typed}).status


def in_trouble(browser: Browser) -> None:
    """As many logins have failed as go without digits."""
    assert FIELD not in browser.get("/login").text
    assert [log_in(browser, password=f"wrong {number}") for number in range(2)] == [401, 401]


def test_after_failed_logins_the_digits_of_a_picture_or_a_voice_are_asked_for(
    server: Server, stranger: Browser
) -> None:
    in_trouble(stranger)
    assert FIELD in stranger.get("/login").text
    assert stranger.octets("/captcha/picture") == ("image/png", b"\x89PNG")
    assert stranger.octets("/captcha/sound") == ("audio/wav", b"RIFF")
    assert log_in(stranger, " ".join(seen(server, stranger))) == 303


def test_attack_35_missing_wrong_or_used_digits_are_refused_with_the_right_password(
    server: Server, stranger: Browser
) -> None:
    in_trouble(stranger)
    stranger.get("/login")
    assert log_in(stranger) == 401  # and shows another picture
    kept, right = stranger.cookies[CHALLENGE], seen(server, stranger)
    wrong = str((int(right) + 1) % 10**6).zfill(6)
    assert log_in(stranger, wrong) == 401
    stranger.cookies[CHALLENGE] = kept
    assert log_in(stranger, right) == 401, "an answer to the same picture again"
    right, kept = seen(server, stranger), stranger.cookies[CHALLENGE]
    assert log_in(stranger, right) == 303
    again = Browser(server.ports["https"])
    again.cookies[CHALLENGE] = kept
    assert log_in(again, right) == 401, "a replay"


def test_attack_35_the_answer_of_another_browser_or_for_another_deed_is_refused(
    server: Server, stranger: Browser
) -> None:
    in_trouble(stranger)
    other = Browser(server.ports["https"])
    other.get("/login")
    stranger.get("/login")
    assert log_in(stranger, seen(server, other)) == 401
    stranger.get("/forgotten")
    assert log_in(stranger, seen(server, stranger)) == 401
    stranger.get("/login")
    fields = {"name": NAME, "digits": seen(server, stranger)}
    assert stranger.post("/forgotten", fields).status == 401


def test_attack_35_trouble_follows_the_account_and_pictures_end_for_a_network(
    server: Server, stranger: Browser
) -> None:
    in_trouble(stranger)
    shown = stranger.cookies[CHALLENGE]
    for _ in range(30):
        answer = stranger.get("/login")
    assert "Too many failed logins" in answer.text
    assert FIELD not in answer.text
    pictures = [stranger.octets("/captcha/picture") for _ in range(7)]
    assert pictures == [("image/png", b"\x89PNG")] * 6 + [("", b"")]
    assert digits(server, shown)  # the others are still there until they are too old


def test_new_settings_of_the_web_are_taken_on_by_the_console_and_the_api(server: Server, stranger: Browser) -> None:
    made = server.command("token add", address=NAME, name="x")
    asker = Program(server.ports["https"], made["token"])
    assert stranger.get("/forgotten").status == 200
    assert FIELD not in stranger.get("/login").text
    assert [asker.ask("GET", "/me").status for _ in range(3)] == [200] * 3
    web = {
        "captcha": {"after": 0},
        "api": {"per_second": 0.001, "at_once": 1},
        "password_links": {"total": 1},
        "session": {"idle": 600},
    }
    server.configure({"web": web})
    server.signal(signal.SIGHUP)
    server.wait(lambda: "settings read again" in server.log())
    assert FIELD in stranger.get("/login").text
    assert [asker.ask("GET", "/me").status for _ in range(2)] == [200, 429]
    asked = [ask_link(server, stranger, "nobody@x.example").status for _ in range(2)]
    assert asked == [200, 429]
    stranger.get("/login")
    assert log_in(stranger, seen(server, stranger)) == 303
    with reading_url(f"unix://{server.data}/redis/socket") as redis:
        token = stranger.cookies[COOKIE]
        assert 0 < redis.ask("TTL", f"session:{sha256(token.encode()).hexdigest()}") <= 600
