"""Two-factor login in the browser, and what it means for mail programs (attack row 39)."""

import imaplib
import re
import smtplib
import threading
from itertools import count

import pytest

from tests.support.authenticator import Authenticator
from tests.support.browser import Answer
from tests.support.second_factor import (
    PASSWORD,
    UNCHECKED,
    app_password,
    half,
    is_cut,
    opens,
    stranger,
    switch_on,
)
from tests.support.server import Server

ADMINISTRATOR = "postmaster@mydomain.zz"
_NUMBERS = count()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    settings = {
        "credentials": {"memory": 64, "passes": 1},
        "login": {"delay": 0.0},
        "web": {"connections": {"per_network": 200}, "captcha": {"after": 1000}},
    }
    with Server(tmp_path_factory.mktemp("server"), settings).start() as server:
        for domain in ("mydomain.zz", "other.zz"):
            server.command("customer add", domain=domain)
            server.command("password", address=f"postmaster@{domain}", password=PASSWORD)
        yield server


@pytest.fixture
def paul(server: Server) -> str:
    """A mailbox of the test's own."""
    address = f"paul{next(_NUMBERS)}@mydomain.zz"
    server.command("mailbox add", address=address)
    server.command("password", address=address, password=PASSWORD)
    return address


@pytest.fixture
def alice(server: Server) -> str:
    """An operator of the test's own."""
    name = f"alice{next(_NUMBERS)}"
    server.command("operator add", name=name)
    server.command("operator password", name=name, password=PASSWORD)
    return name


NONE = dict.fromkeys(("pop3", "imap", "smtp"), False)
ALL = dict.fromkeys(NONE, True)


# ---- the walk --------------------------------------------------------------------------------------------------


def test_a_user_switches_it_on_logs_in_with_it_and_switches_it_off(server: Server, paul: str) -> None:
    browser, other = stranger(server).log_in(paul, PASSWORD), stranger(server).log_in(paul, PASSWORD)
    before = browser.cookies["__Host-emailgency"]
    assert browser.post("/security/phone/new", {"password": "wrong"}).status == 400
    phone, codes = switch_on(browser)
    assert browser.cookies["__Host-emailgency"] != before
    assert browser.get("/security").status == 200
    assert other.get("/security").away == "/eg/login"  # all other sessions have ended
    again = half(server, paul)
    assert again.post("/login/code", {"code": "123"}).status == 401
    assert again.post("/login/code", {"code": phone.code()}).away == "/eg/"
    assert again.get("/").away == f"/eg/mailboxes/{paul}"
    assert "__Host-emailgency-half" not in again.cookies
    again.get("/security")
    new = re.findall(r"<li><code[^>]*>([a-z2-9-]{19})</code>", again.post("/security/codes", {"code": codes[0]}).text)
    assert len(new) == 10
    assert again.post("/security/off", {"password": "wrong", "code": new[0]}).status == 400
    assert again.post("/security/off", {"password": PASSWORD, "code": codes[1]}).status == 400
    assert again.post("/security/off", {"password": PASSWORD, "code": new[0]}).away == "/eg/security"
    assert stranger(server).post("/login", {"name": paul, "password": PASSWORD}).away == "/eg/"


def test_attack_39_the_whole_of_it_is_in_the_journal_and_no_secret_is_shown(server: Server, paul: str) -> None:
    browser = stranger(server).log_in(paul, PASSWORD)
    phone, codes = switch_on(browser)
    assert half(server, paul).post("/login/code", {"code": codes[0]}).status == 303
    secret = app_password(browser, paul)
    page = stranger(server).log_in(ADMINISTRATOR, PASSWORD).get("/audit").text
    for words in ("switched on", "recovery code of", "9 left", "app password"):
        assert words in page
    for hidden in (phone.secret.hex(), codes[0], secret, "recovery&#34;", '"secret"', "hash"):
        assert hidden not in page


def test_whoever_used_a_recovery_code_hears_how_many_are_left(server: Server, paul: str) -> None:
    _, codes = switch_on(stranger(server).log_in(paul, PASSWORD))
    browser = half(server, paul)
    browser.post("/login/code", {"code": codes[0].upper()})
    assert "Recovery codes that are left: 9" in browser.get(f"/mailboxes/{paul}").text


# ---- going around it -------------------------------------------------------------------------------------------


def test_attack_39_half_a_login_opens_nothing(server: Server, paul: str) -> None:
    switch_on(stranger(server).log_in(paul, PASSWORD))
    browser = half(server, paul)
    for path in ("/", "/security", f"/mailboxes/{paul}", f"/mailboxes/{paul}/app-passwords"):
        assert browser.get(path).away == "/eg/login"
    browser.cookies["__Host-emailgency"] = browser.cookies["__Host-emailgency-half"]
    assert browser.get("/security").away == "/eg/login"


def test_attack_39_a_preset_cookie_is_not_accepted(server: Server, paul: str) -> None:
    phone, _ = switch_on(stranger(server).log_in(paul, PASSWORD))
    browser = stranger(server)
    browser.cookies |= {"__Host-emailgency": "chosen", "__Host-emailgency-half": "chosen"}
    code = phone.code()
    assert browser.post("/login/code", {"code": code}).status == 400
    answer = browser.post("/login", {"name": paul, "password": PASSWORD})
    cookie = answer.headers["Set-Cookie"]
    assert all(word in cookie for word in ("Secure", "HttpOnly", "SameSite=Strict", "Path=/"))
    assert "chosen" not in cookie
    assert browser.post("/login/code", {"code": code}).status == 303
    assert browser.cookies["__Host-emailgency"] != "chosen"


def test_attack_39_the_sixth_try_is_refused_though_it_is_right(server: Server, paul: str) -> None:
    phone, codes = switch_on(stranger(server).log_in(paul, PASSWORD))
    browser = half(server, paul)
    kept = dict(browser.cookies)
    tried = [browser.post("/login/code", {"code": f"{number:06}"}) for number in range(5)]
    assert [answer.status for answer in tried] == [401, 401, 401, 401, 400]
    assert ("3 tries are left" in tried[1].text, "within five tries" in tried[4].text) == (True, True)
    browser.cookies = kept
    for code in (phone.code(), codes[0]):
        answer = browser.post("/login/code", {"code": code})
        assert (answer.status, "has ended" in answer.text) == (400, True)
    assert half(server, paul).post("/login/code", {"code": codes[0]}).status == 303  # it was not used up


def test_attack_39_a_code_twice_is_refused_in_another_login_too(server: Server, paul: str) -> None:
    phone, codes = switch_on(stranger(server).log_in(paul, PASSWORD))
    for code in (phone.code(), codes[4]):
        first, second = half(server, paul), half(server, paul)
        assert first.post("/login/code", {"code": code}).status == 303
        assert second.post("/login/code", {"code": code}).status == 401


def test_attack_39_tries_at_once_are_five_together(server: Server, paul: str) -> None:
    switch_on(stranger(server).log_in(paul, PASSWORD))
    browser = half(server, paul)
    answers: list[Answer] = []

    def guess(number: int) -> None:
        one = stranger(server)
        one.cookies = dict(browser.cookies)
        answers.append(one.post("/login/code", {"code": f"{number:06}"}))

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    looked_at = [answer for answer in answers if "has ended" not in answer.text or "five tries" in answer.text]
    assert len(answers) == 16
    assert len(looked_at) <= 5
    assert all(answer.status in (400, 401) for answer in answers)


def test_attack_39_another_password_ends_half_a_login_and_the_second_factor_stays(server: Server, paul: str) -> None:
    phone, _ = switch_on(stranger(server).log_in(paul, PASSWORD))
    browser = half(server, paul)
    server.command("password", address=paul, password=PASSWORD)
    code = phone.code()
    assert browser.post("/login/code", {"code": code}).status == 400
    assert half(server, paul).post("/login/code", {"code": code}).status == 303


# ---- mail programs ---------------------------------------------------------------------------------------------


def test_attack_39_the_password_opens_no_mail_program_and_an_app_password_does(server: Server, paul: str) -> None:
    assert opens(server, paul, PASSWORD) == ALL
    browser = stranger(server).log_in(paul, PASSWORD)
    before = app_password(browser, paul, "made before")
    assert (opens(server, paul, before), opens(server, paul, PASSWORD)) == (ALL, ALL)
    switch_on(browser)
    after = app_password(browser, paul, "made after")
    assert (opens(server, paul, PASSWORD), opens(server, paul, before), opens(server, paul, after)) == (NONE, ALL, ALL)
    assert stranger(server).post("/login", {"name": paul, "password": after}).status == 401
    page = browser.get(f"/mailboxes/{paul}/app-passwords").text
    assert ("made before" in page, "127.0.0.1" in page, after in page) == (True, True, False)


def test_attack_39_what_an_app_password_has_opened_is_cut_when_it_goes(server: Server, paul: str) -> None:
    browser = stranger(server).log_in(paul, PASSWORD)
    secret, other = app_password(browser, paul, "lost phone"), app_password(browser, paul, "desk")
    clients = []
    for one in (secret, other):
        client = imaplib.IMAP4_SSL("127.0.0.1", server.ports["imaps"], timeout=20, ssl_context=UNCHECKED)
        client.login(paul, one)
        clients.append(client)
    submission = smtplib.SMTP_SSL("127.0.0.1", server.ports["submissions"], timeout=20, context=UNCHECKED)
    submission.login(paul, secret)
    page = browser.get(f"/mailboxes/{paul}/app-passwords").text
    ids = dict(zip(("desk", "lost phone"), re.findall(r'name="id" value="([0-9a-f]+)"', page), strict=True))
    assert browser.post(f"/mailboxes/{paul}/app-passwords/remove", {"id": ids["lost phone"]}).status == 303
    assert "desk" in browser.get(f"/mailboxes/{paul}/app-passwords").text
    assert is_cut(clients[0])
    assert clients[1].noop()[0] == "OK"
    assert submission.mail(paul)[0] == 421
    submission.close()
    clients[1].logout()
    assert opens(server, paul, secret) == NONE


def test_attack_39_switching_it_on_cuts_what_the_password_has_opened(server: Server, paul: str) -> None:
    client = imaplib.IMAP4_SSL("127.0.0.1", server.ports["imaps"], timeout=20, ssl_context=UNCHECKED)
    client.login(paul, PASSWORD)
    switch_on(stranger(server).log_in(paul, PASSWORD))
    assert is_cut(client)


# ---- who helps, who must ---------------------------------------------------------------------------------------


def test_an_administrator_removes_that_of_a_user_and_an_operator_that_of_an_administrator(
    server: Server, paul: str, alice: str
) -> None:
    switch_on(stranger(server).log_in(paul, PASSWORD))
    there = f"/mailboxes/{paul}/second-factor/remove"
    for who in ("postmaster@other.zz", paul):
        browser = stranger(server)
        answer = browser.post("/login", {"name": who, "password": PASSWORD})
        browser.get("/security")
        assert browser.post(there, {"sure": "yes"}).status in (303, 400, 403)
        assert answer.status == 303
    half(server, paul)  # still on
    boss = stranger(server).log_in(ADMINISTRATOR, PASSWORD)
    assert "lost his phone" in boss.get(f"/mailboxes/{paul}").text
    assert "Are you sure?" in boss.post(there).text
    half(server, paul)
    assert boss.post(there, {"sure": "yes"}).away == f"/eg/mailboxes/{paul}"
    assert stranger(server).post("/login", {"name": paul, "password": PASSWORD}).away == "/eg/"
    server.command("mailbox set", address=paul, administrator=True)
    switch_on(stranger(server).log_in(paul, PASSWORD))
    assert "whoever runs this service" in boss.get(f"/mailboxes/{paul}").text
    assert boss.post(there, {"sure": "yes"}).status == 400
    operator = stranger(server).log_in(alice, PASSWORD)
    operator.get("/operator")
    customer = server.command("customer show", customer="mydomain.zz")["id"]
    assert operator.post(f"/operator/customers/{customer}/enter").status == 303
    operator.get(f"/mailboxes/{paul}")
    assert operator.post(there, {"sure": "yes"}).status == 303
    assert stranger(server).post("/login", {"name": paul, "password": PASSWORD}).away == "/eg/"


def test_an_operator_has_a_page_for_his_password_and_his_second_factor(server: Server, alice: str) -> None:
    browser, other = stranger(server).log_in(alice, PASSWORD), stranger(server).log_in(alice, PASSWORD)
    browser.get("/security")
    new = "Another-pass2"
    fields = {"new": new, "again": new}
    assert browser.post("/security/password", {"old": "wrong", **fields}).status == 400
    assert browser.post("/security/password", {"old": PASSWORD, **fields}).away == "/eg/security"
    assert "You have a new password" in browser.get("/security").text
    assert other.get("/security").away == "/eg/login"
    server.command("operator password", name=alice, password=PASSWORD)
    phone, _ = switch_on(stranger(server).log_in(alice, PASSWORD))
    again = half(server, alice)
    assert again.post("/login/code", {"code": phone.code()}).status == 303
    assert again.get("/").away == "/eg/operator"


def test_whoever_is_locked_out_for_good_is_let_in_by_the_command_line(server: Server, paul: str, alice: str) -> None:
    for name in (paul, alice):
        switch_on(stranger(server).log_in(name, PASSWORD))
        assert server.command("second-factor show", who=name)["on"]
        assert not server.command("second-factor remove", who=name)["on"]
        assert stranger(server).post("/login", {"name": name, "password": PASSWORD}).away == "/eg/"


def test_a_customer_requires_it_of_his_administrators_in_open_sessions_too(server: Server) -> None:
    host, boss = "otherzz.emailgency.zz", "postmaster@other.zz"
    browser = stranger(server, host).log_in(boss, PASSWORD)
    assert browser.get("/overview").status == 200
    browser.post("/domain/security", {"second_factor_required": "yes"})
    for path in ("/overview", "/mailboxes", f"/mailboxes/{boss}", f"/mailboxes/{boss}/tokens"):
        assert browser.get(path).away == "/eg/security"
    assert browser.post("/mailboxes/add", {"local": "x"}).away == "/eg/security"
    fresh = stranger(server, host)
    assert fresh.post("/login", {"name": boss, "password": PASSWORD}).away == "/eg/"
    assert fresh.get("/").away == "/eg/security"
    assert "need a second factor" in fresh.get("/security").text
    phone, codes = switch_on(fresh)
    assert fresh.get("/overview").status == 200
    fresh.get("/security")
    off = fresh.post("/security/off", {"password": PASSWORD, "code": codes[0]})
    assert (off.status, "need a second factor" in off.text) == (400, True)
    server.command("mailbox add", address="user@other.zz")
    server.command("password", address="user@other.zz", password=PASSWORD)
    assert stranger(server, host).log_in("user@other.zz", PASSWORD).get("/mailboxes/user@other.zz").status == 200
    server.command("customer set", customer="other.zz", second_factor_required=False)
    assert fresh.post("/security/off", {"password": PASSWORD, "code": phone.code()}).status == 303


def test_attack_39_where_it_is_required_the_password_alone_makes_none_beside_a_passkey(server: Server) -> None:
    domain, boss = "third.zz", "postmaster@third.zz"
    server.command("customer add", domain=domain)
    server.command("password", address=boss, password=PASSWORD)
    browser = stranger(server, "thirdzz.emailgency.zz").log_in(boss, PASSWORD)
    device = Authenticator()
    origin = f"https://{browser.host}"
    made = device.made(browser.post("/security/passkeys/options").text, origin)
    assert browser.post("/security/passkeys", {"name": "phone", "answer": made}).away == "/eg/security"
    server.command("customer set", customer=domain, second_factor_required=True)
    assert browser.get("/overview").status == 200  # his device has recognised him
    thief = stranger(server, "thirdzz.emailgency.zz").log_in(boss, PASSWORD)
    assert thief.get("/overview").away == "/eg/security"
    thief.get("/security")
    for path, fields in (("/security/phone/new", {"password": PASSWORD}), ("/security/passkeys/options", {})):
        answer = thief.post(path, fields)
        assert (answer.status, "log in with it" in answer.text) == (400, True)
    owner = stranger(server, "thirdzz.emailgency.zz")
    proof = device.proof(owner.post("/login/passkey/options").text, origin)
    assert owner.post("/login/passkey", {"answer": proof}).away == "/eg/"
    assert owner.get("/overview").status == 200
    assert server.command("second-factor remove", who=boss)["passkeys"] == 0
    assert owner.get("/overview").away == "/eg/login"


def test_the_server_requires_it_of_operators_and_of_all_administrators(tmp_path_factory) -> None:
    settings = {"credentials": {"memory": 64, "passes": 1}, "login": {"require_second_factor": True}}
    with Server(tmp_path_factory.mktemp("strict"), settings).start() as strict:
        strict.command("customer add", domain="mydomain.zz")
        strict.command("operator add", name="alice")
        strict.command("mailbox add", address="paul@mydomain.zz")
        for name in (ADMINISTRATOR, "paul@mydomain.zz"):
            strict.command("password", address=name, password=PASSWORD)
        strict.command("operator password", name="alice", password=PASSWORD)
        for name, home in ((ADMINISTRATOR, "/overview"), ("alice", "/operator")):
            browser = stranger(strict).log_in(name, PASSWORD)
            assert browser.get(home).away == "/eg/security"
            switch_on(browser)
            assert browser.get(home).status == 200
        user = stranger(strict).log_in("paul@mydomain.zz", PASSWORD)
        assert user.get("/mailboxes/paul@mydomain.zz").status == 200


def test_attack_39_an_operator_has_another_session_when_he_looks_after_a_customer(server: Server, alice: str) -> None:
    browser = stranger(server).log_in(alice, PASSWORD)
    browser.get("/operator")
    before, kept = dict(browser.cookies), browser.csrf
    customer = server.command("customer show", customer="mydomain.zz")["id"]
    assert browser.post(f"/operator/customers/{customer}/enter").away == "/eg/overview"
    assert browser.get("/overview").status == 200
    assert browser.csrf != kept
    within = dict(browser.cookies)
    assert browser.post("/operator/leave").away == "/eg/operator"
    for ended in (before, within):
        thief = stranger(server)
        thief.cookies = ended
        assert thief.get("/operator").away == "/eg/login"
