"""What panels do, by the API: contacts, messages, overview, claims, deeds on many, and what operators do."""

import smtplib
from typing import Any

import pytest

from tests.support.api import Program
from tests.support.server import Server

OWN = "postmaster@mydomain.zz"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    settings = {"credentials": {"memory": 64, "passes": 1}, "web": {"connections": {"per_network": 500}}}
    with Server(tmp_path_factory.mktemp("server"), settings).start() as server:
        server.command("customer add", domain="mydomain.zz")
        server.command("mailbox add", address="paul@mydomain.zz")
        server.command("mailbox add", address="ringo@mydomain.zz")
        server.command("operator add", name="alice")
        yield server


def program(server: Server, address: str) -> Program:
    made = server.command("token add", address=address, name="a test")
    return Program(server.ports["https"], made["token"])


@pytest.fixture(scope="module")
def administrator(server: Server) -> Program:
    return program(server, OWN)


@pytest.fixture(scope="module")
def operator(server: Server) -> Program:
    made = server.command("operator token", operator="alice", name="billing")
    return Program(server.ports["https"], made["token"])


def deliver(server: Server, recipient: str, subject: str) -> None:
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"], timeout=20) as client:
        client.sendmail("bert@far.example", [recipient], f"Subject: {subject}\r\n\r\nDear you\r\n")


def test_many_go_on_behind_the_request_and_are_asked_for(server: Server, administrator: Program) -> None:
    names = [f"many{number:02}@mydomain.zz" for number in range(30)]
    for name in names[:29]:
        assert administrator.ask("PUT", f"/banished/{name}").status == 201
    asked = {"kind": "banished", "deed": "remove", "addresses": names}
    answer = administrator.ask("POST", "/deeds", asked)
    assert answer.status == 202
    place = answer.headers["Location"].removeprefix("/eg/api/v1")
    assert place == f"/deeds/{answer.json['id']}"
    server.wait(lambda: administrator.get(place)["finished"])
    found = administrator.get(place)
    assert [bool(row["fault"]) for row in found["items"]] == [False] * 29 + [True]
    assert (found["waiting"], found["can_undo"]) == (0, True)
    undone = administrator.ask("POST", f"{place}/undo")
    assert undone.status == 202
    server.wait(lambda: administrator.get(place)["finished"])
    assert sum(row["undone"] for row in administrator.get(place)["items"]) == 29
    sources = {line["source"] for line in administrator.get("/audit")["items"] if "many" in line["what"]}
    assert any(f", deed {answer.json['id'][:12]}" in source for source in sources)


def test_contacts_come_change_and_go_and_are_told_nothing_before_they_are_proven(administrator: Program) -> None:
    made = administrator.ask("POST", "/contacts", {"address": "Friend@far.example"})
    assert (made.status, made.json["verified_at"], made.json["outside"]) == (201, None, True)
    assert administrator.ask("POST", "/contacts", {"address": "friend@far.example"}).status == 422
    changed = administrator.ask("PATCH", "/contacts/friend@far.example", {"wants": ["dns", "server"]})
    assert changed.json["wants"] == ["server", "dns"]
    assert administrator.ask("POST", "/contacts/friend@far.example/link").status == 204
    listed = administrator.get("/contacts")
    assert ([one["address"] for one in listed["items"]], listed["reachable"]) == (["Friend@far.example"], False)
    assert [administrator.ask("DELETE", "/contacts/friend@far.example").status for _ in range(2)] == [204, 404]


def test_attack_18_each_sees_the_messages_that_are_his(server: Server, administrator: Program) -> None:
    paul, ringo = program(server, "paul@mydomain.zz"), program(server, "ringo@mydomain.zz")
    deliver(server, "paul@mydomain.zz", "for paul alone")
    server.wait(lambda: administrator.get("/messages", search="for paul alone")["items"])
    (found,) = paul.get("/messages", search="for paul alone")["items"]
    assert found["sender"] == "bert@far.example"
    assert paul.get(f"/messages/{found['id']}")["subject"] == "for paul alone"
    assert ringo.get("/messages", search="for paul alone")["items"] == []
    assert ringo.ask("GET", f"/messages/{found['id']}").status == 404
    page = administrator.get("/messages", limit=1)
    assert page["next"] == page["items"][0]["id"]
    assert administrator.get("/messages", until=1.0)["items"] == []


def test_overview_and_charts_are_numbers(server: Server, administrator: Program) -> None:
    deliver(server, "paul@mydomain.zz", "counted")
    server.wait(lambda: administrator.get("/overview")["pending"] > 0)
    found = administrator.get("/overview")
    assert (found["mailboxes"], found["without_password"]) == (3, 3)
    charts = administrator.get("/charts", period="month")["items"]
    assert {one["what"] for one in charts} == {"received", "sent", "refused", "pending"}
    assert {(one["span"], len(one["bars"])) for one in charts} == {(86_400, 30)}
    assert sum(bar["number"] for one in charts for bar in one["bars"] if one["what"] == "received") > 0


def test_settings_of_a_domain_are_all_there(administrator: Program) -> None:
    switches = dict.fromkeys(("authentication", "learn_recipients", "sender_notices", "stealth"), True)
    assert administrator.ask("PATCH", "/domain", switches).json.items() >= switches.items()
    assert administrator.get("/domain").items() >= switches.items()
    claim = administrator.get("/claims/proven.example")
    assert (claim["name"], claim["yours"]) == ("_emailgency.proven.example", False)
    assert administrator.get("/claims/mydomain.zz")["yours"]
    assert administrator.get("/assistant/access")["incoming"]
    assert "us" in administrator.get("/trust")


def test_an_operator_keeps_customers_and_plans(server: Server, operator: Program) -> None:
    made = operator.ask("POST", "/operator/plans", {"name": "tiny"})
    assert made.status == 201
    assert operator.ask("PATCH", "/operator/plans/tiny", {"mailboxes": 5}).json["mailboxes"] == 5
    assert operator.ask("PATCH", "/operator/plans/tiny", {"mailboxes": 0}).status == 422
    customer = operator.ask("POST", "/operator/customers", {"domain": "third.zz", "plan": "tiny"})
    assert customer.headers["Location"] == f"/eg/api/v1/operator/customers/{customer.json['id']}"
    here = f"/operator/customers/{customer.json['id']}"
    changed = operator.ask("PATCH", here, {"suspended": True, "domain_aliases": ["fourth.zz"]}).json
    assert (changed["suspended"], changed["domain_aliases"]) == (True, ["fourth.zz"])
    assert operator.get(here)["mailboxes"] == 1
    assert operator.ask("DELETE", "/operator/plans/tiny").status == 422
    assert operator.ask("DELETE", "/operator/plans/nothing").status == 404
    lines = operator.get("/operator/audit")["items"]
    assert any(line["who"] == "operator alice" and "API 127.0.0.1" in line["source"] for line in lines)
    assert {"third.zz", "mydomain.zz"} <= {one["domain"] for one in operator.get("/operator/customers")["items"]}
    assert operator.get("/operator/server")["redis"]
    assert isinstance(operator.get("/operator/queues")["items"], list)


def test_attack_18_an_operators_token_is_nobodys_in_a_customer_and_ends_when_it_is_revoked(server: Server) -> None:
    made = server.command("operator token", operator="alice", name="short", read_only=True)
    asker = Program(server.ports["https"], made["token"])
    assert asker.get("/operator/plans")["items"]
    refused: dict[str, Any] = {"name": "other"}
    assert asker.ask("POST", "/operator/plans", refused).status == 403  # it may only read
    for path in ("/me", "/mailboxes", "/domain", "/messages"):
        assert asker.ask("GET", path).status == 403
    listed = server.command("operator tokens", operator="alice")
    assert made["id"] in {one["id"] for one in listed}
    server.command("operator revoke", operator="alice", id=made["id"])
    assert asker.ask("GET", "/operator/plans").status == 401
    assert Program(server.ports["https"], "ego_nobody_" + "x" * 43).ask("GET", "/operator/plans").status == 401
