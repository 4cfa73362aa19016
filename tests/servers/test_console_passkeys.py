"""Passkeys at the console, signed by an authenticator of software: made, used, removed, and what else is tried."""

import re
from collections.abc import Iterator

import pytest

from emailgency.flows.accounts.passkeys import MOST
from emailgency.servers.web.console.console import COOKIE, PASSKEY
from emailgency.store.redis.reading import reading_url
from tests.support.authenticator import PRESENT, Authenticator
from tests.support.browser import Answer, Browser
from tests.support.console_people import PASSWORD, PEOPLE, begun, known
from tests.support.server import Server

ADDING, LOGIN = "/security/passkeys", "/login/passkey"


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    with begun(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def stranger(server: Server) -> Browser:
    return Browser(server.ports["https"])


@pytest.fixture
def person(server: Server) -> Iterator[Browser]:
    """A user without passkeys, who has just logged in."""
    number = len(server.command("mailbox list", customer="mydomain.zz"))
    address = f"guest{number}@mydomain.zz"
    server.command("mailbox add", address=address)
    server.command("password", address=address, password=PASSWORD)
    browser = Browser(server.ports["https"]).log_in(address, PASSWORD)
    browser.address = address
    return browser


def origin(browser: Browser) -> str:
    return f"https://{browser.host}"


def add(browser: Browser, device: Authenticator, name: str = "phone", **lies: object) -> Answer:
    options = browser.post(f"{ADDING}/options").text
    answer = device.made(options, lies.pop("origin", origin(browser)), **lies)
    added = browser.post(ADDING, {"name": name, "answer": answer})
    browser.get("/security")  # for the token of the session that began with it
    return added


def log_in(browser: Browser, device: Authenticator, **lies: object) -> Answer:
    options = browser.post(f"{LOGIN}/options").text
    return browser.post(LOGIN, {"answer": device.proof(options, lies.pop("origin", origin(browser)), **lies)})


def added(person: Browser, step: int = 0) -> Authenticator:
    device = Authenticator(step=step)
    assert add(person, device).away == "/eg/security"
    return device


def listed(server: Server, address: str) -> str:
    return known(server, "administrator").get(f"/mailboxes/{address}/passkeys").text


# ---- what they are for -----------------------------------------------------------------------------------------


def test_a_passkey_logs_in_without_address_password_or_code(server: Server, person, stranger: Browser) -> None:
    device = added(person, step=1)
    assert "Log in with a passkey" in stranger.get("/login").text
    for _ in range(2):
        answer = log_in(stranger, device)
        assert answer.away == "/eg/"
        assert "HttpOnly" in answer.headers["Set-Cookie"]
        assert stranger.get("/").away == f"/eg/mailboxes/{person.address}"
        stranger = Browser(server.ports["https"])
    page = listed(server, person.address)
    assert ("phone" in page, "mydomainzz.emailgency.zz" in page, "127.0.0.1" in page) == (True, True, True)
    audit = known(server, "administrator").get("/audit").text
    assert re.search(rf"passkey \w+ \(phone\) of {person.address} added", audit)
    assert re.search(rf"passkey \w+ \(phone\) of {person.address} used", audit)
    assert device.handle.decode() not in (person.address, "")
    assert person.address.split("@")[0].encode() not in device.handle


def test_an_operator_and_an_administrator_have_passkeys_too(server: Server) -> None:
    for who, there in (("operator", "/eg/operator"), ("administrator", "/eg/overview")):
        device, browser = added(known(server, who)), Browser(server.ports["https"])
        assert log_in(browser, device).status == 303
        assert browser.get("/").away == there


def test_a_passkey_that_is_removed_opens_nothing_and_what_it_opened_is_closed(
    server: Server, person, stranger: Browser
) -> None:
    device, another = added(person), added(person)
    log_in(stranger, device)
    administrator = known(server, "administrator")
    there = f"/mailboxes/{person.address}/passkeys"
    ids = re.findall(r'name="passkey" value="(\w+)"', administrator.get(there).text)
    assert len(ids) == 2
    for id in ids:
        assert administrator.post(f"{there}/remove", {"passkey": id}).away == f"/eg{there}"
    assert stranger.get(f"/mailboxes/{person.address}").away == "/eg/login"
    assert person.get(f"/mailboxes/{person.address}").away == "/eg/login"
    for gone in (device, another):
        assert log_in(Browser(server.ports["https"]), gone).status == 401


def test_who_removes_his_own_stays_logged_in_there_and_nowhere_else(server: Server, person, stranger: Browser) -> None:
    log_in(stranger, added(person))
    [id] = re.findall(r'name="passkey" value="(\w+)"', listed(server, person.address))
    assert id in person.get("/security").text
    assert person.post(f"{ADDING}/remove", {"passkey": id}).away == "/eg/security"
    assert "opens nothing any more" in person.get("/security").text
    assert person.get(f"/mailboxes/{person.address}").status == 200
    assert stranger.get(f"/mailboxes/{person.address}").away == "/eg/login"


def test_passkeys_of_one_account_are_few_have_names_and_are_there_once(person) -> None:
    device = added(person)
    assert add(person, device).status == 400
    assert add(person, Authenticator(), name=" ").status == 400
    for number in range(MOST - 1):
        assert add(person, Authenticator(), name=f"number {number}").status == 303
    assert "at most 10 passkeys" in person.post(f"{ADDING}/options").text
    assert "at most 10 passkeys" in person.get("/security").text


def test_a_login_of_long_ago_adds_no_passkey(server: Server, person) -> None:
    assert "Add a passkey" in person.get("/security").text
    age(server, person, 901)
    assert "Add a passkey" not in person.get("/security").text
    assert "more than 15 minutes old" in person.post(f"{ADDING}/options").text


def test_attack_39_a_login_is_no_younger_when_a_passkey_was_removed(server: Server, person) -> None:
    """Else whoever finds a window open removes one, and adds his own."""
    added(person)
    [id] = re.findall(r'name="passkey" value="(\w+)"', listed(server, person.address))
    age(server, person, 901)
    assert person.post(f"{ADDING}/remove", {"passkey": id}).away == "/eg/security"
    person.get("/security")
    assert "more than 15 minutes old" in person.post(f"{ADDING}/options").text


def test_attack_39_a_login_of_long_ago_makes_no_token_and_no_app_password(server: Server, person) -> None:
    """They outlive the session, so whoever finds a window open, or has stolen a cookie, would have them for good."""
    mine, given = f"/mailboxes/{person.address}", {"name": "program", "days": "30"}
    for kind in ("tokens", "app-passwords"):
        assert person.post(f"{mine}/{kind}", given).status == 200
    age(server, person, 901)
    for kind in ("tokens", "app-passwords"):
        answer = person.post(f"{mine}/{kind}", given)
        assert (answer.status, "more than 15 minutes old" in answer.text) == (400, True)
    new = {"old": PASSWORD, "new": f"{PASSWORD}2", "again": f"{PASSWORD}2"}
    assert person.post(f"{mine}/password", new).status == 303  # who has proven anew who he is
    person.get(mine)
    assert person.post(f"{mine}/tokens", given).status == 200


def age(server: Server, browser: Browser, seconds: float) -> None:
    """As if its session had begun earlier."""
    from hashlib import sha256

    import msgspec

    key = f"session:{sha256(browser.cookies[COOKIE].encode()).hexdigest()}"
    with reading_url(f"unix://{server.data}/redis/socket") as redis:
        session = msgspec.json.decode(redis.ask("GET", key))
        session["begun_at"] -= seconds
        redis.ask("SET", key, msgspec.json.encode(session).decode(), "EX", "600")


def test_an_address_of_numbers_has_no_passkeys(server: Server) -> None:
    browser = Browser(server.ports["https"], "127.0.0.1").log_in(PEOPLE["user"], PASSWORD)
    assert "open the console by its name" in browser.post(f"{ADDING}/options").text


# ---- what else is tried ----------------------------------------------------------------------------------------


def test_attack_19_an_answer_counts_once_in_the_browser_that_was_asked(
    server: Server, person, stranger: Browser
) -> None:
    device = added(person)
    options = stranger.post(f"{LOGIN}/options").text
    answer, asked = device.proof(options, origin(stranger)), stranger.cookies[PASSKEY]
    other = Browser(server.ports["https"])
    other.post(f"{LOGIN}/options")
    assert other.post(LOGIN, {"answer": answer}).status == 401, "another browser"
    assert stranger.post(LOGIN, {"answer": answer}).status == 303
    again = Browser(server.ports["https"])
    again.cookies[PASSKEY] = asked
    assert again.post(LOGIN, {"answer": answer}).status == 401, "a replay"
    assert Browser(server.ports["https"]).post(LOGIN, {"answer": answer}).status == 401, "without a cookie"


def test_attack_19_a_wrong_answer_uses_the_question_up(person, stranger: Browser) -> None:
    device = added(person)
    answer = device.proof(stranger.post(f"{LOGIN}/options").text, origin(stranger))
    assert stranger.post(LOGIN, {"answer": "{}"}).status == 401
    assert stranger.post(LOGIN, {"answer": answer}).status == 401


def test_attack_19_a_question_is_forgotten_after_five_minutes(server: Server, person, stranger: Browser) -> None:
    from hashlib import sha256

    device = added(person)
    answer = device.proof(stranger.post(f"{LOGIN}/options").text, origin(stranger))
    with reading_url(f"unix://{server.data}/redis/socket") as redis:
        key = f"passkey:{sha256(stranger.cookies[PASSKEY].encode()).hexdigest()}"
        assert 290 < redis.ask("TTL", key) <= 300
        redis.ask("DEL", key)
    assert stranger.post(LOGIN, {"answer": answer}).status == 401


@pytest.mark.parametrize(
    "lies",
    [
        {"origin": "https://evil.example"},
        {"origin": "https://otherzz.emailgency.zz"},
        {"host": "emailgency.zz"},
        {"host": "otherzz.emailgency.zz"},
        {"cross": True},
    ],
)
def test_attack_40_a_passkey_answers_no_page_but_that_of_its_host(person, stranger: Browser, lies: dict) -> None:
    assert add(person, Authenticator(), **lies).status == 400
    assert log_in(stranger, added(person), **lies).status == 401


def test_attack_40_what_was_made_at_one_customers_host_opens_nothing_at_anothers(server: Server, person) -> None:
    device, elsewhere = added(person), Browser(server.ports["https"], "otherzz.emailgency.zz")
    answer = log_in(elsewhere, device)  # with that host under its signature, as no honest one would
    assert answer.status == 401
    assert log_in(Browser(server.ports["https"]), device).status == 303


def test_attack_40_a_question_asked_at_one_host_is_answered_at_no_other(server: Server, person) -> None:
    device, browser = added(person), Browser(server.ports["https"], "otherzz.emailgency.zz")
    options = browser.post(f"{LOGIN}/options").text
    browser.host = person.host
    answer = device.proof(options, origin(person), host=person.host.split(":")[0])
    assert browser.post(LOGIN, {"answer": answer}).status == 401


def test_a_passkey_opens_no_account_but_its_own(server: Server, person, stranger: Browser) -> None:
    device = added(person)
    operator, other = Authenticator(), Authenticator()
    add(known(server, "operator"), operator)
    add(known(server, "other user"), other)
    for stolen in (other.handle, operator.handle, b"", b"nobody", b"\xff" * 64, b"operator:"):
        assert log_in(stranger, device, handle=stolen).status == 401
    other.credential = device.credential
    assert log_in(stranger, other).status == 401
    assert log_in(stranger, other, handle=device.handle).status == 401
    assert log_in(stranger, device).status == 303


def test_a_user_whom_his_device_has_not_recognised_is_refused(person, stranger: Browser) -> None:
    device = added(person)
    device.flags = PRESENT
    assert log_in(stranger, device).status == 401
    assert add(person, device).status == 400


def test_a_counter_that_goes_back_tells_of_a_copy_and_is_refused(server: Server, person, stranger: Browser) -> None:
    device = added(person, step=5)
    assert log_in(stranger, device).status == 303
    for copied in (0, 4, -5):  # the same again, one less than before, none any more
        device.step, device.counter = 0, 5 if copied == 0 else max(0, copied)
        assert log_in(Browser(server.ports["https"]), device).status == 401
    device.counter = 6
    assert log_in(Browser(server.ports["https"]), device).status == 303
    assert "counter of" in server.log()


def test_what_a_session_was_asked_is_for_its_own_account(server: Server, person) -> None:
    device, thief = Authenticator(), known(server, "user")
    options = person.post(f"{ADDING}/options").text
    assert thief.post(ADDING, {"name": "x", "answer": device.made(options, origin(person))}).status == 400
    assert person.post(ADDING, {"name": "x", "answer": device.made(options, origin(person))}).status == 303


def test_nobody_sees_or_removes_the_passkeys_of_others(server: Server, person) -> None:
    added(person)
    [id] = re.findall(r'name="passkey" value="(\w+)"', listed(server, person.address))
    for who in ("user", "other administrator", "operator"):
        browser = known(server, who)
        assert "phone" not in browser.get(f"/mailboxes/{person.address}/passkeys").text
        assert browser.post(f"/mailboxes/{person.address}/passkeys/remove", {"passkey": id}).status == 400
        assert browser.post(f"{ADDING}/remove", {"passkey": id}).status == 400
    assert id in listed(server, person.address)


def test_attack_39_an_administrators_passkeys_are_removed_by_himself_or_an_operator(server: Server, person) -> None:
    server.command("mailbox set", address=person.address, administrator=True)
    person.log_in(person.address, PASSWORD)
    added(person)
    there = f"/mailboxes/{person.address}/passkeys"
    boss, alice = known(server, "administrator"), known(server, "operator")
    page = boss.get(there).text
    assert ("removed by whoever runs this service" in page, f"{there}/remove" in page) == (True, False)
    [id] = re.findall(r'name="passkey" value="(\w+)"', person.get("/security").text)
    assert boss.post(f"{there}/remove", {"passkey": id}).status == 400
    alice.get("/operator")
    alice.post(f"/operator/customers/{server.command('customer show', customer='mydomain.zz')['id']}/enter")
    assert id in alice.get(there).text
    assert alice.post(f"{there}/remove", {"passkey": id}).status == 303
    assert "There is no passkey" in boss.get(there).text


def test_a_suspended_customers_passkeys_open_nothing(server: Server) -> None:
    server.command("customer add", domain="third.zz")
    server.command("password", address="postmaster@third.zz", password=PASSWORD)
    browser = Browser(server.ports["https"], "thirdzz.emailgency.zz").log_in("postmaster@third.zz", PASSWORD)
    device = added(browser)
    server.command("customer set", customer="third.zz", suspended=True)
    assert log_in(Browser(server.ports["https"], "thirdzz.emailgency.zz"), device).status == 401
