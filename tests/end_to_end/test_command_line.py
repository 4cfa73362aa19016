"""The command `emailgency` against the real server."""

import csv
import imaplib
import io
import os
import pty
import resource
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import PROGRAM, answer, emailgency
from tests.support.server import Server, environment

PASSWORD = "Correct-horse"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With the customer first.zz, whose relay is on hold."""
    with Server(tmp_path_factory.mktemp("server")).start() as running:
        answer(running.data, "customer", "add", "first.zz", "--relay", "hold", "--domain-alias", "first.example")
        yield running


def send(server: Server, recipient: str, text: str = "hello") -> None:
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"], timeout=20) as session:
        session.sendmail("anna@sender.example", [recipient], f"Subject: test\r\n\r\n{text}\r\n")


def imap(server: Server, user: str, password: str) -> imaplib.IMAP4_SSL:
    import ssl

    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    session = imaplib.IMAP4_SSL("127.0.0.1", server.ports["imaps"], ssl_context=context, timeout=20)
    session.login(user, password)
    return session


def test_a_customer_comes_changes_and_goes(server: Server) -> None:
    data = server.data
    made = answer(data, "customer", "add", "Second.ZZ", "--smtp-transport", "mail.second.zz:2525", "--plan", "premium")
    assert (made["domain"], made["alternate_domain"]) == ("second.zz", "secondzz.emailgency.zz")
    assert "second.zz" in [customer["domain"] for customer in answer(data, "customer", "list")]
    changed = answer(
        data, "customer", "set", "second.zz", "--smtp-denied", "on", "--smtp-transport", "", "--role", "primary"
    )
    assert (changed["smtp_denied"], changed["smtp_transport"], changed["role"]) == (True, None, "primary")
    assert answer(data, "customer", "show", "secondzz.emailgency.zz")["mailboxes"] == 1  # postmaster
    send(server, "postmaster@secondzz.emailgency.zz")
    folder = Path(data, "customers", made["id"])
    server.wait(lambda: list(folder.glob("mailboxes/*/new/*")))
    assert "pending" in answer(data, "customer", "remove", "second.zz", "--yes", status=1)["error"]
    assert answer(data, "customer", "remove", "second.zz", "--drop-pending", "--yes")["dropped"] == 1
    assert not folder.exists()
    assert answer(data, "pending", "list")["messages"] == []
    assert answer(data, "customer", "show", "second.zz", status=1)["error"] == "there is no customer second.zz"


def test_a_target_the_operator_does_not_allow_is_refused_when_it_is_saved(server: Server) -> None:
    for transport in ("127.0.0.1:25", "10.0.0.1", "[::1]:25", "192.0.2.1:6379"):
        refused = answer(server.data, "customer", "set", "first.zz", "--smtp-transport", transport, status=1)
        assert transport in refused["error"]
    assert answer(server.data, "customer", "show", "first.zz")["smtp_transport"] is None


def test_addresses_of_each_kind_come_and_go(server: Server) -> None:
    data = server.data
    emailgency(data, "mailbox", "add", "paul@first.zz", "--vip", "on", "--forward", "paul@elsewhere.example")
    emailgency(data, "mailbox", "add", "ringo@first.example")
    emailgency(data, "alias", "add", "george@first.zz", "paul@first.zz")
    emailgency(data, "list", "add", "beatles@first.zz", "paul@first.zz", "ringo@first.zz")
    emailgency(data, "banish", "i.am.spam@first.zz")
    shown = answer(data, "mailbox", "show", "paul@first.zz")
    assert (shown["vip"], shown["forward"]) == (True, ["paul@elsewhere.example"])
    assert (shown["aliases"], shown["lists"]) == (["george@first.zz"], ["beatles@first.zz"])
    assert answer(data, "list", "show", "beatles@first.zz")["members"] == ["paul@first.zz", "ringo@first.zz"]
    assert answer(data, "list", "set", "beatles@first.zz", "ringo@first.zz")["members"] == ["ringo@first.zz"]
    assert answer(data, "mailbox", "set", "paul@first.zz", "--forward", "")["forward"] == []
    assert answer(data, "banished", "list", "first.zz") == [{"address": "i.am.spam@first.zz"}]
    refused = answer(data, "alias", "remove", "paul@first.zz", status=1)
    assert refused["error"] == "paul@first.zz is a mailbox"
    emailgency(data, "mailbox", "remove", "paul@first.zz", "--yes")
    assert answer(data, "alias", "list", "first.zz") == []
    for words in (("list", "remove", "beatles@first.zz"), ("banished", "remove", "i.am.spam@first.zz")):
        emailgency(data, *words)
    emailgency(data, "mailbox", "remove", "ringo@first.zz", "--yes")
    assert [one["address"] for one in answer(data, "mailbox", "list", "first.zz")] == ["postmaster@first.zz"]


def test_a_password_comes_from_standard_input_and_keeps_the_policy(server: Server) -> None:
    emailgency(server.data, "mailbox", "add", "pass@first.zz")
    refused = emailgency(server.data, "password", "pass@first.zz", text="short\n", status=1)
    assert "8 characters" in refused.stderr
    emailgency(server.data, "password", "pass@first.zz", text=f"{PASSWORD}\n")
    imap(server, "pass@first.zz", PASSWORD).logout()
    with pytest.raises(imaplib.IMAP4.error):
        imap(server, "pass@first.zz", "Wrong-horse")


def on_a_terminal(server: Server, typed: list[str], *words: str) -> tuple[int, str]:
    """Status and screen of the command with a person before it who types a line at each colon or question mark."""
    child, terminal = pty.fork()
    if child == 0:
        os.execve(sys.executable, [sys.executable, "-c", PROGRAM, *words, "--data", server.data], environment())
    screen = ""
    lines = list(typed)
    while True:
        try:
            screen += os.read(terminal, 1000).decode()
        except OSError:  # the other end is closed
            break
        if lines and screen.endswith((": ", "[y/N] ")):
            os.write(terminal, lines.pop(0).encode() + b"\n")
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), screen


def test_on_a_terminal_a_password_is_asked_for_twice_and_never_shown(server: Server) -> None:
    emailgency(server.data, "mailbox", "add", "typed@first.zz")
    status, screen = on_a_terminal(server, [PASSWORD, PASSWORD + "x"], "password", "typed@first.zz")
    assert (status, "differ" in screen) == (1, True)
    status, screen = on_a_terminal(server, [PASSWORD, PASSWORD], "password", "typed@first.zz")
    assert status == 0
    assert PASSWORD not in screen
    imap(server, "typed@first.zz", PASSWORD).logout()


def test_on_a_terminal_what_destroys_is_asked_for(server: Server) -> None:
    emailgency(server.data, "mailbox", "add", "asked@first.zz")
    status, screen = on_a_terminal(server, ["n"], "mailbox", "remove", "asked@first.zz")
    assert (status, "nothing was done" in screen) == (1, True)
    status, screen = on_a_terminal(server, ["y"], "mailbox", "remove", "asked@first.zz")
    assert status == 0
    assert "asked@first.zz is gone" in screen


def test_attack_36_no_password_reaches_the_log(server: Server) -> None:
    emailgency(server.data, "mailbox", "add", "canary@first.zz")
    emailgency(server.data, "password", "canary@first.zz", text="Canary-in-the-mine\n")
    emailgency(server.data, "password", "nobody@first.zz", text="Canary-in-the-mine\n", status=1)
    with pytest.raises(imaplib.IMAP4.error):
        imap(server, "canary@first.zz", "Canary-in-a-cage")
    assert "canary@first.zz" in server.log()
    assert "Canary" not in server.log()


def test_who_did_what_stands_in_the_change_journal(server: Server) -> None:
    import getpass

    emailgency(server.data, "banish", "journal@first.zz")
    journal = Path(server.data, "journal")
    lines = "".join(file.read_text() for file in sorted(journal.glob("*.log"))).splitlines()
    line = next(line for line in lines if "journal@first.zz" in line)
    assert f'"who":"{getpass.getuser()}","source":"command line"' in line


def test_what_destroys_asks_first_and_does_nothing_without_an_answer(server: Server) -> None:
    emailgency(server.data, "mailbox", "add", "safe@first.zz")
    for words in (("mailbox", "remove"), ("wipe-mailbox",)):
        refused = emailgency(server.data, *words, "safe@first.zz", text="yes\n", status=2)
        assert "--yes" in refused.stderr
    assert answer(server.data, "mailbox", "show", "safe@first.zz")["address"] == "safe@first.zz"


def test_hundreds_of_addresses_come_in_at_once_or_not_at_all(server: Server, tmp_path: os.PathLike[str]) -> None:
    data, path = server.data, os.path.join(tmp_path, "people.csv")
    rows = [[f"person{number}@first.zz", "mailbox", "", ""] for number in range(300)]
    rows += [[f"alias{number}@first.zz", "alias", f"person{number}@first.zz", ""] for number in range(100)]
    rows += [["everybody@first.zz", "list", " ".join(row[0] for row in rows[:300]), ""]]
    rows[7][3] = PASSWORD

    def write(some: list[list[str]]) -> None:
        text = io.StringIO()
        csv.writer(text).writerows([["address", "type", "target", "password"], *some])
        with open(path, "w") as file:
            file.write(text.getvalue())

    write([*rows, ["postmaster@first.zz", "banished", "", ""], ["x@first.zz", "alias", "nobody@first.zz", ""]])
    refused = answer(data, "import", path, status=1)
    assert refused["details"] == [
        "line 403: postmaster@first.zz is a mailbox already",
        "line 404: there is no mailbox nobody@first.zz, neither here nor in this file",
    ]
    assert answer(data, "mailbox", "show", "person0@first.zz", status=1)
    write(rows)
    assert answer(data, "import", path) == {"mailboxes": 300, "aliases": 100, "lists": 1, "banished": 0}
    assert len(answer(data, "list", "show", "everybody@first.zz")["members"]) == 300
    imap(server, "alias7@first.zz", PASSWORD).logout()
    refused = answer(data, "import", path, status=1)
    assert refused["details"][0] == "line 2: person0@first.zz is a mailbox already"
    assert len(refused["details"]) == 101  # a hundred lines, and how many more


def test_pending_mail_is_listed_shown_and_flushed(server: Server) -> None:
    data = server.data
    emailgency(data, "mailbox", "add", "pending@first.zz")
    send(server, "pending@first.zz")
    server.wait(lambda: answer(data, "pending", "list", "first.zz")["messages"])
    listed = answer(data, "pending", "list", "first.example")
    assert listed["hops"][0]["customer"] == "first.zz"
    assert listed["messages"][0]["sender"] == "anna@sender.example"
    id = listed["messages"][0]["id"]
    assert answer(data, "pending", "show", id)[0]["recipients"] == ["pending@first.zz"]
    assert answer(data, "pending", "show", "no-such-id", status=1)
    assert answer(data, "pending", "list", "--limit", "0")["messages"] == []
    refused = answer(data, "customer", "remove", "first.zz", "--yes", status=1)
    assert "pending" in refused["error"]


def test_one_pending_message_is_found_looked_at_held_and_dropped(server: Server) -> None:
    data = server.data
    emailgency(data, "mailbox", "add", "hand@first.zz")
    send(server, "hand@first.zz", "a needle in the hay")
    send(server, "hand@first.zz", "hay")
    mine = ("pending", "list", "first.zz", "--recipient", "hand@")
    server.wait(lambda: len(answer(data, *mine)["messages"]) == 2)
    (found,) = answer(data, *mine, "--text", "NEEDLE", "--sender", "anna@")["messages"]
    id = found["id"]
    looked = answer(data, "pending", "look", id)
    assert (looked["subject"], looked["text_lines"]) == ("test", ["a needle in the hay"])
    assert "a needle in the hay" in emailgency(data, "pending", "look", id).stdout
    assert "is held" in emailgency(data, "pending", "hold", id).stdout
    assert "held already" in answer(data, "pending", "hold", id, status=1)["error"]
    assert "release it first" in answer(data, "pending", "retry", id, status=1)["error"]
    assert answer(data, "pending", "show", id)[0]["held"] is True
    assert answer(data, "pending", "release", id)["recipients"] == ["hand@first.zz"]
    assert answer(data, "pending", "retry", id)["state"] == "on hold"
    assert answer(data, "pending", "drop", id, "--yes")["recipients"] == ["hand@first.zz"]
    assert "no message" in answer(data, "pending", "look", id, status=1)["error"]
    (other,) = answer(data, *mine)["messages"]
    assert answer(data, "pending", "bounce", other["id"], "--yes")["recipients"] == ["hand@first.zz"]
    assert answer(data, *mine)["messages"] == []
    kept = Path(data, "customers")
    server.wait(lambda: [*kept.glob("*/undelivered/new/*")])
    reasons = b"".join(file.read_bytes() for file in kept.glob("*/undelivered/new/*"))
    assert b"X-Undelivered-Reason: <hand@first.zz>: bounced" in reasons
    journal = b"".join(file.read_bytes() for file in Path(data, "journal").glob("*.log")).decode()
    for deed in ("held", "released", "dropped"):
        assert f"pending message {id} for hand@first.zz {deed}" in journal
    assert f"pending message {other['id']} for hand@first.zz given up" in journal


def test_a_pending_message_is_kept_in_another_mailbox_or_undelivered(server: Server) -> None:
    data = server.data
    emailgency(data, "mailbox", "add", "keep@first.zz")
    emailgency(data, "mailbox", "add", "deputy@first.zz")
    mine = ("pending", "list", "first.zz", "--recipient", "keep@")
    for text, place in (("only one", "deputy@first.zz"), ("only two", "Undelivered")):
        send(server, "keep@first.zz", text)
        server.wait(lambda: answer(data, *mine)["messages"])
        (found,) = answer(data, *mine)["messages"]
        into = [place] if "@" in place else []
        refused = answer(data, "pending", "keep", found["id"], "keep@first.zz", "--yes", status=1)
        assert "already" in refused["error"]
        assert answer(data, "pending", "keep", found["id"], *into, "--yes")["kept_in"] == place
        assert answer(data, *mine)["messages"] == []
    customers = Path(data, "customers")

    def copies(text: bytes, place: str) -> int:
        return sum(text in one.read_bytes() for one in customers.glob(place))

    server.wait(lambda: copies(b"only one", "*/mailboxes/*/new/*") == 2)  # of the addressee, and of his deputy
    server.wait(lambda: copies(b"only two", "*/undelivered/new/*") == 1)
    assert copies(b"only two", "*/mailboxes/*/new/*") == 1


def test_wiping_destroys_all_mail_and_the_mailbox_lives_on(server: Server) -> None:
    data = server.data
    emailgency(data, "mailbox", "add", "wiped@first.zz")
    emailgency(data, "password", "wiped@first.zz", text=f"{PASSWORD}\n")
    session = imap(server, "wiped@first.zz", PASSWORD)
    session.create("Private")
    session.append("Private", "", None, b"Subject: secret\r\n\r\nx\r\n")
    send(server, "wiped@first.zz")
    server.wait(lambda: answer(data, "mailbox", "show", "wiped@first.zz")["folders"][0]["messages"])
    session.select("INBOX")
    validity = session.response("UIDVALIDITY")[1]
    session.logout()
    assert answer(data, "wipe-mailbox", "wiped@first.zz", "--yes")["messages"] == 2
    session = imap(server, "wiped@first.zz", PASSWORD)
    assert session.select("INBOX") == ("OK", [b"0"])
    assert session.response("UIDVALIDITY")[1] != validity
    assert b"Private" not in b"".join(session.list()[1])
    session.logout()
    send(server, "wiped@first.zz")
    server.wait(lambda: answer(data, "mailbox", "show", "wiped@first.zz")["folders"][0]["messages"])


def test_reconstructing_keeps_uids_and_open_sessions_go_on(server: Server) -> None:
    data = server.data
    emailgency(data, "mailbox", "add", "again@first.zz")
    emailgency(data, "password", "again@first.zz", text=f"{PASSWORD}\n")
    send(server, "again@first.zz", "first")
    server.wait(lambda: answer(data, "mailbox", "show", "again@first.zz")["folders"])
    session = imap(server, "again@first.zz", PASSWORD)
    session.select("INBOX")
    before = session.fetch("1:*", "(UID ENVELOPE)")
    id = answer(data, "mailbox", "show", "again@first.zz")["id"]
    (uids,) = Path(data).glob(f"customers/*/mailboxes/{id}/uids")
    uids.unlink()
    done = answer(data, "reconstruct", "again@first.zz")
    assert done["messages"] == 1
    assert uids.exists()
    assert session.fetch("1:*", "(UID ENVELOPE)") == before
    validity = session.response("UIDVALIDITY")
    session.logout()
    session = imap(server, "again@first.zz", PASSWORD)
    session.select("INBOX")
    assert session.response("UIDVALIDITY") == validity
    session.logout()
    emailgency(data, "mailbox", "add", "never.used@first.zz")
    assert answer(data, "reconstruct", "never.used@first.zz", status=1)


def test_tables_are_for_people_and_json_for_programs(server: Server) -> None:
    told = emailgency(server.data, "customer", "list").stdout
    assert told.splitlines()[0].split()[:3] == ["DOMAIN", "ALTERNATE", "DOMAIN"]
    assert "first.zz" in told
    assert isinstance(answer(server.data, "customer", "list"), list)
    assert emailgency(server.data, "customer", "add", "empty.zz").stdout.startswith("empty.zz is here")
    assert emailgency(server.data, "alias", "list", "empty.zz").stdout == "none\n"


def test_without_a_server_the_status_is_3_and_the_words_say_what_to_do(tmp_path: os.PathLike[str]) -> None:
    told = emailgency(str(tmp_path), "customer", "list", status=3)
    assert "no server is running" in told.stderr
    assert "twistd -n emailgency" in told.stderr


def test_a_command_starts_quickly(server: Server) -> None:
    """150 ms of CPU: the best of five, since other work goes on on this machine. Twisted alone would take 300."""
    times = []
    for _ in range(5):
        begun = resource.getrusage(resource.RUSAGE_CHILDREN)
        emailgency(server.data, "customer", "list")
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(ended.ru_utime + ended.ru_stime - begun.ru_utime - begun.ru_stime)
    assert min(times) < 0.3
    loaded = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", PROGRAM, "customer", "list", "--data", server.data],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "twisted" not in loaded.stderr
    assert "msgspec" not in loaded.stderr
