"""The console: who gets where, what is done, and what strangers try."""

import importlib
import inspect
import itertools
import os
import pkgutil
import re
import smtplib
from collections.abc import Iterator
from typing import Any

import pytest

import emailgency
from emailgency.servers.web import console
from emailgency.servers.web.console import assets
from emailgency.servers.web.console.routes import Route, Who
from tests.support.browser import Answer, Browser
from tests.support.server import Server


def panels() -> Iterator[Any]:
    """Whatever has routes in the package, made of nothing: a panel that is not asked here would be asked by nobody."""
    for module in pkgutil.iter_modules(console.__path__, f"{console.__name__}."):
        for made in vars(importlib.import_module(module.name)).values():
            if inspect.isfunction(getattr(made, "routes", None)) and made.__module__ == module.name:
                yield made(*[None] * len(inspect.signature(made).parameters))


ROUTES = [route for panel in panels() for route in panel.routes()]
PASSWORD = "Correct-horse1"
PEOPLE = {
    "user": "paul@mydomain.zz",
    "other user": "ringo@mydomain.zz",
    "administrator": "postmaster@mydomain.zz",
    "other administrator": "postmaster@other.zz",
    "operator": "alice",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    settings = {
        "credentials": {"memory": 64, "passes": 1},
        "web": {"connections": {"per_network": 200}, "captcha": {"after": 1000}},
    }
    with Server(tmp_path_factory.mktemp("server"), settings).start() as server:
        for domain in ("mydomain.zz", "other.zz"):
            server.command("customer add", domain=domain)
        for name in ("paul", "ringo"):
            server.command("mailbox add", address=f"{name}@mydomain.zz")
        for name in PEOPLE.values():
            if "@" in name:
                server.command("password", address=name, password=PASSWORD)
        server.command("operator add", name=PEOPLE["operator"])
        server.command("operator password", name=PEOPLE["operator"], password=PASSWORD)
        yield server


@pytest.fixture
def stranger(server: Server) -> Browser:
    return Browser(server.ports["https"])


def known(server: Server, who: str) -> Browser:
    return Browser(server.ports["https"]).log_in(PEOPLE[who], PASSWORD)


# ---- deeds -----------------------------------------------------------------------------------------------------


def test_the_right_password_opens_the_overview(server: Server, stranger: Browser) -> None:
    assert "Mail of mydomain.zz" in stranger.get("/login").text
    assert stranger.post("/login", {"name": PEOPLE["administrator"], "password": "wrong"}).status == 401
    stranger.log_in(PEOPLE["administrator"], PASSWORD)
    assert stranger.get("/").away == "/eg/overview"
    page = stranger.get("/overview")
    assert page.status == 200
    assert "mydomainzz.emailgency.zz" in page.text
    assert known(server, "user").get("/").away == "/eg/mailboxes/paul@mydomain.zz"


def test_mailboxes_are_added_changed_and_removed_with_a_result_for_each(server: Server) -> None:
    browser = known(server, "administrator")
    assert browser.post("/mailboxes/add", {"local": "John"}).away == "/eg/mailboxes/john@mydomain.zz"
    assert "Done" in browser.get("/mailboxes/john@mydomain.zz").text
    assert "Done" not in browser.get("/mailboxes/john@mydomain.zz").text  # told once
    ticked = ["john@mydomain.zz", "nobody@mydomain.zz"]
    answer = browser.post("/mailboxes", {"address": ticked, "deed": "deny"})
    assert answer.status == 303
    page = browser.get(answer.away.removeprefix("/eg")).text
    assert ("john@mydomain.zz" in page, "there is no address nobody@mydomain.zz" in page) == (True, True)
    assert "may not send" in browser.get("/mailboxes").text
    assert server.command("mailbox show", address="john@mydomain.zz")["smtp_denied"]
    assert "Are you sure?" in browser.post("/mailboxes", {"address": ticked[:1], "deed": "remove"}).text
    assert "john@" in browser.get("/mailboxes").text
    browser.post("/mailboxes", {"address": ticked[:1], "deed": "remove", "sure": "yes"})
    assert "john@mydomain.zz</a>" not in browser.get("/mailboxes").text


def test_aliases_lists_and_banished_addresses_come_and_go(server: Server) -> None:
    browser = known(server, "administrator")
    browser.post("/aliases/add", {"address": "george", "mailbox": "paul"})
    browser.post("/lists/save", {"address": "beatles", "members": "paul, ringo"})
    browser.post("/lists/save", {"address": "beatles", "members": "paul"})
    browser.post("/banished/add", {"address": "i.am.spam"})
    assert "george@mydomain.zz" in browser.get("/aliases").text
    assert server.command("list show", address="beatles@mydomain.zz")["members"] == ["paul@mydomain.zz"]
    assert "i.am.spam@mydomain.zz" in browser.get("/banished").text
    browser.post("/aliases", {"address": "george@mydomain.zz", "deed": "banish"})
    assert "george@mydomain.zz" in browser.get("/banished").text
    for path, address in (("/banished", "george"), ("/banished", "i.am.spam"), ("/lists", "beatles")):
        browser.post(path, {"address": f"{address}@mydomain.zz", "deed": "remove"})
        browser.get(path)
        assert f"{address}@mydomain.zz" not in browser.get(path).text


def incoming(server: Server, recipient: str, subject: str = "hello", sender: str = "bert@far.example") -> None:
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"], timeout=20) as client:
        text = f"From: Bert <{sender}>\r\nTo: {recipient}\r\nSubject: {subject}\r\n\r\nDear {recipient}\r\n"
        client.sendmail(sender, [recipient], text)


def kept(server: Server, address: str) -> int:
    return sum(folder["messages"] for folder in server.command("mailbox show", address=address)["folders"])


def test_a_candidate_becomes_a_mailbox_or_an_alias_and_its_mail_comes_along(server: Server) -> None:
    browser = known(server, "administrator")
    for name, count in (("new.one", 3), ("other.name", 2), ("all.of.us", 1), ("spam", 2)):
        for number in range(count):
            incoming(server, f"{name}@mydomain.zz", f"letter {number} to {name}")
    server.wait(
        lambda: all(
            browser.post("/candidates/tidy").status == 303 and f"{name}@mydomain.zz" in browser.get("/candidates").text
            for name in ("new.one", "other.name", "all.of.us", "spam")
        )
    )
    page = browser.get("/candidates?sort=-messages").text
    assert "Bert &lt;bert@far.example&gt;" in page
    assert page.index("new.one@") < page.index("all.of.us@")
    looked = browser.get("/received/new.one@mydomain.zz").text
    assert "letter 2 to new.one" in looked
    assert "Dear new.one@mydomain.zz" in looked
    browser.post("/candidates", {"address": "new.one@mydomain.zz", "deed": "mailbox"})
    assert kept(server, "new.one@mydomain.zz") == 3
    before = kept(server, "paul@mydomain.zz")
    browser.post("/candidates", {"address": "other.name@mydomain.zz", "deed": "alias", "mailbox": "paul"})
    assert kept(server, "paul@mydomain.zz") == before + 2
    browser.post("/candidates", {"address": "all.of.us@mydomain.zz", "deed": "list", "members": "paul, ringo"})
    assert kept(server, "paul@mydomain.zz") == before + 2  # row A4: to a list it does not move
    assert "letter 0 to all.of.us" in browser.get("/received/all.of.us@mydomain.zz").text
    pending = len(server.command("pending list", customer="mydomain.zz")["messages"])
    assert "Are you sure?" in browser.post("/candidates", {"address": "spam@mydomain.zz", "deed": "banish"}).text
    browser.post("/candidates", {"address": "spam@mydomain.zz", "deed": "banish", "sure": "yes"})
    assert len(server.command("pending list", customer="mydomain.zz")["messages"]) == pending - 2
    assert "Nothing is kept" in browser.get("/received/spam@mydomain.zz").text
    incoming(server, "new.one@mydomain.zz", "the next goes straight in")
    server.wait(lambda: kept(server, "new.one@mydomain.zz") == 4)


def test_a_user_forwards_and_sets_his_password_knowing_the_old_one(server: Server) -> None:
    server.command("mailbox add", address="stu@mydomain.zz")
    server.command("password", address="stu@mydomain.zz", password=PASSWORD)
    browser = Browser(server.ports["https"]).log_in("stu@mydomain.zz", PASSWORD)
    other = Browser(server.ports["https"]).log_in("stu@mydomain.zz", PASSWORD)
    here = "/mailboxes/stu@mydomain.zz"
    browser.post(f"{here}/forwarding", {"forwards": "stu@home.example\nme@far.example"})
    shown = server.command("mailbox show", address="stu@mydomain.zz")
    assert (shown["forward"], shown["keep_copy"]) == (["stu@home.example", "me@far.example"], False)
    new = {"new": "Another-pass2", "again": "Another-pass2"}
    assert "is wrong" in browser.post(f"{here}/password", {"old": "guess", **new}).text
    assert "differ" in browser.post(f"{here}/password", {"old": PASSWORD, "new": "a", "again": "b"}).text
    assert browser.post(f"{here}/password", {"old": PASSWORD, **new}).status == 303
    assert browser.get(here).status == 200
    assert other.get(here).away == "/eg/login"  # attack row 39: others of the mailbox have ended
    Browser(server.ports["https"]).log_in("stu@mydomain.zz", "Another-pass2")


def test_an_administrator_sets_the_password_of_others(server: Server) -> None:
    server.command("mailbox add", address="yoko@mydomain.zz")
    browser = known(server, "administrator")
    fields = {"new": PASSWORD, "again": PASSWORD}
    assert browser.post("/mailboxes/yoko@mydomain.zz/password", fields).away == "/eg/mailboxes/yoko@mydomain.zz"
    Browser(server.ports["https"]).log_in("yoko@mydomain.zz", PASSWORD)


def test_a_long_list_is_searched_sorted_and_cut(server: Server) -> None:
    names = [{"address": f"n{number:03}@long.zz", "kind": "banished"} for number in range(250)]
    server.command("customer add", domain="long.zz")
    server.command("password", address="postmaster@long.zz", password=PASSWORD)
    browser = Browser(server.ports["https"]).log_in("postmaster@long.zz", PASSWORD)
    for row in names[:130]:
        server.command("banish", address=row["address"])
    first, second = browser.get("/banished").text, browser.get("/banished?page=2").text
    assert ("n099@" in first, "n100@" in first, "n100@" in second) == (True, False, True)
    assert "n129@" in browser.get("/banished?sort=-address").text
    found = browser.get("/banished?q=N07").text
    assert ("n070@" in found, "n080@" in found, "10 of 130" in found) == (True, False, True)
    for asked in ("page=99999999999999&sort=nothing&q=%00", "q=%C3%A9%FF", "&".join(["q"] * 200)):
        assert browser.get(f"/banished?{asked}").status == 200


def test_pages_speak_the_visitors_language(server: Server) -> None:
    browser = known(server, "administrator")
    french = browser.get("/mailboxes", Accept_Language="fr-CH, en;q=0.5").text
    assert "Boîtes aux lettres" in french
    assert "Mailboxes" in browser.get("/mailboxes", Accept_Language="xx, de;q=nonsense").text
    browser.post("/language", {"language": "fr"})
    assert "Boîtes aux lettres" in browser.get("/mailboxes").text


# ---- who gets where --------------------------------------------------------------------------------------------

# What each visitor may answer for a route of that kind; every route of the table is asked.
EXPECTED = {
    Who.ANYBODY: dict.fromkeys(("anonymous", *PEOPLE), "let in"),
    Who.USER: {"anonymous": "to the login", **dict.fromkeys(PEOPLE, "let in")},
    Who.ADMINISTRATOR: {
        "anonymous": "to the login",
        "user": "forbidden",
        "other user": "forbidden",
        "administrator": "let in",
        "other administrator": "let in",
        "operator": "forbidden",  # until he looks after a customer
    },
    Who.OPERATOR: {"anonymous": "to the login", **dict.fromkeys(PEOPLE, "forbidden"), "operator": "let in"},
}


def path_of(route: Route, address: str) -> str:
    return re.sub("<[a-z_]+>", "nothing", route.path.replace("<address>", address))


def verdict(answer: Answer) -> str:
    if answer.status == 303 and answer.away == "/eg/login":
        return "to the login"
    return "forbidden" if answer.status == 403 else "let in"


@pytest.mark.parametrize("who", ["anonymous", *PEOPLE])
def test_attack_18_every_route_lets_in_whom_it_names(server: Server, who: str) -> None:
    browser = Browser(server.ports["https"]) if who == "anonymous" else known(server, who)
    for route in ROUTES:
        if route.path == "/logout":
            continue
        path = path_of(route, PEOPLE[who] if "@" in PEOPLE.get(who, "") else "paul@mydomain.zz")
        answer = browser.get(path) if route.method == "GET" else browser.post(path)
        if (route.method, route.path, who) == ("POST", "/login", "anonymous"):
            assert answer.status == 401
            continue
        assert verdict(answer) == EXPECTED[route.who][who], (route.method, route.path, answer.status)
        assert answer.status < 500


@pytest.mark.parametrize("who", ["user", "other administrator"])
def test_attack_18_nobody_reaches_what_is_anothers_by_naming_it(server: Server, who: str) -> None:
    browser = known(server, who)
    before = server.command("mailbox show", address="ringo@mydomain.zz")
    there = "/mailboxes/ringo@mydomain.zz"
    fields = {"new": "Stolen-pass3", "again": "Stolen-pass3", "forwards": "thief@x.example"}
    deeds = {"address": "ringo@mydomain.zz", "deed": "deny"}
    for answer in (
        browser.get(there),
        browser.post(f"{there}/password", fields),
        browser.post(f"{there}/forwarding", fields),
        browser.post("/mailboxes", deeds),
        browser.post("/mailboxes", {**deeds, "deed": "remove", "sure": "yes"}),
        browser.post("/banished/add", {"address": "ringo@mydomain.zz"}),
        browser.post("/aliases/add", {"address": "x@mydomain.zz", "mailbox": "ringo@mydomain.zz"}),
        browser.post("/lists/save", {"address": "x@mydomain.zz", "members": "ringo@mydomain.zz"}),
    ):
        assert answer.status in (303, 400, 403)
        assert "ringo@mydomain.zz</h1>" not in answer.text
    assert server.command("mailbox show", address="ringo@mydomain.zz") == before


# ---- attacks ---------------------------------------------------------------------------------------------------


def posts() -> list[Route]:
    """Those that a form of ours must be behind; `proof` comes by mail, where there is no session yet."""
    return [
        route
        for route in ROUTES
        if route.method == "POST" and route.path not in ("/login", "/logout") and not route.proof
    ]


def test_attack_20_a_form_that_is_not_ours_does_nothing(server: Server) -> None:
    browser, other = known(server, "administrator"), known(server, "administrator")
    before = server.command("mailbox list", customer="mydomain.zz")
    tries = itertools.product(posts(), ("no token", "another session's", "another site", "cross-site", "no origin"))
    for route, trick in tries:
        path = path_of(route, PEOPLE["user"])
        fields: dict[str, object] = {
            "local": "csrf",
            "new": "Csrf-pass-1",
            "again": "Csrf-pass-1",
            "csrf": browser.csrf,
        }
        headers = {}
        if trick == "no token":
            fields["csrf"] = ""
        elif trick == "another session's":
            fields["csrf"] = other.csrf
        elif trick == "another site":
            headers["Origin"] = "https://evil.example"
        elif trick == "cross-site":
            headers["Sec_Fetch_Site"] = "cross-site"
        else:
            headers["Origin"] = "null"
        assert browser.ask("POST", path, fields, {k.replace("_", "-"): v for k, v in headers.items()}).status == 403
    assert server.command("mailbox list", customer="mydomain.zz") == before


def test_attack_20_get_changes_nothing(server: Server) -> None:
    browser = known(server, "administrator")
    for route in posts():
        answer = browser.get(path_of(route, PEOPLE["user"]) + "?deed=remove&sure=yes&local=x")
        assert answer.status in (200, 400, 403, 404, 405)
    assert not [
        one for one in server.command("mailbox list", customer="mydomain.zz") if one["address"].startswith("x@")
    ]


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
    assert "<script" not in wrong.text
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
    import http.client

    line = http.client.HTTPConnection("127.0.0.1", server.ports["http"], timeout=20)
    line.request("GET", "/eg/login?x=1", headers={"Host": "mydomainzz.emailgency.zz"})
    answer = line.getresponse()
    assert answer.status == 308
    assert answer.headers["Location"] == f"https://mydomainzz.emailgency.zz:{server.ports['https']}/eg/login?x=1"
    line.close()


def said_in_templates() -> Iterator[Any]:
    from jinja2.ext import babel_extract

    for name in os.listdir(assets.folder("templates")):
        with open(os.path.join(assets.folder("templates"), name), "rb") as file:
            for _, _, words, _ in babel_extract(file, ("_", "gettext", "ngettext"), (), {"trim_blocks": "true"}):
                texts = tuple(filter(None, words)) if isinstance(words, tuple) else (words,)
                yield texts if len(texts) > 1 else texts[0]


# What these refuse is read at the command line, in the log or by a mail program.
ENGLISH_ONLY = (
    "codec/imap",
    "codec/originators",
    "flows/upkeep/backup",
    "flows/addresses/import_",
    "flows/upkeep/restore",
    "servers/control",
)
ENGLISH_ONLY += ("servers/imap", "store/redis", "store/layout", "command/")


def said_in_code() -> Iterator[Any]:
    """Keys of model.words: what flows and rules refuse with, titles of results."""
    from babel.messages.extract import extract_from_dir

    keywords = {"Words": (1,), "Invalid": (1,), "Conflict": (1,), "Busy": (1,)}
    folder = os.path.dirname(emailgency.__file__)
    for name, _, words, _, _ in extract_from_dir(folder, [("**.py", "python")], keywords=keywords):
        if not name.startswith(ENGLISH_ONLY):
            yield words


def test_every_word_of_the_pages_is_there_in_french() -> None:
    from babel.messages.pofile import read_po

    with open(os.path.join(assets.folder("locale"), "fr.po"), "rb") as file:
        catalogue = {message.id: message.string for message in read_po(file, locale="fr") if message.id}
    said = {*said_in_templates(), *said_in_code()}
    assert said == catalogue.keys()
    for key, words in catalogue.items():
        assert words
        for one in (words,) if isinstance(words, str) else words:
            wanted = set(re.findall(r"%\(\w+\)s", key if isinstance(key, str) else key[1]))
            assert set(re.findall(r"%\(\w+\)s", one)) <= wanted, one
