"""The panel Domain settings, and what waits for the customer's server."""

import smtplib

import pytest

from tests.support.browser import Browser
from tests.support.server import Server
from tests.support.sink import Sink

PASSWORD = "Correct-horse1"


@pytest.fixture(scope="module")
def sink():
    with Sink() as sink:
        yield sink


@pytest.fixture(scope="module")
def server(tmp_path_factory, sink: Sink):
    settings = {
        "credentials": {"memory": 64, "passes": 1},
        "web": {"connections": {"per_network": 200}},
        "egress": {"networks": ["127.0.0.1/32"], "ports": [sink.port]},
        "flush": {"interval": 3600},
    }
    with Server(tmp_path_factory.mktemp("server"), settings).start() as server:
        for domain in ("mydomain.zz", "other.zz"):
            server.command("customer add", domain=domain)
            server.command("password", address=f"postmaster@{domain}", password=PASSWORD)
        server.command("mailbox add", address="paul@mydomain.zz")
        server.command("customer set", customer="mydomain.zz", smtp_transport=f"127.0.0.1:{sink.port}")
        yield server


@pytest.fixture
def browser(server: Server) -> Browser:
    return Browser(server.ports["https"]).log_in("postmaster@mydomain.zz", PASSWORD)


def shown(server: Server) -> dict[str, object]:
    found: dict[str, object] = server.command("customer show", customer="mydomain.zz")
    return found


def deliver(server: Server, recipient: str, sender: str = "bert@far.example") -> None:
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"], timeout=20) as client:
        client.sendmail(sender, [recipient], "Subject: hello\r\n\r\nDear Paul\r\n")


def test_what_is_set_is_what_the_server_does(server: Server, browser: Browser, sink: Sink) -> None:
    place = f"127.0.0.1:{sink.port}"
    fields = {"relay": "hold", "smtp_transport": place, "pending_lifetime": "7"}
    assert browser.post("/domain/relay", fields).away == "/eg/domain"
    door = {"stealth": "yes", "smtp_denied": "yes", "banished": "refused"}
    assert browser.post("/domain/door", door).away == "/eg/domain"
    outage = {"learn_recipients": "yes", "sender_notices": "yes"}
    assert browser.post("/domain/outage", outage).away == "/eg/domain"
    now = shown(server)
    assert (now["learn_recipients"], now["sender_notices"]) == (True, True)
    assert (now["relay"], now["smtp_transport"], now["pending_lifetime"]) == ("hold", place, 7)
    assert (now["stealth"], now["smtp_denied"], now["banished_refused"]) == (True, True, True)
    page = browser.get("/domain").text
    assert f'value="{place}"' in page
    assert page.count(" checked") == 6
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:  # stealth, at once
        deliver(server, "paul@mydomain.zz")
    assert refused.value.recipients["paul@mydomain.zz"][0] == 451
    browser.post("/domain/door", {"banished": "dropped"})
    browser.post("/domain/outage", {})
    assert (shown(server)["learn_recipients"], shown(server)["sender_notices"]) == (False, False)
    browser.post("/domain/relay", {"relay": "on", "smtp_transport": place, "pending_lifetime": ""})
    now = shown(server)
    assert (now["stealth"], now["smtp_denied"], now["banished_refused"]) == (False, False, False)
    assert (now["relay"], now["pending_lifetime"]) == ("on", None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("smtp_transport", "169.254.169.254:25"),
        ("smtp_transport", "10.0.0.1"),
        ("smtp_transport", "127.0.0.1:6379"),
        ("smtp_transport", "mail.far.example:22x"),
        ("smtp_transport", '"><script>alert(1)</script>'),
        ("pending_lifetime", "31"),  # the plan: 30
        ("pending_lifetime", "0"),
        ("pending_lifetime", "-1"),
        ("pending_lifetime", "9" * 5000),
        ("relay", "sideways"),
        ("language", "xx"),
    ],
)
def test_what_may_not_be_set_is_refused_with_words(server: Server, browser: Browser, field: str, value: str) -> None:
    before = shown(server)
    fields = {"relay": "on", "smtp_transport": before["smtp_transport"] or "", field: value}
    answer = browser.post("/domain/language" if field == "language" else "/domain/relay", fields)
    assert answer.status == 400
    assert 'role="alert">' in answer.text
    assert "<script" not in answer.text
    assert shown(server) == before


def test_an_administrator_changes_nothing_that_is_the_operators(server: Server, browser: Browser) -> None:
    before = shown(server)
    browser.post("/domain/door", {"plan": "premium", "role": "primary", "domain_aliases": "other.zz"})
    assert shown(server) == before


def test_pending_mail_is_shown_and_flushed_once_it_is_confirmed(server: Server, browser: Browser, sink: Sink) -> None:
    for number in range(3):
        deliver(server, "paul@mydomain.zz", f"bert{number}@far.example")
    deliver(server, "postmaster@other.zz", "secret@far.example")
    server.wait(lambda: "does not answer" in browser.get("/pending").text)
    page = browser.get("/pending").text
    assert page.count("@far.example</td>") == 3
    assert "secret@" not in page  # another customer's
    assert "bert1@" in browser.get("/pending?q=BERT1").text
    assert "bert2@" not in browser.get("/pending?q=BERT1").text
    assert "Flush pending mail?" in browser.post("/domain/flush").text
    sink.up()
    assert browser.post("/domain/flush", {"sure": "yes"}).away == "/eg/pending"
    server.wait(lambda: len(sink.messages) == 3)
    browser.get("/pending")
    browser.post("/domain/flush", {"sure": "yes"})  # row D2: restricted
    assert "possible again in" in browser.get("/pending").text
    server.wait(lambda: "Nothing waits for your server" in browser.get("/pending").text)


def test_attack_21_envelopes_of_strangers_never_become_markup(server: Server, browser: Browser, sink: Sink) -> None:
    sink.down()
    deliver(server, '"<script>alert(2)</script>"@mydomain.zz', '"<img/src=x/onerror=alert(1)>"@x.example')
    server.wait(lambda: "onerror" in browser.get("/pending").text)
    page = browser.get("/pending").text
    assert not [mark for mark in ("<script", "<img") if mark in page]


def test_the_audit_log_tells_who_changed_what_and_no_secret(server: Server, browser: Browser, sink: Sink) -> None:
    server.command("password", address="paul@mydomain.zz", password=PASSWORD)
    server.command("mailbox set", address="paul@mydomain.zz", forward=["paul@home.example"])
    browser.post("/domain/door", {"stealth": "yes"})
    page = browser.get("/audit").text
    assert "postmaster@mydomain.zz" in page
    assert "console 127.0.0.1" in page
    assert (
        page.index("Stealth mode:") < page.index("paul@home.example") < page.index("password of paul@mydomain.zz set")
    )
    assert not [secret for secret in ("argon2", PASSWORD, "generation", "other.zz") if secret in page]
    for _ in range(30):
        browser.post("/domain/door", {"stealth": "yes"})
        browser.post("/domain/door", {})
    first = browser.get("/audit").text
    assert first.count("<tr>") == 51
    older = browser.get(first.split('href="?before=')[1].split('"')[0].join(("/audit?before=", ""))).text
    assert "customer mydomain.zz added" in older
    for nonsense in ("x", "-1", "9" * 4000, "%00", "1"):
        assert browser.get(f"/audit?before={nonsense}").status == 200


def test_every_field_that_the_audit_log_shows_has_a_name(server: Server, browser: Browser) -> None:
    server.command("customer set", customer="mydomain.zz", plan="premium")
    server.command("customer set", customer="mydomain.zz", role="primary", domain_alias=["mydomain.example"])
    server.command("mailbox set", address="paul@mydomain.zz", vip=True, administrator=True, keep_copy=False)
    browser.post("/domain/language", {"language": "fr"})
    page = browser.get("/audit").text
    for name in (
        "Plan:",
        "Role:",
        "Domain aliases:",
        "VIP:",
        "administrator:",
        "Keep a copy here:",
        "Language of our mail:",
    ):
        assert f'<span class="eg-soft">{name}</span>' in page
    assert "<ins>yes</ins>" in page
