"""Setting a password by a link in a mail, and what strangers try with it (attack row 19)."""

import contextlib
import email
import email.policy
import os
import re
import threading
from email.message import EmailMessage
from urllib.parse import quote

import pytest

from tests.support.browser import Browser
from tests.support.captcha import ask_link
from tests.support.server import Server
from tests.support.sink import Sink, Taken

PASSWORD, NEW = "Correct-horse1", "Another-pass2"
DOMAIN, HERE = "mydomain.zz", "mydomainzz.emailgency.zz"


@pytest.fixture(scope="module")
def sink():
    with Sink() as sink:
        sink.up()
        yield sink


@pytest.fixture(scope="module")
def dead():
    """A customer's server that refuses connections."""
    with Sink() as dead:
        yield dead


@pytest.fixture(scope="module")
def server(tmp_path_factory, sink: Sink, dead: Sink):
    settings = {
        "credentials": {"memory": 64, "passes": 1},
        "web": {
            "connections": {"per_network": 200},
            "password_links": {"per_address": 6, "per_network": 1000},
            "captcha": {"per_network": 1000},
        },
        "egress": {"networks": ["127.0.0.1/32"], "ports": [sink.port, dead.port]},
    }
    with Server(tmp_path_factory.mktemp("server"), settings).start() as server:
        for domain in (DOMAIN, "other.zz"):
            server.command("customer add", domain=domain, smtp_transport=f"127.0.0.1:{sink.port}")
            server.command("password", address=f"postmaster@{domain}", password=PASSWORD)
        yield server


@pytest.fixture
def browser(server: Server) -> Browser:
    return Browser(server.ports["https"]).log_in(f"postmaster@{DOMAIN}", PASSWORD)


@pytest.fixture
def stranger(server: Server) -> Browser:
    return Browser(server.ports["https"])


@pytest.fixture
def name(server: Server, request: pytest.FixtureRequest) -> str:
    """A mailbox of the test's own."""
    address = f"m{abs(hash(request.node.nodeid)) % 10**9}@{DOMAIN}"
    server.command("mailbox add", address=address)
    return address


def mails(sink: Sink, address: str) -> list[Taken]:
    return [taken for taken in sink.messages if address in taken.recipients]


def read(taken: Taken) -> EmailMessage:
    message = email.message_from_bytes(taken.octets, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def link(taken: Taken) -> str:
    body = read(taken).get_body(("plain",))
    assert body is not None
    [found] = re.findall(r"https://\S+", body.get_content())
    return str(found)


def path(taken: Taken) -> str:
    return link(taken).partition("/eg")[2]


def token(taken: Taken) -> str:
    return link(taken).partition("?token=")[2]


def asked(server: Server, sink: Sink, address: str, count: int = 1) -> Taken:
    """The last of `count` links that somebody asked for at the login page."""
    for _ in range(count):
        before = len(mails(sink, address))
        assert ask_link(server, Browser(server.ports["https"]), address).status == 200
        server.wait(lambda before=before: len(mails(sink, address)) == before + 1)
    return mails(sink, address)[-1]


def redeem(server: Server, secret: str, password: str = NEW) -> int:
    fields = {"token": secret, "new": password, "again": password}
    return Browser(server.ports["https"]).post("/password", fields).status


# ---- the deed ---------------------------------------------------------------------------------------------------


def test_who_is_invited_sets_his_password_behind_the_link(server: Server, browser: Browser, sink: Sink) -> None:
    for one in ("paul", "ringo"):
        server.command("mailbox add", address=f"{one}@{DOMAIN}")
    server.command("mailbox set", address=f"paul@{DOMAIN}", forward=["paul@home.example"])
    ticked = {"address": [f"paul@{DOMAIN}", f"ringo@{DOMAIN}"], "deed": "password"}
    assert browser.post("/mailboxes", ticked).away == "/eg/mailboxes"
    assert f"paul@{DOMAIN}, ringo@{DOMAIN}" in browser.get("/mailboxes").text
    [taken] = mails(sink, f"paul@{DOMAIN}")  # there already: nobody waits for a queue
    assert (taken.sender, taken.recipients) == ("", (f"paul@{DOMAIN}",))
    message = read(taken)
    assert message.get_content_type() == "multipart/alternative"
    assert (message["Auto-Submitted"], message["Content-Language"]) == ("auto-generated", "en")
    assert message["From"].addresses[0].addr_spec == f"postmaster@{HERE}"
    text, html = (message.get_body((kind,)).get_content().replace("\r\n", "\n") for kind in ("plain", "html"))
    assert text.rstrip().endswith(f"-- \n{DOMAIN}")
    assert "within 7 days" in text
    assert text.count(link(taken)) == 1
    assert f'href="{link(taken)}"' in html
    assert "<script" not in html
    assert server.command("pending list")["messages"] == []
    shown = server.command("mailbox show", address=f"paul@{DOMAIN}")
    assert sum(folder["messages"] for folder in shown["folders"]) == 0  # never stored here
    assert len(mails(sink, "paul@home.example")) == 0
    assert f"invitation to set a password mailed to paul@{DOMAIN}, ringo@{DOMAIN}" in browser.get("/audit").text

    person = Browser(server.ports["https"])
    form = person.get(path(taken))
    assert f"paul@{DOMAIN}" in form.text
    fields = {"token": token(taken), "new": NEW, "again": NEW}
    assert "Your password is set" in person.post("/password", fields, Origin="null").text  # what no-referrer makes
    Browser(server.ports["https"]).log_in(f"paul@{DOMAIN}", NEW)


def test_the_mail_is_in_the_customers_language(server: Server, browser: Browser, sink: Sink, name: str) -> None:
    browser.post("/domain/language", {"language": "fr"})
    taken = asked(server, sink, name)
    browser.post("/domain/language", {"language": "en"})
    message = read(taken)
    assert message["Subject"] == f"Un nouveau mot de passe pour {name}"
    assert message["Content-Language"] == "fr"
    assert "pendant 1 heure" in message.get_body(("plain",)).get_content()


def test_a_weak_or_mistyped_password_uses_nothing_up(server: Server, stranger: Browser, sink: Sink, name: str) -> None:
    secret = token(asked(server, sink, name))
    differ = stranger.post("/password", {"token": secret, "new": NEW, "again": "x"})
    assert (differ.status, "differ" in differ.text) == (400, True)
    weak = stranger.post("/password", {"token": secret, "new": "password", "again": "password"})
    assert (weak.status, "too easy" in weak.text) == (400, True)
    assert redeem(server, secret) == 200


def test_a_server_that_is_down_is_told_with_the_way_by_hand(server: Server, dead: Sink) -> None:
    server.command("customer add", domain="dead.zz", smtp_transport=f"127.0.0.1:{dead.port}")
    server.command("password", address="postmaster@dead.zz", password=PASSWORD)
    there = Browser(server.ports["https"]).log_in("postmaster@dead.zz", PASSWORD)
    ticked = {"address": "postmaster@dead.zz", "deed": "password"}
    answer = there.post("/mailboxes", ticked)
    assert answer.status == 200
    assert "did not arrive" in answer.text
    assert "Connection was refused" in answer.text
    assert 'href="/eg/mailboxes/postmaster%40dead.zz#password-form"' in answer.text
    assert server.command("pending list", customer="dead.zz")["messages"] == []
    there.post("/domain/relay", {"relay": "none"})
    assert "no server of your own" in there.post("/mailboxes", ticked).text


# ---- attack row 19 ----------------------------------------------------------------------------------------------


def test_attack_19_a_link_is_used_once_however_many_use_it_at_once(server: Server, sink: Sink, name: str) -> None:
    secret = token(asked(server, sink, name))
    results: list[int] = []
    threads = [
        threading.Thread(target=lambda n=n: results.append(redeem(server, secret, f"Race-home-{n}"))) for n in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [200] + 5 * [410]
    assert redeem(server, secret) == 410


def test_attack_19_looking_uses_nothing_up_and_tells_nobody(
    server: Server, stranger: Browser, sink: Sink, name: str
) -> None:
    taken = asked(server, sink, name)
    for _ in range(3):  # a scanner of mail follows links
        page = stranger.get(path(taken))
        assert page.status == 200
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert page.headers["Cache-Control"] == "no-store"
        assert not re.search(r'(?:src|href)="(?:https?:)?//', page.text)
    wrong = stranger.post("/password", {"token": token(taken), "new": "a", "again": "b"})
    assert wrong.headers["Referrer-Policy"] == "no-referrer"
    assert redeem(server, token(taken)) == 200


def test_attack_19_another_password_makes_all_links_worthless(server: Server, sink: Sink, name: str) -> None:
    first, second, third = (token(asked(server, sink, name)) for _ in range(3))
    assert redeem(server, second) == 200
    assert redeem(server, first) == 410
    server.command("password", address=name, password=PASSWORD)
    assert redeem(server, third) == 410
    Browser(server.ports["https"]).log_in(name, PASSWORD)


def test_attack_19_a_link_opens_no_mailbox_that_has_the_name_afterwards(server: Server, sink: Sink, name: str) -> None:
    secret = token(asked(server, sink, name))
    server.command("mailbox remove", address=name)
    server.command("mailbox add", address=name)
    assert redeem(server, secret) == 410


def test_attack_19_a_reset_ends_all_sessions(server: Server, sink: Sink, name: str) -> None:
    server.command("password", address=name, password=PASSWORD)
    thief = Browser(server.ports["https"]).log_in(name, PASSWORD)
    assert thief.get(f"/mailboxes/{name}").status == 200
    assert redeem(server, token(asked(server, sink, name))) == 200
    assert thief.get(f"/mailboxes/{name}").away == "/eg/login"


@pytest.mark.parametrize("guess", ["", "x", "A" * 43, "A" * 5000, "%00", "../../x", "é" * 50])
def test_attack_19_a_guess_is_worth_nothing(server: Server, stranger: Browser, guess: str) -> None:
    assert stranger.get(f"/password?token={quote(guess)}").status == 410
    assert redeem(server, guess) == 410


def test_attack_19_the_token_lies_nowhere(server: Server, stranger: Browser, sink: Sink, name: str) -> None:
    taken = asked(server, sink, name)
    stranger.get(path(taken))
    secret = token(taken).encode()
    assert len(secret) == 43  # 256 bits
    looked = 0
    for folder, _, files in os.walk(server.folder):
        for file in files:
            place = os.path.join(folder, file)
            with contextlib.suppress(FileNotFoundError):  # a file of the server that came and went
                if os.path.isfile(place):
                    looked += 1
                    with open(place, "rb") as stream:
                        assert secret not in stream.read(), place
    assert looked > 5
    assert redeem(server, secret.decode()) == 200


@pytest.mark.parametrize(
    ("host", "headers", "status"),
    [
        ("evil.example", {}, 421),
        (HERE, {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}, 200),
        (HERE, {"X-Original-URL": "https://evil.example/", "X-Host": "evil.example"}, 200),
        ("otherzz.emailgency.zz", {}, 200),  # another customer's
        ("localhost", {}, 200),
    ],
)
def test_attack_19_no_host_of_a_request_gets_into_the_link(
    server: Server, sink: Sink, name: str, host: str, headers: dict[str, str], status: int
) -> None:
    answer = ask_link(server, Browser(server.ports["https"], host), name, **headers)
    assert answer.status == status
    if status == 200:
        server.wait(lambda: mails(sink, name))
        [taken] = mails(sink, name)
        assert link(taken).startswith(f"https://{HERE}:{server.ports['https']}/eg/password?token=")
        assert b"evil" not in taken.octets


def test_attack_19_two_hosts_are_none(server: Server, sink: Sink, name: str) -> None:
    import http.client

    from tests.support.browser import _UNCHECKED

    line = http.client.HTTPSConnection("127.0.0.1", server.ports["https"], context=_UNCHECKED, timeout=20)
    line.putrequest("POST", "/eg/forgotten", skip_host=True)
    body = f"name={name}".encode()
    for field, value in (("Host", HERE), ("Host", "evil.example"), ("Content-Length", str(len(body)))):
        line.putheader(field, value)
    line.endheaders(body)
    assert line.getresponse().status == 400
    line.close()
    assert not mails(sink, name)


def test_attack_19_the_mail_goes_where_the_directory_says(
    server: Server, stranger: Browser, sink: Sink, name: str
) -> None:
    local = name.partition("@")[0]
    before = len(sink.messages)
    for typed in (
        f"{name},thief@far.example",
        f"{name} thief@far.example",
        f"{name}\r\nBcc: thief@far.example",
        f"{local}@mydoma\u0131n.zz",  # a dotless i
        f"{local}@far.example",
        f"<{name}>",
        f"{local}@@{DOMAIN}",
    ):
        assert ask_link(server, stranger, typed).status == 200
    assert ask_link(server, stranger, [name.upper(), "thief@far.example"]).status == 200
    server.wait(lambda: mails(sink, name))
    assert [taken.recipients for taken in sink.messages[before:]] == [(name,)]
    assert b"thief" not in mails(sink, name)[0].octets


def test_attack_19_nobody_learns_which_addresses_exist(
    server: Server, stranger: Browser, sink: Sink, name: str
) -> None:
    known, unknown = (ask_link(server, stranger, one) for one in (name, f"nobody-there@{DOMAIN}"))
    assert known.status == unknown.status == 200
    assert known.text.replace(name, "?") == unknown.text.replace(f"nobody-there@{DOMAIN}", "?")
    server.wait(lambda: mails(sink, name))


def test_attack_19_nobody_floods_a_mailbox_with_links(server: Server, stranger: Browser, sink: Sink, name: str) -> None:
    asked(server, sink, name, 6)
    assert ask_link(server, stranger, name).status == 429
    unknown = [ask_link(server, stranger, f"nobody-here@{DOMAIN}").status for _ in range(8)]
    assert unknown == 6 * [200] + 2 * [429]
    other = name.replace(DOMAIN, HERE)  # the same mailbox by another name
    assert ask_link(server, stranger, other).status == 200
    server.wait(lambda: f"password link refused: '{other}'" in server.log())
    assert len(mails(sink, name)) == 6


def test_attack_19_an_administrator_invites_nobody_elses_people(server: Server, sink: Sink, name: str) -> None:
    there = Browser(server.ports["https"]).log_in("postmaster@other.zz", PASSWORD)
    assert there.post("/mailboxes", {"address": name, "deed": "password"}).status == 400
    assert not mails(sink, name)


def test_attack_21_what_is_typed_never_becomes_markup(server: Server, stranger: Browser) -> None:
    for typed in ('"><script>alert(1)</script>', '"><script>alert(1)</script>@mydomain.zz'):
        assert "<script" not in ask_link(server, stranger, typed).text
    assert "<script" not in stranger.get("/password?token=%22%3E%3Cscript%3E").text
