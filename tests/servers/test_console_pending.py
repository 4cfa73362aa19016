"""Pending messages in an administrator's hand: looked at, held, released, tried, given up, dropped, kept."""

import re
import smtplib
from itertools import count

import pytest

from tests.support.browser import Answer, Browser
from tests.support.server import Server
from tests.support.sink import Sink

PASSWORD = "Correct-horse1"
NUMBERS = count(1)


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
    }
    with Server(tmp_path_factory.mktemp("server"), settings).start() as server:
        for domain in ("mydomain.zz", "other.zz"):
            server.command("customer add", domain=domain)
            server.command("password", address=f"postmaster@{domain}", password=PASSWORD)
            server.command("customer set", customer=domain, smtp_transport=f"127.0.0.1:{sink.port}")
        for name in ("paul", "ringo"):
            server.command("mailbox add", address=f"{name}@mydomain.zz")
        yield server


@pytest.fixture
def browser(server: Server) -> Browser:
    return Browser(server.ports["https"]).log_in("postmaster@mydomain.zz", PASSWORD)


def pend(server: Server, words: str = "Dear Paul", recipient: str = "paul@mydomain.zz") -> str:
    """Deliver one more message; its id."""
    sender = f"bert{next(NUMBERS)}@far.example"
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"], timeout=20) as client:
        text = f"From: Bert <{sender}>\r\nTo: {recipient}\r\nSubject: about {sender}\r\n\r\n{words}\r\n"
        client.sendmail(sender, [recipient], text)
    server.wait(lambda: ids(server, sender))
    return ids(server, sender)[0]


def ids(server: Server, sender: str) -> list[str]:
    return [line["id"] for line in server.command("pending list", sender=sender)["messages"]]


def shown(server: Server, id: str) -> dict[str, object]:
    found: dict[str, object] = server.command("pending show", id=id)[0]
    return found


def is_pending(server: Server, id: str) -> bool:
    return id in str(server.command("pending list"))


def act(browser: Browser, deed: str, *ids: str, **fields: object) -> Answer:
    return browser.post("/pending", {"id": list(ids), "deed": deed, **fields})


def test_a_message_is_looked_at_before_anybody_decides(server: Server, browser: Browser) -> None:
    id = pend(server, "A <b>bold</b> word")
    assert f'href="/eg/pending/{id}"' in browser.get("/pending").text
    page = browser.get(f"/pending/{id}").text
    for words in (
        "about bert",
        "paul@mydomain.zz</td>",
        "A &lt;b&gt;bold&lt;/b&gt; word",
        "All header fields",
        "waits",
    ):
        assert words in page


def test_words_are_looked_for_in_the_messages_and_addresses_in_their_envelopes(
    server: Server, browser: Browser
) -> None:
    blue, red = pend(server, "the blue one"), pend(server, "the red one")
    page = browser.get("/pending?words=BLUE+one").text
    assert (blue in page, red in page) == (True, False)
    sender = str(shown(server, red)["sender"])
    page = browser.get(f"/pending?q={sender}").text
    assert (blue in page, red in page) == (False, True)
    assert "words=the" in browser.get("/pending?words=the").text  # kept when the order is changed


def test_it_is_held_and_released_and_the_audit_log_tells_by_whom(server: Server, browser: Browser) -> None:
    id = pend(server)
    assert act(browser, "hold", id).away == f"/eg/pending/{id}"
    page = browser.get(f"/pending/{id}").text
    assert "Messages are held" in page
    assert 'value="release"' in page
    assert 'value="retry"' not in page
    assert shown(server, id)["held"]
    assert "is held already" in act(browser, "hold", id).text
    assert "release it first" in act(browser, "retry", id).text
    act(browser, "release", id)
    assert not shown(server, id)["held"]
    assert act(browser, "retry", id).status == 303
    audit = browser.get("/audit").text
    for words in (f"pending message {id} for paul@mydomain.zz held", "released", f"message {id} made due at once"):
        assert words in audit


def test_what_nothing_brings_back_is_asked_twice(server: Server, browser: Browser) -> None:
    for deed in ("bounce", "drop", "keep"):
        id = pend(server)
        answer = act(browser, deed, id)
        assert (answer.status, "Are you sure?" in answer.text) == (200, True)
        assert "paul@mydomain.zz" in answer.text
        assert is_pending(server, id)
        assert act(browser, deed, id, sure="yes").away == "/eg/pending"
        assert not is_pending(server, id)
        assert browser.get(f"/pending/{id}").status == 400


def test_it_is_kept_in_a_mailbox_of_the_customer(server: Server, browser: Browser) -> None:
    id = pend(server)
    answer = act(browser, "keep", id, mailbox="ringo", sure="yes")
    assert answer.status == 303
    box = server.command("mailbox show", address="ringo@mydomain.zz")
    server.wait(
        lambda: sum(one["messages"] for one in server.command("mailbox show", address="ringo@mydomain.zz")["folders"])
    )
    assert box["address"] == "ringo@mydomain.zz"
    other = pend(server)
    assert act(browser, "keep", other, mailbox="postmaster@other.zz", sure="yes").status == 400
    assert is_pending(server, other)


def test_many_at_once_have_a_row_each(server: Server, browser: Browser) -> None:
    one, two = pend(server), pend(server)
    act(browser, "hold", one)
    answer = act(browser, "hold", one, two, "nothing-of-the-kind")
    page = browser.get(answer.away.removeprefix("/eg")).text
    assert (page.count("</svg>done"), page.count("</svg>not done")) == (1, 2)
    assert "is held already" in page
    assert "/undo" not in page  # what can be released is released
    assert shown(server, two)["held"]
    answer = act(browser, "drop", one, two, sure="yes")
    assert browser.get(answer.away.removeprefix("/eg")).text.count("</svg>done") == 2
    assert not is_pending(server, one)


def test_attack_18_another_customers_message_is_as_unknown_as_none(server: Server, browser: Browser) -> None:
    id = pend(server, recipient="postmaster@other.zz")
    assert id not in browser.get("/pending").text
    unknown = browser.get("/pending/nothing-of-the-kind")
    answer = browser.get(f"/pending/{id}")
    assert (answer.status, unknown.status) == (400, 400)
    assert unknown.text.replace("nothing-of-the-kind", id) == answer.text
    for deed in ("hold", "release", "retry", "bounce", "drop", "keep"):
        assert f"no message {id} is pending" in act(browser, deed, id, sure="yes").text
    asked = act(browser, "drop", id).text  # before it is sure
    assert "bert" not in re.sub(id, "", asked)
    assert is_pending(server, id)
    assert not shown(server, id)["held"]


def test_attack_21_messages_of_strangers_never_become_markup(server: Server, browser: Browser) -> None:
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"], timeout=20) as client:
        sender = '"<script>alert(3)</script>"@x.example'
        head = "Subject: <script>alert(1)</script>\r\nFrom: <img src=x>\r\nX-Y: <img src=y>\r\n"
        client.sendmail(sender, ["paul@mydomain.zz"], head + "\r\n<script>alert(2)</script>")
    server.wait(lambda: ids(server, "script"))
    id = ids(server, "script")[0]
    for page in (browser.get(f"/pending/{id}").text, browser.get("/pending").text, act(browser, "drop", id).text):
        assert not [mark for mark in ("<script", "<img") if mark in page]
