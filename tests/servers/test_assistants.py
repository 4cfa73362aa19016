"""The assistants, for everybody: what to publish, how to reach a mailbox; and that they tell nothing else."""

import http.client
import json
import plistlib
import re
import ssl
from xml.etree import ElementTree

import pytest

from emailgency.codec.autodiscover import OUTLOOK
from emailgency.command.failure import CommandFailed
from tests.support.browser import Browser
from tests.support.dns_thread import DnsThread
from tests.support.server import Server
from tests.support.sink import Sink

PASSWORD = "Correct-horse1"
ALTERNATE = "mydomainzz.emailgency.zz"
QUESTION = (
    '<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"><Request>'
    f"<EMailAddress>%s</EMailAddress><AcceptableResponseSchema>{OUTLOOK}</AcceptableResponseSchema></Request>"
    "</Autodiscover>"
)


@pytest.fixture(scope="module")
def names():
    with DnsThread() as names:
        names.zone |= {
            ("mx.emailgency.zz", "A"): ["198.51.100.7"],
            (ALTERNATE, "A"): ["198.51.100.7"],
            ("mail.mydomain.zz", "A"): ["203.0.113.5"],
            ("mydomain.zz", "MX"): ["10 mail.mydomain.zz."],
            ("mydomain.zz", "TXT"): ['"v=spf1 mx -all"'],
            ("stranger.zz", "MX"): ["10 inner.stranger.zz."],
            ("inner.stranger.zz", "A"): ["10.1.2.3"],
        }
        yield names


@pytest.fixture(scope="module")
def sink():
    with Sink() as sink:
        sink.up()
        yield sink


@pytest.fixture(scope="module")
def server(tmp_path_factory, names: DnsThread, sink: Sink):
    settings = {
        "credentials": {"memory": 64, "passes": 1},
        "web": {"connections": {"per_network": 200}},
        "dns": {"addresses": [names.address], "ipv6": False},
        "egress": {"networks": ["198.51.100.0/24", "203.0.113.0/24", "127.0.0.1/32"], "ports": [25, sink.port]},
        "assistant": {"per_network": 60},
    }
    with Server(tmp_path_factory.mktemp("server"), settings).start() as server:
        for domain in ("mydomain.zz", "other.zz"):
            server.command("customer add", domain=domain)
            server.command("password", address=f"postmaster@{domain}", password=PASSWORD)
        yield server


@pytest.fixture
def stranger(server: Server) -> Browser:
    return Browser(server.ports["https"], "mx.emailgency.zz")


def check(browser: Browser, domain: str, role: str = "backup"):
    return browser.post("/assistant/dns", {"domain": domain, "role": role})


# ---- records -----------------------------------------------------------------------------------------------------


def test_the_login_page_leads_to_both_assistants(stranger: Browser) -> None:
    page = stranger.get("/login").text
    for path in ("/eg/assistant/dns", "/eg/assistant/mail"):
        assert f'href="{path}"' in page
        assert stranger.get(path.removeprefix("/eg")).status == 200


def test_whoever_types_a_domain_sees_what_to_type(stranger: Browser) -> None:
    page = check(stranger, "MyDomain.zz").text
    assert "mydomain.zz is not ready yet" in page
    assert f"20 {ALTERNATE}" in page
    assert "v=spf1 mx a:mx.emailgency.zz -all" in page
    assert f"10 {ALTERNATE}" in check(stranger, "mydomain.zz", "none").text
    assert "20 mail.mydomain.zz" in check(stranger, "mydomain.zz", "primary").text


@pytest.mark.parametrize("domain", ["", "no", "-.zz", "a@b.zz", "<script>", "127.0.0.1", "x." * 200 + "zz", "a\tb.zz"])
def test_what_is_no_domain_is_said_and_not_looked_up(stranger: Browser, names: DnsThread, domain: str) -> None:
    before = len(names.asked)
    answer = check(stranger, domain)
    assert answer.status == 400
    assert "<script>" not in answer.text
    assert len(names.asked) == before


@pytest.mark.parametrize(
    "domain", ["db.internal", "router.lan", "mx.emailgency.zz", "x.localhost", "1.10.in-addr.arpa"]
)
def test_attack_15_inner_names_are_nobodys_to_ask(stranger: Browser, names: DnsThread, domain: str) -> None:
    before = len(names.asked)
    assert check(stranger, domain).status == 400
    assert len(names.asked) == before


def test_attack_15_addresses_inside_are_not_shown(stranger: Browser) -> None:
    page = check(stranger, "stranger.zz").text
    assert "(not public)" in page
    assert "10.1.2.3" not in page
    assert "inner" not in page


def test_attack_08_no_answer_tells_which_domains_are_customers(server: Server, names: DnsThread) -> None:
    """A customer's domain and one that never was here, published alike, are answered alike on every host."""
    for host in ("mx.emailgency.zz", ALTERNATE, "127.0.0.1"):
        pages = []
        for domain in ("other.zz", "othex.zz"):
            names.zone[domain, "MX"] = [f"10 mail.{domain}."]
            names.zone[f"mail.{domain}", "A"] = ["203.0.113.9"]
            answer = check(Browser(server.ports["https"], host), domain)
            pages.append((answer.status, answer.text.replace(domain, "X").replace(domain.replace(".", ""), "X")))
        assert pages[0] == pages[1]


def test_attack_16_one_look_costs_a_bounded_number_of_questions(stranger: Browser, names: DnsThread) -> None:
    names.zone["many.zz", "MX"] = [f"{number} n{number}.many.zz." for number in range(30)]
    names.zone["many.zz", "TXT"] = ['"v=spf1 ' + " ".join(f"include:i{n}.many.zz" for n in range(9)) + ' -all"']
    for number in range(9):
        names.zone[f"i{number}.many.zz", "TXT"] = ['"v=spf1 mx:many.zz -all"']
    before = len(names.asked)
    assert check(stranger, "many.zz").status == 200
    assert len(names.asked) - before <= 40


def test_attack_15_what_a_domain_publishes_never_runs(stranger: Browser, names: DnsThread) -> None:
    names.zone["evil.zz", "MX"] = [r"10 \<script\>alert\(1\)\</script\>.evil.zz."]
    names.zone["evil.zz", "TXT"] = [r'"v=spf1 <img src=x onerror=alert(1)> -all"']
    page = check(stranger, "evil.zz").text
    assert "<script>alert" not in page
    assert "<img" not in page


# ---- the administrator's own ---------------------------------------------------------------------------------------


def test_an_administrator_sees_his_records_and_what_changed(server: Server, names: DnsThread) -> None:
    browser = Browser(server.ports["https"]).log_in("postmaster@mydomain.zz", PASSWORD)
    page = browser.get("/domain/dns").text
    assert f"20 {ALTERNATE}" in page
    assert "Make a key" in page
    assert browser.post("/domain/dns/key").away == "/eg/domain/dns"
    page = browser.get("/domain/dns").text
    assert "Make a key" not in page
    assert "v=DKIM1; k=rsa; p=" in page
    assert "not in order" in browser.get("/overview").text
    assert "other.zz" not in browser.get("/domain/dns?domain=other.zz").text


def test_the_commands_say_the_same(server: Server) -> None:
    found = server.command("dns check", customer="mydomain.zz")
    assert {"step": "add", "name": "mydomain.zz", "type": "MX", "value": f"20 {ALTERNATE}"} in found["to_type"]
    shown = server.command("dns show", customer="mydomain.zz")
    assert {row["record"]: row["standing"] for row in shown["records"]}["mx"] == "missing"
    assert {row["customer"] for row in server.command("dns show")} >= {"mydomain.zz"}


def test_an_administrator_claims_a_domain(server: Server, names: DnsThread) -> None:
    browser = Browser(server.ports["https"]).log_in("postmaster@mydomain.zz", PASSWORD)
    page = browser.get("/domain/names?domain=more.zz").text
    record = re.search("emailgency-domain=[a-z2-7]{32}", page)
    assert record
    assert "not there yet" in browser.post("/domain/names/claim", {"domain": "more.zz"}).text
    names.zone["_emailgency.more.zz", "TXT"] = [f'"{record[0]}"']
    assert browser.post("/domain/names/claim", {"domain": "more.zz"}).away == "/eg/domain/names"
    assert "more.zz" in browser.get("/domain").text
    other = Browser(server.ports["https"]).log_in("postmaster@other.zz", PASSWORD)
    assert "not there yet" in other.post("/domain/names/claim", {"domain": "more.zz"}).text


def test_domains_are_claimed_granted_and_removed_by_command(server: Server, names: DnsThread) -> None:
    shown = server.command("domain record", domain="third.zz", customer="other.zz")
    assert shown["proof"] == "missing"
    names.zone[shown["name"], "TXT"] = [f'"{shown["record"]}"']
    server.command("domain claim", domain="third.zz", customer="other.zz")
    server.command("domain grant", domain="fourth.zz", customer="other.zz")
    kinds = {row["domain"]: row["kind"] for row in server.command("domain list", customer="other.zz")}
    assert kinds == {
        "other.zz": "main",
        "third.zz": "alias",
        "fourth.zz": "alias",
        "otherzz.emailgency.zz": "alternate",
    }
    server.command("domain remove", domain="fourth.zz", customer="other.zz")
    with pytest.raises(CommandFailed, match="does not show"):
        server.command("customer add", domain="new.zz", proven=True)
    proof = server.command("domain record", domain="new.zz")
    names.zone[proof["name"], "TXT"] = [f'"{proof["record"]}"']
    assert server.command("customer add", domain="new.zz", proven=True)["domain"] == "new.zz"


def test_an_administrator_tests_whether_his_server_trusts_us(server: Server, sink: Sink) -> None:
    server.command("customer set", customer="other.zz", smtp_transport=f"127.0.0.1:{sink.port}")
    browser = Browser(server.ports["https"]).log_in("postmaster@other.zz", PASSWORD)
    page = browser.get("/domain/trust").text
    assert "198.51.100.7  permit" in page
    assert "mx.emailgency.zz" in page
    answer = browser.post("/domain/trust/test", {"address": "paul@other.zz"})
    assert answer.text.count("250 taken") == 2
    assert "Your server takes both" in answer.text
    assert [taken.recipients for taken in sink.messages] == [("paul@other.zz",)] * 2
    assert browser.post("/domain/trust/test", {"address": "paul@mydomain.zz"}).status == 400
    assert len(sink.messages) == 2


# ---- mail programs -------------------------------------------------------------------------------------------------


def ask(server: Server, method: str, path: str, body: str = "", host: str = ALTERNATE, tls: bool = True):
    port = server.ports["https" if tls else "http"]
    context = ssl._create_unverified_context()
    line = (
        http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=20)
        if tls
        else http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    )
    line.request(method, path, body.encode() or None, {"Host": f"{host}:{port}", "Content-Type": "text/xml"})
    answer = line.getresponse()
    octets = answer.read()
    line.close()
    return answer, octets


def test_the_mail_page_shows_doors_a_code_and_a_profile(server: Server, stranger: Browser) -> None:
    assert "Give your address" not in stranger.get("/assistant/mail").text
    page = stranger.get("/assistant/mail?address=Paul@MyDomain.zz").text
    assert f"<code>{ALTERNATE}</code>" in page
    assert str(server.ports["imaps"]) in page
    assert "<svg" in page
    link = re.search(r'href="/eg(/assistant/profile[^"]+)"', page)
    assert link
    answer = stranger.get(link[1])
    assert answer.headers["Content-Type"] == "application/x-apple-aspen-config"
    assert 'filename="mydomain.zz.mobileconfig"' in answer.headers["Content-Disposition"]
    [account] = plistlib.loads(answer.text.encode())["PayloadContent"]
    assert account["IncomingMailServerUsername"] == "paul@mydomain.zz"
    assert account["IncomingMailServerPortNumber"] == server.ports["imaps"]
    own = Browser(server.ports["https"]).get("/assistant/mail").text
    assert f"<code>{ALTERNATE}</code>" in own  # the host says whose it is


def test_attack_08_the_mail_page_does_not_tell_which_addresses_exist(stranger: Browser) -> None:
    known = stranger.get("/assistant/mail?address=postmaster@mydomain.zz").text
    other = stranger.get("/assistant/mail?address=nobodyxxxx@mydomain.zz").text
    assert known.replace("postmaster", "X") == other.replace("nobodyxxxx", "X")
    for path in ("/assistant/mail", "/assistant/profile"):
        for address in ("nobody", "<script>@x.zz", "a@elsewhere.zz", '"><b>"@mydomain.zz', "a%0Ab@mydomain.zz"):
            answer = stranger.get(f"{path}?address={address}")
            assert answer.status in (400, 404) or "<b>" in address  # quoted, it is an address
            assert "<script>" not in answer.text
            assert "<b>" not in answer.text


def test_outlook_finds_its_settings(server: Server) -> None:
    for path in ("/autodiscover/autodiscover.xml", "/Autodiscover/Autodiscover.xml"):
        answer, octets = ask(server, "POST", path, QUESTION % "Paul@MyDomain.zz")
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("application/xml")
        space = "{" + OUTLOOK + "}"
        told = [
            (one.findtext(f"{space}Type"), one.findtext(f"{space}Server"), one.findtext(f"{space}LoginName"))
            for one in ElementTree.fromstring(octets).iter(f"{space}Protocol")
        ]
        assert ("IMAP", ALTERNATE, "paul@mydomain.zz") in told
        assert ("SMTP", ALTERNATE, "paul@mydomain.zz") in told
    for path in (
        "/autodiscover/autodiscover.json?Email=paul@mydomain.zz&Protocol=Autodiscoverv1",
        "/autodiscover/autodiscover.json/v1.0/paul%40mydomain.zz?Protocol=AutodiscoverV1",
    ):
        place = json.loads(ask(server, "GET", path)[1])["Url"]
        assert place == f"https://{ALTERNATE}:{server.ports['https']}/autodiscover/autodiscover.xml"
    answer, _ = ask(server, "GET", "/autodiscover/autodiscover.xml", host="autodiscover.mydomain.zz", tls=False)
    assert (answer.status, answer.headers["Location"]) == (302, place)


def test_outlook_is_refused_in_its_own_form(server: Server) -> None:
    xml, json_ = "/autodiscover/autodiscover.xml", "/autodiscover/autodiscover.json"
    assert ask(server, "POST", xml, "nonsense")[0].status == 400
    for address in ("paul@elsewhere.zz", "nobody", "&lt;script&gt;@x"):
        answer, octets = ask(server, "POST", xml, QUESTION % address)
        assert answer.status == 200
        assert b"<ErrorCode>500</ErrorCode>" in octets
        assert b"script" not in octets
    mobile = QUESTION.replace("outlook/responseschema", "mobilesync/responseschema")
    assert b"<ErrorCode>601</ErrorCode>" in ask(server, "POST", xml, mobile % "paul@mydomain.zz")[1]
    assert ask(server, "GET", f"{json_}?Email=paul@elsewhere.zz")[0].status == 404
    assert ask(server, "GET", f"{json_}?Email=paul@mydomain.zz&Protocol=ActiveSync")[0].status == 404
    assert ask(server, "GET", xml, host="autodiscover.elsewhere.zz")[0].status == 404
    assert ask(server, "POST", xml, "<a>" * 30_000)[0].status == 413


# ---- at the end: this leaves nothing for the others -----------------------------------------------------------------


def test_attack_16_a_network_that_asks_too_often_waits(stranger: Browser) -> None:
    answers = [check(stranger, "mydomain.zz").status for _ in range(80)]
    assert answers[-1] == 429
    assert "Try again in a minute" in check(stranger, "mydomain.zz").text
    assert stranger.get("/assistant/mail?address=paul@mydomain.zz").status == 200
