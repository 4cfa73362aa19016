"""Deeds on many: a row for each, and the way back while nobody has gone on."""

import smtplib

import pytest

from tests.support.browser import Answer, Browser
from tests.support.server import Server

PASSWORD = "Correct-horse1"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    settings = {"credentials": {"memory": 64, "passes": 1}, "web": {"connections": {"per_network": 200}}}
    with Server(tmp_path_factory.mktemp("server"), settings).start() as server:
        for domain in ("mydomain.zz", "other.zz"):
            server.command("customer add", domain=domain)
            server.command("password", address=f"postmaster@{domain}", password=PASSWORD)
        server.command("mailbox add", address="paul@mydomain.zz")
        yield server


@pytest.fixture
def browser(server: Server) -> Browser:
    return Browser(server.ports["https"]).log_in("postmaster@mydomain.zz", PASSWORD)


def names(*locals: str) -> list[str]:
    return [f"{local}@mydomain.zz" for local in locals]


def deliver(server: Server, *recipients: str) -> None:
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"], timeout=20) as client:
        for recipient in recipients:
            client.sendmail("bert@far.example", [recipient], f"Subject: to {recipient}\r\n\r\nDear you\r\n")


def candidates(server: Server, browser: Browser, *recipients: str) -> None:
    """Each with one message."""
    deliver(server, *recipients)

    def there() -> bool:
        browser.post("/candidates/tidy")
        page = browser.get("/candidates").text
        return all(f"{recipient}</a>" in page for recipient in recipients)

    server.wait(there)


def kept(server: Server, address: str) -> int:
    return sum(folder["messages"] for folder in server.command("mailbox show", address=address)["folders"])


def there(answer: Answer) -> str:
    assert answer.status == 303, answer.text
    return answer.away.removeprefix("/eg")


def undo(browser: Browser, results: str) -> str:
    return browser.get(there(browser.post(f"{results}/undo"))).text


def test_each_address_has_its_row(server: Server, browser: Browser) -> None:
    for address in names("one", "two"):
        server.command("banish", address=address)
    page = browser.get(
        there(browser.post("/banished", {"address": names("one", "two", "three"), "deed": "remove"}))
    ).text
    assert page.count("<tr>") == 4  # with the head
    assert "It is no longer what this list showed." in page
    assert (page.count("</svg>done"), page.count("</svg>not done")) == (2, 1)


def test_what_was_removed_or_banished_comes_back(server: Server, browser: Browser) -> None:
    server.command("alias add", address="macca@mydomain.zz", mailbox="paul@mydomain.zz")
    server.command("list add", address="all@mydomain.zz", members=["paul@mydomain.zz"])
    before = [server.command(f"{kind} list", customer="mydomain.zz") for kind in ("alias", "list", "banished")]
    for path, address, deed in (
        ("/aliases", "macca", "remove"),
        ("/aliases", "macca", "banish"),
        ("/lists", "all", "remove"),
        ("/lists", "all", "banish"),
    ):
        results = there(browser.post(path, {"address": names(address), "deed": deed}))
        after = [server.command(f"{kind} list", customer="mydomain.zz") for kind in ("alias", "list", "banished")]
        assert after != before
        page = undo(browser, results)
        assert "</svg>undone" in page
        assert "/undo" not in page  # there is nothing more to undo
        assert before == [
            server.command(f"{kind} list", customer="mydomain.zz") for kind in ("alias", "list", "banished")
        ]


def test_what_somebody_has_changed_since_stays_as_it_is_and_the_page_says_so(server: Server, browser: Browser) -> None:
    for address in names("kept", "gone"):
        server.command("alias add", address=address, mailbox="paul@mydomain.zz")
    results = there(browser.post("/aliases", {"address": names("kept", "gone"), "deed": "remove"}))
    server.command("banish", address="gone@mydomain.zz")
    page = undo(browser, results)
    assert (page.count("</svg>undone"), page.count("It was changed again since")) == (1, 1)
    assert "gone@mydomain.zz" in str(server.command("banished list", customer="mydomain.zz"))
    assert "kept@mydomain.zz" in str(server.command("alias list", customer="mydomain.zz"))


def test_an_alias_does_not_come_back_when_its_mailbox_has_gone(server: Server, browser: Browser) -> None:
    server.command("mailbox add", address="short@mydomain.zz")
    server.command("alias add", address="lived@mydomain.zz", mailbox="short@mydomain.zz")
    results = there(browser.post("/aliases", {"address": names("lived"), "deed": "remove"}))
    server.command("mailbox remove", address="short@mydomain.zz")
    assert "A mailbox that it leads to is no longer there." in undo(browser, results)


def test_a_right_that_comes_back_revives_no_session(server: Server, browser: Browser) -> None:
    server.command("mailbox add", address="boss@mydomain.zz", administrator=True)
    server.command("password", address="boss@mydomain.zz", password=PASSWORD)
    other = Browser(server.ports["https"]).log_in("boss@mydomain.zz", PASSWORD)
    results = there(browser.post("/mailboxes", {"address": names("boss"), "deed": "no_administrator"}))
    assert not server.command("mailbox show", address="boss@mydomain.zz")["administrator"]
    undo(browser, results)
    assert server.command("mailbox show", address="boss@mydomain.zz")["administrator"]
    assert other.get("/overview").away == "/eg/login"


def test_mail_of_a_candidate_goes_back_with_it(server: Server, browser: Browser) -> None:
    candidates(server, browser, *names("new.one", "new.two", "other.name"))
    before = kept(server, "paul@mydomain.zz")
    fields = {"address": names("new.one", "new.two"), "deed": "mailbox"}
    results = there(browser.post("/candidates", fields))
    deliver(server, "new.one@mydomain.zz")
    server.wait(lambda: kept(server, "new.one@mydomain.zz") == 2)
    assert undo(browser, results).count("</svg>undone") == 2
    assert "new.one@" not in str(server.command("mailbox list", customer="mydomain.zz"))
    fields = {"address": "other.name@mydomain.zz", "deed": "alias", "mailbox": "paul"}
    results = there(browser.post("/candidates", fields))
    assert kept(server, "paul@mydomain.zz") == before + 1
    assert "</svg>undone" in undo(browser, results)
    assert kept(server, "paul@mydomain.zz") == before
    browser.post("/candidates/tidy")
    page = browser.get("/candidates").text
    assert all(f"{address}</a>" in page for address in names("new.one", "new.two", "other.name"))
    assert browser.get("/received/new.one@mydomain.zz").text.count("to new.one@mydomain.zz</h2>") == 2
    assert "to other.name@mydomain.zz</h2>" in browser.get("/received/other.name@mydomain.zz").text


def test_a_mailbox_that_is_in_use_stays(server: Server, browser: Browser) -> None:
    candidates(server, browser, *names("used", "led.to"))
    results = there(browser.post("/candidates", {"address": names("used", "led.to"), "deed": "mailbox"}))
    server.command("password", address="used@mydomain.zz", password=PASSWORD)
    server.command("alias add", address="leads@mydomain.zz", mailbox="led.to@mydomain.zz")
    page = undo(browser, results)
    assert "It was changed again since" in page
    assert "leads@mydomain.zz leads to it by now." in page
    assert (kept(server, "used@mydomain.zz"), kept(server, "led.to@mydomain.zz")) == (1, 1)


def test_a_banished_candidate_is_unknown_again_but_its_mail_is_gone(server: Server, browser: Browser) -> None:
    candidates(server, browser, *names("spam"))
    results = there(browser.post("/candidates", {"address": names("spam"), "deed": "banish", "sure": "yes"}))
    assert "but for the mail that was destroyed" in undo(browser, results)
    assert "spam@" not in str(server.command("banished list", customer="mydomain.zz"))
    candidates(server, browser, *names("spam"))


def test_attack_18_results_of_others_are_unknown(server: Server, browser: Browser) -> None:
    server.command("banish", address="x@mydomain.zz")
    results = there(browser.post("/banished", {"address": names("x"), "deed": "remove"}))
    other = Browser(server.ports["https"]).log_in("postmaster@other.zz", PASSWORD)
    assert other.get(results).status == 404
    assert other.post(f"{results}/undo").status == 404
    assert "x@mydomain.zz" not in str(server.command("banished list", customer="mydomain.zz"))
    for id in ("x" * 300, "%2e%2e", "%00"):
        assert browser.get(f"/results/{id}").status in (400, 404)


def test_what_is_refused_is_said_in_the_visitors_language(server: Server, browser: Browser) -> None:
    browser.post("/language", {"language": "fr"})
    answer = browser.post("/aliases/add", {"address": "paul", "mailbox": "paul"})
    assert "paul@mydomain.zz est déjà une boîte" in answer.text
    answer = browser.post("/mailboxes", {"address": names("nobody"), "deed": "vip"})
    assert "il n&#39;y a pas d&#39;adresse nobody@mydomain.zz" in browser.get(there(answer)).text
