"""The console: what is done in its panels."""

import pytest

from tests.support.browser import Browser
from tests.support.console_people import PASSWORD, PEOPLE, begun, incoming, known
from tests.support.server import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with begun(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def stranger(server: Server) -> Browser:
    return Browser(server.ports["https"])


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
