"""Who gets where in the console, and by which forms: every route of every panel is asked."""

import itertools
import re

import pytest

from emailgency.servers.web.console.routes import Route, Who
from tests.support.browser import Answer, Browser
from tests.support.console_people import PEOPLE, begun, known
from tests.support.console_routes import ROUTES
from tests.support.server import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with begun(tmp_path_factory.mktemp("server")) as server:
        yield server


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
