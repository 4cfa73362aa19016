"""Where is it? In the console: who finds what, and how it leaves as a file."""

import imaplib
import json
import smtplib
import ssl

import pytest

from tests.support.browser import Browser
from tests.support.server import Server

PASSWORD = "Correct-horse1"
HOSTILE = "\u202e<script>alert(1)</script> {{ 7*7 }} 日本語 {nb} %s "


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    settings = {"credentials": {"memory": 64, "passes": 1}, "web": {"connections": {"per_network": 200}}}
    with Server(tmp_path_factory.mktemp("server"), settings).start() as server:
        for domain in ("mydomain.zz", "other.zz"):
            server.command("customer add", domain=domain, relay="hold")
            server.command("mailbox add", address=f"paul@{domain}")
        server.command("mailbox add", address="ringo@mydomain.zz")
        for address in ("postmaster@mydomain.zz", "paul@mydomain.zz", "ringo@mydomain.zz", "postmaster@other.zz"):
            server.command("password", address=address, password=PASSWORD)
        incoming(server, ["paul@mydomain.zz"], "for Paul alone")
        incoming(server, ["ringo@mydomain.zz"], "claims to be Paul's", sender="paul@mydomain.zz")
        incoming(server, ["paul@mydomain.zz", "ringo@mydomain.zz"], "for both")
        incoming(server, ["paul@mydomain.zz"], HOSTILE)
        incoming(server, ["paul@other.zz"], "for the other Paul")
        server.wait(lambda: len(server.command("where", limit=50)) == 5)
        yield server


def incoming(server: Server, recipients: list[str], subject: str, sender: str = "bert@far.example") -> None:
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"], timeout=20) as client:
        id = f"{abs(hash(subject))}@far.example"
        text = f"From: {sender}\r\nSubject: {subject}\r\nMessage-ID: <{id}>\r\n\r\nDear you\r\n"
        client.sendmail(sender, recipients, text.encode())


def known(server: Server, address: str) -> Browser:
    return Browser(server.ports["https"]).log_in(address, PASSWORD)


def listed(browser: Browser, asked: str = "") -> list[dict]:
    return json.loads(browser.get(f"/where.json?{asked}").text)


def subjects(browser: Browser, asked: str = "") -> list[str]:
    return [one["subject"] for one in listed(browser, asked)]


def test_an_administrator_finds_all_of_his_customer_and_nothing_else(server: Server) -> None:
    browser = known(server, "postmaster@mydomain.zz")
    assert len(subjects(browser)) == 4
    assert subjects(browser, "q=for+both") == ["for both"]
    assert sorted(subjects(browser, "q=ringo%40mydomain.zz")) == ["claims to be Paul's", "for both"]
    assert subjects(browser, "until=2020-01-01") == []
    page = browser.get("/where?q=for").text
    assert "for Paul alone" in page
    assert "for the other Paul" not in page
    (theirs,) = listed(known(server, "postmaster@other.zz"))
    assert browser.get(f"/where/{theirs['id']}").status == 404
    assert browser.get(f"/where/{theirs['id']}/json").status == 404
    assert browser.get(f"/where/{theirs['id']}/pdf").status == 404
    assert browser.get(f"/where?q={theirs['id']}").status == 200


def test_a_user_finds_what_is_his_and_no_other_recipient(server: Server) -> None:
    browser = known(server, "paul@mydomain.zz")
    found = {one["subject"]: one for one in listed(browser)}
    assert set(found) == {"for Paul alone", "for both", listed(browser, "q=alert")[0]["subject"]}
    assert found["for both"]["recipients"] == ["paul@mydomain.zz"]
    assert "ringo" not in browser.get(f"/where/{found['for both']['id']}").text
    (claimed,) = listed(known(server, "ringo@mydomain.zz"), "q=claims")
    assert browser.get(f"/where/{claimed['id']}").status == 404
    assert "Where is it?" in browser.get("/mailboxes/paul@mydomain.zz").text


def test_a_story_is_told_on_its_page_and_an_id_leads_there(server: Server) -> None:
    browser = known(server, "postmaster@mydomain.zz")
    (one,) = listed(browser, "q=for+Paul+alone")
    assert browser.get(f"/where?q={one['id']}").away == f"/eg/where/{one['id']}"
    page = browser.get(f"/where/{one['id']}").text
    for words in ("for Paul alone", "bert@far.example", one["message_id"], "127.0.0.1", "waiting", "Take it in hand"):
        assert words in page
    assert "Où il est" in browser.get(f"/where/{one['id']}", Accept_Language="fr").text
    server.command("pending drop", id=one["id"])
    assert "(root)" in browser.get(f"/where/{one['id']}").text  # by whom


def test_attack_21_a_hostile_subject_is_text_on_every_page_and_file(server: Server) -> None:
    browser = known(server, "paul@mydomain.zz")
    (one,) = listed(browser, "q=alert")
    assert "日本語 {nb} %s" in one["subject"]
    for path in ("/where", f"/where/{one['id']}"):
        page = browser.get(path).text
        assert "&lt;script&gt;alert(1)&lt;/script&gt; {{ 7*7 }}" in page
        assert "\u202e" not in page
    for path in ("/where.pdf", f"/where/{one['id']}/pdf"):
        answer = browser.get(path)
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/pdf")
        assert answer.text.startswith("%PDF-")
    assert browser.get(f"/where/{one['id']}/json").headers["Content-Type"] == "application/json"


def test_mail_that_was_read_and_removed_here_says_so(server: Server) -> None:
    browser = known(server, "postmaster@mydomain.zz")

    def copies() -> list[str]:
        (one,) = listed(browser, "q=for+both")
        return [copy["state"] for copy in one["copies"] if copy["kind"] == "mailbox"]

    tls = ssl._create_unverified_context()
    with imaplib.IMAP4_SSL("127.0.0.1", server.ports["imaps"], ssl_context=tls, timeout=20) as ringo:
        ringo.login("ringo@mydomain.zz", PASSWORD)
        ringo.select()
        (found,) = ringo.search(None, "SUBJECT", '"for both"')[1]
        ringo.fetch(found, "(BODY[])")
        assert copies() == ["stored", "read"]
        ringo.store(found, "+FLAGS", "\\Deleted")
        ringo.expunge()
    assert copies() == ["stored", "expunged"]
    (seen,) = listed(known(server, "paul@mydomain.zz"), "q=for+both")
    assert "expunged" not in json.dumps(seen)


def test_mail_for_a_banished_address_says_so(server: Server) -> None:
    server.command("banish", address="spam@mydomain.zz")
    incoming(server, ["spam@mydomain.zz"], "nobody wants it")
    (one,) = listed(known(server, "postmaster@mydomain.zz"), "q=nobody+wants")
    assert (one["state"], one["recipients"], one["copies"][0]["kind"]) == ("dropped", ["spam@mydomain.zz"], "nowhere")


def test_a_customer_that_is_removed_takes_his_ledger_along(server: Server) -> None:
    server.command("customer add", domain="gone.zz")
    incoming(server, ["x@gone.zz"], "soon gone")
    assert [one["customer"] for one in server.command("where", what="soon gone", whole=True)]
    server.command("customer remove", customer="gone.zz", drop_pending=True)
    assert server.command("where", what="soon gone") == []


def test_an_operator_finds_all_and_looks_after_one(server: Server) -> None:
    server.command("operator add", name="alice")
    server.command("operator password", name="alice", password=PASSWORD)
    alice = known(server, "alice")
    page = alice.get("/operator/where?q=for").text
    assert "for the other Paul" in page
    assert "for Paul alone" in page
    (theirs,) = listed(known(server, "postmaster@other.zz"))
    assert "other.zz" in alice.get(f"/operator/where/{theirs['id']}").text
    assert alice.get(f"/operator/where/{theirs['id']}/pdf").status == 200
    assert alice.get("/where").status == 404  # she has no mail of her own
    assert alice.get(f"/where/{theirs['id']}").status == 404
    for address in ("postmaster@other.zz", "paul@mydomain.zz"):
        assert known(server, address).get(f"/operator/where/{theirs['id']}").status == 403
    alice.post(f"/operator/customers/{theirs['customer']}/enter")
    assert subjects(alice) == ["for the other Paul"]


def test_nonsense_finds_nothing_and_breaks_nothing(server: Server) -> None:
    browser = known(server, "paul@mydomain.zz")
    for asked in (
        "q=%25%27%22%00%5C",
        "since=x&until=99999-01-01",
        "before=%FF&q=a%40",
        "q=" + "a" * 5000,
        "until=9999-12-31",
    ):
        assert browser.get(f"/where?{asked}").status == 200
        assert browser.get(f"/where.json?{asked}").status == 200
