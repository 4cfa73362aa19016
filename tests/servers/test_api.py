"""The JSON API: what its document says is what is served, to whom it may be, and nothing more."""

import http.client
import json
import os
import re
import smtplib
from typing import Any

import msgspec
import pytest

from emailgency.assembly.api import described
from emailgency.servers.web.api.api import Problem
from emailgency.servers.web.api.document import document, operation_id
from emailgency.servers.web.api.operation import Operation, Who
from tests.support.api import Answer, Program
from tests.support.browser import Browser
from tests.support.console_people import PASSWORD, PEOPLE, begun
from tests.support.server import ROOT, Server

OPERATIONS = described()
# What each operation is asked with, so that it comes as far as its deed; "{own}" is the asker's own address.
ASKED: dict[str, dict[str, Any]] = {
    "add_mailbox": {"body": {"address": "made.by.api"}},
    "invite": {"body": {"addresses": ["{own}"]}},
    "change_mailbox": {"body": {"keep_copy": True}},
    "set_password": {"body": {"password": PASSWORD, "present": PASSWORD}},
    "put_alias": {"body": {"mailbox": "postmaster"}},
    "put_list": {"body": {"members": ["postmaster"]}},
    "do_to_addresses": {"body": {"kind": "banished", "deed": "remove", "addresses": ["nobody"]}},
    "do_to_pending": {"body": {"deed": "hold", "ids": ["nothing"]}},
    "add_rule": {"body": {"sender": "", "recipient": "nobody@*"}},
    "change_domain": {"body": {"stealth": False}},
    "check_records": {"query": {"domain": "localhost"}},
    "test_trust": {"body": {"address": "nobody@nowhere.example"}},
    "add_contact": {"body": {"address": "{own}"}},
    "change_contact": {"body": {"wants": ["server"]}},
    "add_customer": {"body": {"domain": "third.zz"}},
    "change_customer": {"body": {"suspended": False}},
    "add_plan": {"body": {"name": "tiny"}},
    "change_plan": {"body": {"mailboxes": 5}},
}
PLACES = {"put_alias": "an.alias", "remove_alias": "an.alias", "put_list": "a.list", "remove_list": "a.list"}
PLACES |= {"banish_address": "a.spammer", "remove_banished": "a.spammer", "remove_mailbox": "made.by.api"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with begun(tmp_path_factory.mktemp("server")) as server:
        yield server


def program(server: Server, who: str, **more: object) -> Program:
    if who == "operator":
        made = server.command("operator token", operator=PEOPLE[who], name="a test", **more)
    else:
        made = server.command("token add", address=PEOPLE[who], name="a test", **more)
    return Program(server.ports["https"], made["token"])


@pytest.fixture(scope="module")
def administrator(server: Server) -> Program:
    return program(server, "administrator")


def place(operation: Operation, own: str) -> str:
    name = operation_id(operation)
    address = PLACES.get(name, own)
    path = operation.path.replace("<address>", address).replace("<id>", "nothing")
    return path.replace("<plan>", "tiny").replace("<domain>", "proven.example")


def query(operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = ASKED.get(operation_id(operation), {}).get("query", {})
    return found


def asked(operation: Operation, own: str) -> Any:
    body = ASKED.get(operation_id(operation), {}).get("body")
    return None if body is None else json.loads(json.dumps(body).replace("{own}", own))


def problem(answer: Answer) -> Problem:
    assert answer.headers["Content-Type"] == "application/problem+json"
    found = msgspec.json.decode(answer.octets, type=Problem)
    assert found.status == answer.status
    return found


# ---- the document ----------------------------------------------------------------------------------------------


def test_the_file_in_docs_is_what_the_operations_say() -> None:
    with open(os.path.join(ROOT, "docs", "openapi.json"), "rb") as file:
        kept = file.read()
    assert kept == document(OPERATIONS), "python -m emailgency.assembly.api > docs/openapi.json makes it anew"


def test_document_and_routes_are_the_same(server: Server) -> None:
    told = Program(server.ports["https"]).ask("GET", "/openapi.json", root="/eg/api")
    assert (told.status, told.headers["Content-Type"]) == (200, "application/json")
    found = told.json
    written = {
        (method.upper(), path, operation["operationId"])
        for path, methods in found["paths"].items()
        for method, operation in methods.items()
    }
    served = {(one.method, re.sub("<([a-z]+)>", r"{\1}", one.path), operation_id(one)) for one in OPERATIONS}
    assert written == served
    assert len({id for _, _, id in written}) == len(OPERATIONS)


def test_the_document_is_openapi_and_every_reference_leads_somewhere() -> None:
    found = json.loads(document(OPERATIONS))
    assert found["openapi"].startswith("3.1.")
    for reference in set(re.findall(r'"\$ref": "#/components/([a-z]+)/([A-Za-z0-9]+)"', json.dumps(found))):
        assert reference[1] in found["components"][reference[0]], reference
    for path, methods in found["paths"].items():
        for operation in methods.values():
            wanted = set(re.findall("{([a-z]+)}", path))
            assert wanted == {one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"}
            assert operation["responses"].keys() & {"200", "201", "204"}


# ---- who gets where --------------------------------------------------------------------------------------------


def test_attack_18_every_operation_lets_in_whom_it_names_and_answers_in_its_shape(server: Server) -> None:
    programs = {who: program(server, who) for who in PEOPLE}
    for operation in sorted(OPERATIONS, key=lambda one: one.method == "DELETE"):
        name = operation_id(operation)
        for who, address in [("anonymous", ""), *PEOPLE.items()]:
            asker = programs.get(who, Program(server.ports["https"]))
            own = address or "x"
            answer = asker.ask(operation.method, place(operation, own), asked(operation, own), **query(operation))
            if who == "anonymous":
                expected = {401}
            elif not lets_in(operation.who, who):
                expected = {403}
            else:
                expected = {200, 201, 202, 204, 404, 422}
            assert answer.status in expected, (name, who, answer.status, answer.octets)
            assert not answer.headers.get_all("Set-Cookie")
            assert answer.headers["Cache-Control"] == "no-store"
            if answer.status >= 400:
                problem(answer)
            elif answer.status == 204:
                assert (operation.answer, answer.octets) == (None, b"")
            else:
                msgspec.json.decode(answer.octets, type=operation.answer, strict=True)
                assert (answer.status == 201) <= operation.makes
                assert (answer.status == 202) <= operation.later


def lets_in(whom: Who, who: str) -> bool:
    if whom is Who.OPERATOR or who == "operator":
        return whom is Who.OPERATOR and who == "operator"
    return whom is Who.USER or "administrator" in who


def test_every_operation_that_answers_has_answered_something(server: Server, administrator: Program) -> None:
    """The matrix would be content with refusals alone."""
    for operation in OPERATIONS:
        if operation.method == "GET" and "<" not in operation.path and operation_id(operation) != "check_records":
            asker = program(server, "operator") if operation.who is Who.OPERATOR else administrator
            answer = asker.ask("GET", operation.path, **query(operation))
            assert answer.status == 200, operation.path
            msgspec.json.decode(answer.octets, type=operation.answer)


@pytest.mark.parametrize("who", ["user", "other administrator"])
def test_attack_18_nobody_reaches_what_is_anothers_by_naming_it(server: Server, who: str) -> None:
    asker = program(server, who)
    before = server.command("mailbox show", address="ringo@mydomain.zz")
    there = "/mailboxes/ringo@mydomain.zz"
    for method, path, body in (
        ("GET", there, None),
        ("PATCH", there, {"forwards": ["thief@x.example"]}),
        ("PUT", f"{there}/password", {"password": "Stolen-pass3"}),
        ("DELETE", there, None),
        ("PUT", "/aliases/x", {"mailbox": "ringo@mydomain.zz"}),
        ("PUT", "/lists/x", {"members": ["ringo@mydomain.zz"]}),
        ("PUT", "/banished/ringo@mydomain.zz", None),
        ("GET", "/candidates/ringo@mydomain.zz/messages", None),
    ):
        assert asker.ask(method, path, body).status in (403, 404, 422), (method, path)
    deed = {"kind": "mailbox", "deed": "remove", "addresses": ["ringo@mydomain.zz"]}
    answer = asker.ask("POST", "/deeds", deed)
    assert answer.status == 403 or answer.json["items"][0]["fault"]
    assert server.command("mailbox show", address="ringo@mydomain.zz") == before


def test_a_user_changes_his_own_mailbox_but_not_his_rights(server: Server) -> None:
    paul = program(server, "user")
    answer = paul.ask("PATCH", "/mailboxes/paul", {"forwards": ["paul@home.example"], "keep_copy": True})
    assert (answer.status, answer.json["forwards"]) == (200, ["paul@home.example"])
    for right in ("administrator", "vip", "smtp_denied"):
        assert paul.ask("PATCH", "/mailboxes/paul", {right: True}).status == 422
    new = {"password": "Another-pass2", "present": "guess"}
    assert "present password" in problem(paul.ask("PUT", "/mailboxes/paul/password", new)).detail
    shown = server.command("mailbox show", address="paul@mydomain.zz")
    assert (shown["administrator"], shown["vip"]) == (False, False)


# ---- deeds -----------------------------------------------------------------------------------------------------


def test_addresses_come_change_and_go(server: Server, administrator: Program) -> None:
    made = administrator.ask("POST", "/mailboxes", {"address": "George", "forwards": ["g@home.example"]})
    assert (made.status, made.headers["Location"]) == (201, "/eg/api/v1/mailboxes/george@mydomain.zz")
    assert administrator.ask("POST", "/mailboxes", {"address": "george"}).status == 422
    for path, body, other in (
        ("/aliases/gg", {"mailbox": "george"}, {"mailbox": "ringo"}),
        ("/lists/band", {"members": ["george", "ringo"]}, {"members": ["george"]}),
    ):
        assert [administrator.ask("PUT", path, body).status for _ in range(2)] == [201, 200]
        assert administrator.ask("PUT", path, other).status == 200
    assert administrator.get("/lists")["items"] == [{"address": "band@mydomain.zz", "members": ["george@mydomain.zz"]}]
    assert {"address": "gg@mydomain.zz", "mailbox": "ringo@mydomain.zz"} in administrator.get("/aliases")["items"]
    assert [administrator.ask("PUT", "/banished/spam").status for _ in range(2)] == [201, 200]
    for path in ("/aliases/gg", "/lists/band", "/banished/spam", "/mailboxes/george"):
        assert [administrator.ask("DELETE", path).status for _ in range(2)] == [204, 404]
    audit = administrator.get("/audit")["items"]
    assert any("API 127.0.0.1, token " in line["source"] for line in audit)


def test_an_alias_is_turned_in_one_change_and_one_refused_leaves_it_as_it_was(
    server: Server, administrator: Program
) -> None:
    def changes() -> list[str]:
        return [line["what"] for line in administrator.get("/audit")["items"] if "turned@" in line["what"]]

    def alias() -> Any:
        (found,) = (one for one in administrator.get("/aliases")["items"] if one["address"] == "turned@mydomain.zz")
        return found["mailbox"]

    def put(mailbox: str) -> int:
        return administrator.ask("PUT", "/aliases/turned", {"mailbox": mailbox}).status

    assert put("paul") == 201
    made = changes()
    assert (len(made), put("nobody"), put("postmaster@other.zz"), put("paul")) == (1, 422, 422, 200)
    assert (alias(), changes()) == ("paul@mydomain.zz", made)
    assert put("ringo") == 200
    assert (alias(), len(changes())) == ("ringo@mydomain.zz", 2)
    assert administrator.ask("DELETE", "/aliases/turned").status == 204


def test_long_lists_come_in_pages(server: Server, administrator: Program) -> None:
    for number in range(7):
        server.command("banish", address=f"p{number}@mydomain.zz")
    found, after = [], ""
    while after is not None:
        page = administrator.get("/banished", limit=3, after=after, search="P")
        found += [one["address"] for one in page["items"]]
        after = page["next"]
    assert [one for one in found if re.match("p[0-9]@", one)] == [f"p{number}@mydomain.zz" for number in range(7)]
    for wrong in ({"limit": 0}, {"limit": "x"}, {"what": 1}):
        assert administrator.ask("GET", "/banished", **wrong).status == 400


def test_deeds_on_many_can_be_undone(server: Server, administrator: Program) -> None:
    for name in ("u1", "u2"):
        server.command("banish", address=f"{name}@mydomain.zz")
    asked = {"kind": "banished", "deed": "remove", "addresses": ["u1", "u2", "u3"]}
    answer = administrator.ask("POST", "/deeds", asked).json
    assert [bool(row["fault"]) for row in answer["items"]] == [False, False, True]
    assert answer["can_undo"]
    undone = administrator.ask("POST", f"/deeds/{answer['id']}/undo").json
    assert [row["undone"] for row in undone["items"]] == [True, True, False]
    assert administrator.get(f"/deeds/{answer['id']}") == undone
    assert "u1@mydomain.zz" in str(server.command("banished list", customer="mydomain.zz"))


def test_pending_mail_is_in_hand(server: Server, administrator: Program) -> None:
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"], timeout=20) as client:
        client.sendmail("bert@far.example", ["ringo@mydomain.zz"], "Subject: hello\r\n\r\nthe words\r\n")
    server.wait(lambda: administrator.get("/pending", words="THE WORDS")["items"])
    id = administrator.get("/pending", sender="bert@")["items"][0]["id"]
    assert administrator.get(f"/pending/{id}")["subject"] == "hello"
    row = administrator.ask("POST", "/pending/deeds", {"deed": "hold", "ids": [id]}).json["items"][0]
    assert row["fault"] == ""
    assert administrator.get("/pending", sender="bert@")["items"][0]["held"]
    rule = administrator.ask("POST", "/holds", {"sender": "*@evil.example", "recipient": ""})
    assert rule.status == 201
    assert administrator.get("/holds")["items"][-1]["sender"] == "*@evil.example"
    assert administrator.ask("DELETE", f"/holds/{rule.json['id']}").status == 204
    administrator.ask("POST", "/pending/deeds", {"deed": "drop", "ids": [id]})
    assert problem(administrator.ask("GET", f"/pending/{id}")).detail == f"no message {id} is pending"


# ---- tokens ----------------------------------------------------------------------------------------------------


def test_a_token_is_shown_once_kept_as_a_hash_and_revoked_at_once(server: Server) -> None:
    made = server.command("token add", address=PEOPLE["user"], name="backup script")
    asker = Program(server.ports["https"], made["token"])
    assert asker.get("/me")["address"] == PEOPLE["user"]
    shown = server.command("token list", address=PEOPLE["user"])
    line = next(one for one in shown if one["id"] == made["id"])
    assert (line["name"], line["last_used_from"]) == ("backup script", "127.0.0.1")
    secret = made["token"].rpartition("_")[2]
    folder = os.path.join(server.data, "journal")
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "rb") as file:
            assert secret.encode() not in file.read()
    assert secret not in server.log()
    server.command("token remove", address=PEOPLE["user"], id=made["id"])
    assert asker.ask("GET", "/me").status == 401


def test_a_token_that_may_only_read_changes_nothing(server: Server) -> None:
    reader = program(server, "administrator", read_only=True)
    assert reader.get("/me")["read_only"]
    for operation in OPERATIONS:
        if operation.method != "GET":
            path = place(operation, PEOPLE["user"])
            assert reader.ask(operation.method, path, asked(operation, "x")).status == 403, operation.path


def test_rights_that_are_taken_away_are_gone_in_tokens(server: Server) -> None:
    server.command("mailbox add", address="brian@mydomain.zz", administrator=True)
    made = server.command("token add", address="brian@mydomain.zz", name="x")
    asker = Program(server.ports["https"], made["token"])
    assert asker.ask("GET", "/domain").status == 200
    server.command("mailbox set", address="brian@mydomain.zz", administrator=False)
    assert asker.ask("GET", "/domain").status == 403
    server.command("mailbox remove", address="brian@mydomain.zz")
    assert asker.ask("GET", "/me").status == 401


def test_a_token_revokes_itself_and_no_other_mailboxs(server: Server) -> None:
    asker = program(server, "user")
    other = server.command("token add", address=PEOPLE["other user"], name="x")
    assert asker.ask("DELETE", f"/tokens/{other['id']}").status == 404
    own = asker.get("/me")["token"]
    assert asker.ask("DELETE", f"/tokens/{own}").status == 204
    assert asker.ask("GET", "/me").status == 401


# ---- attacks ---------------------------------------------------------------------------------------------------


def test_attack_20_what_a_browser_sends_by_itself_opens_nothing(server: Server) -> None:
    browser = Browser(server.ports["https"]).log_in(PEOPLE["administrator"], PASSWORD)
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    nobody = Program(server.ports["https"])
    assert nobody.ask("GET", "/domain", headers={"Cookie": cookie}).status == 401
    answer = nobody.ask("OPTIONS", "/domain", headers={"Origin": "https://evil.example"})
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_attack_20_a_form_is_no_request(server: Server, administrator: Program) -> None:
    for kind in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"):
        answer = administrator.ask("PATCH", "/domain", b'{"stealth": true}', {"Content-Type": kind})
        assert answer.status == 415
    assert not administrator.get("/domain")["stealth"]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'{"stealth": "yes"}', b'{"plan": "x"}', b"\xff", b'{"relay": "x"}', b"[" * 60_000],
)
def test_attack_41_what_is_of_no_shape_is_refused(server: Server, administrator: Program, body: bytes) -> None:
    answer = administrator.ask("PATCH", "/domain", body)
    assert answer.status == 400
    problem(answer)


@pytest.mark.parametrize(
    "token",
    ["", "x", "eg_x_y", "eg_" + "a" * 26 + "_" + "A" * 43, "eg_../_" + "A" * 43, "\xff" * 20, "a" * 5000],
)
def test_attack_44_tokens_that_are_none_open_nothing(server: Server, token: str) -> None:
    answer = Program(server.ports["https"]).ask("GET", "/me", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="Emailgency"')


def test_in_clear_no_token_is_looked_at_and_nothing_is_told(server: Server) -> None:
    made = server.command("token add", address=PEOPLE["user"], name="x")
    headers = {"Host": "mydomainzz.emailgency.zz", "Authorization": f"Bearer {made['token']}"}
    for path in ("/eg/api/v1/me", "/eg/api/openapi.json", "/eg/api/v1/nothing"):
        line = http.client.HTTPConnection("127.0.0.1", server.ports["http"], timeout=20)
        line.request("GET", path, headers=headers)
        answer = Answer(line.getresponse())
        line.close()
        assert (problem(answer).status, problem(answer).detail[:10]) == (403, "Use HTTPS."), path


def test_what_is_not_there_is_told_as_a_problem(server: Server, administrator: Program) -> None:
    assert problem(administrator.ask("GET", "/nothing")).status == 404
    answer = administrator.ask("PUT", "/domain", {})
    assert (problem(answer).status, answer.headers["Allow"]) == (405, "GET, PATCH")


def test_attack_28_who_asks_too_often_waits(tmp_path) -> None:
    settings = {"web": {"api": {"per_second": 0.001, "at_once": 3, "failures": 2}}}
    with Server(tmp_path, settings).start() as server:
        server.command("customer add", domain="mydomain.zz")
        made = server.command("token add", address="postmaster@mydomain.zz", name="x")
        asker = Program(server.ports["https"], made["token"])
        assert [asker.ask("GET", "/me").status for _ in range(4)] == [200, 200, 200, 429]
        wrong = Program(server.ports["https"], "wrong")
        answers = [wrong.ask("GET", "/me") for _ in range(3)]
        assert [one.status for one in answers] == [401, 401, 429]
        assert answers[-1].headers["Retry-After"]
