"""The operator's pages: who gets there, what he does, and what stands in the audit log (product rows B11, F7)."""

import smtplib

import pytest

from tests.support.browser import Browser
from tests.support.server import Server

PASSWORD = "Correct-horse1"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    settings = {
        "credentials": {"memory": 64, "passes": 1},
        "web": {"connections": {"per_network": 200}, "captcha": {"after": 1000}},
    }
    with Server(tmp_path_factory.mktemp("server"), settings).start() as server:
        for domain in ("mydomain.zz", "other.zz"):
            server.command("customer add", domain=domain)
            server.command("password", address=f"postmaster@{domain}", password=PASSWORD)
        server.command("operator add", name="alice")
        server.command("operator password", name="alice", password=PASSWORD)
        yield server


@pytest.fixture
def operator(server: Server) -> Browser:
    return Browser(server.ports["https"]).log_in("alice", PASSWORD)


def id_of(server: Server, domain: str) -> str:
    return str(server.command("customer show", customer=domain)["id"])


def test_an_operator_logs_in_by_name_and_sees_all_customers(server: Server, operator: Browser) -> None:
    assert operator.get("/").away == "/eg/operator"
    page = operator.get("/operator").text
    assert "alice, operator" in page
    assert "mydomain.zz" in page
    assert "other.zz" in page
    assert "My mailbox" not in page
    assert "mydomain.zz</a>" not in operator.get("/operator?q=other").text
    stranger = Browser(server.ports["https"])
    assert stranger.post("/login", {"name": "alice", "password": "wrong-1"}).status == 401
    assert stranger.post("/login", {"name": "bob", "password": PASSWORD}).status == 401


def test_a_customer_is_added_changed_and_suspended(server: Server, operator: Browser) -> None:
    away = operator.post("/operator/customers/add", {"domain": "third.zz", "plan": "standard"}).away
    here = away.removeprefix("/eg")
    assert "third.zz" in operator.get(here).text
    fields = {
        "plan": "premium",
        "role": "primary",
        "relay": "hold",
        "domain_aliases": "third.yy\nthird.xx",
        "pending_lifetime": "12",
        "language": "fr",
    }
    assert operator.post(here, fields).away == away
    shown = server.command("customer show", customer="third.yy")
    assert (shown["plan"], shown["role"], shown["relay"], shown["pending_lifetime"]) == (
        "premium",
        "primary",
        "hold",
        12,
    )
    assert shown["domain_aliases"] == ["third.yy", "third.xx"]
    for wrong in ({"plan": "none"}, {"role": "x"}, {"pending_lifetime": "many"}, {"domain_aliases": "mydomain.zz"}):
        assert operator.post(here, {**fields, **wrong}).status == 400
    assert operator.post(here, {**fields, "plan": "standard"}).status == 400  # only Premium may be primary
    server.command("password", address="postmaster@third.zz", password=PASSWORD)
    boss = Browser(server.ports["https"]).log_in("postmaster@third.zz", PASSWORD)
    operator.post(here, {**fields, "suspended": "yes"})
    assert boss.get("/overview").away == "/eg/login"  # at once
    again = boss.post("/login", {"name": "postmaster@third.zz", "password": PASSWORD})
    assert again.status == 401
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"], timeout=20) as client:
        client.ehlo()
        client.mail("bert@far.example")
        assert client.rcpt("anna@third.zz")[0] == 451
    operator.post(here, fields)
    Browser(server.ports["https"]).log_in("postmaster@third.zz", PASSWORD)


def test_an_operator_looks_after_a_customer_under_his_own_name(server: Server, operator: Browser) -> None:
    assert operator.get("/overview").status == 403
    assert operator.post(f"/operator/customers/{id_of(server, 'other.zz')}/enter").away == "/eg/overview"
    page = operator.get("/overview").text
    assert "You are looking after other.zz" in page
    operator.post("/mailboxes/add", {"local": "newcomer"})
    assert operator.post("/mailboxes/add", {"local": "thief@mydomain.zz"}).status == 400
    assert "newcomer@other.zz" in operator.get("/mailboxes").text
    assert "operator alice" in operator.get("/audit").text
    assert operator.post("/operator/leave").away == "/eg/operator"
    assert operator.get("/mailboxes").status == 403
    everything = operator.get("/operator/audit").text
    assert "other.zz" in everything
    assert "operator alice" in everything
    boss = Browser(server.ports["https"]).log_in("postmaster@mydomain.zz", PASSWORD)
    assert "newcomer" not in boss.get("/audit").text


def test_plans_are_made_changed_and_removed(server: Server, operator: Browser) -> None:
    assert operator.post("/operator/plans/add", {"name": "gold"}).away == "/eg/operator/plans/gold"
    assert "Nobody has this plan" in operator.get("/operator/plans/gold").text
    fields = {
        "mailboxes": "5",
        "mailbox_quota": "2 GiB",
        "vip_mailboxes": "1",
        "vip_quota": "3GiB",
        "message_size": "20 MiB",
        "candidates": "10",
        "distribution_lists": "2",
        "undelivered_quota": "1.5 GiB",
        "undelivered_messages": "100",
        "expiration_delay": "10",
        "expiration_delay_max": "20",
        "reserve": "0",
        "pending_lifetime": "15",
        "primary": "yes",
    }
    assert operator.post("/operator/plans/gold", fields).status == 303
    shown = server.command("plan show", plan="gold")
    assert (shown["mailbox_quota_octets"], shown["undelivered_quota_octets"]) == (2 << 30, 3 << 29)
    assert (shown["primary"], shown["sms"], shown["expiration_delay_max"]) == (True, False, 20)
    for wrong in (
        {"mailbox_quota": "much"},
        {"mailboxes": "-1"},
        {"message_size": "30 MiB"},
        {"expiration_delay": "21"},
    ):
        answer = operator.post("/operator/plans/gold", {**fields, **wrong})
        assert answer.status == 400
        assert "Traceback" not in answer.text
    server.command("customer set", customer="other.zz", plan="gold")
    assert operator.post("/operator/plans/gold/remove").status == 400
    server.command("customer set", customer="other.zz", plan="standard")
    assert operator.post("/operator/plans/gold/remove").away == "/eg/operator/plans"
    assert operator.get("/operator/plans/gold").status == 400


def test_queues_and_the_server_are_shown(server: Server, operator: Browser) -> None:
    page = operator.get("/operator/server").text
    for words in ("is taken in", "Redis", "Certificates", "Last errors", "free"):
        assert words in page
    assert operator.get("/operator/queues").status == 200


def test_attack_18_nobody_but_an_operator_sees_or_does_what_is_his(server: Server, operator: Browser) -> None:
    boss = Browser(server.ports["https"]).log_in("postmaster@mydomain.zz", PASSWORD)
    other = id_of(server, "other.zz")
    for path in ("/operator", "/operator/plans", "/operator/queues", "/operator/server", "/operator/audit"):
        assert boss.get(path).status == 403
        assert Browser(server.ports["https"]).get(path).away == "/eg/login"
    for path in (f"/operator/customers/{other}", f"/operator/customers/{other}/enter", "/operator/leave"):
        assert boss.post(path, {"plan": "premium"}).status == 403
    assert "mydomain.zz" in boss.get("/overview").text
    assert operator.get("/operator/customers/nobody").status == 404
    assert operator.post("/mailboxes/postmaster@mydomain.zz/password", {"new": "x", "again": "x"}).status == 400


def test_who_is_no_operator_any_more_is_out_at_once(server: Server) -> None:
    server.command("operator add", name="bob")
    server.command("operator password", name="bob", password=PASSWORD)
    bob = Browser(server.ports["https"]).log_in("bob", PASSWORD)
    bob.post(f"/operator/customers/{id_of(server, 'other.zz')}/enter")
    assert bob.get("/mailboxes").status == 200
    server.command("operator remove", name="bob")
    assert bob.get("/mailboxes").away == "/eg/login"
