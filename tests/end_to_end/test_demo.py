"""`twistd -n emailgency demo`: what a newcomer sees, from the first line to the last message given back."""

import contextlib
import imaplib
import os
import re
import signal
import smtplib
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from tests.support.command import answer, emailgency
from tests.support.server import environment


class Demo:
    """The demo in a folder; `told` is what stands on its terminal."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.data = os.path.join(folder, "emailgency-demo")
        self.process: subprocess.Popen[bytes]

    def start(self) -> None:
        twistd = os.path.join(os.path.dirname(sys.executable), "twistd")
        with open(os.path.join(self.folder, "terminal"), "wb") as terminal:
            self.process = subprocess.Popen(
                [sys.executable, twistd, "-n", "emailgency", "demo"],
                cwd=self.folder,
                env=environment(),
                stdout=terminal,
                stderr=terminal,
                # a shell in the background has it ignored, and so would the demo: Ctrl-C comes from a terminal
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        self.wait(lambda: "Ctrl-C ends the demo" in self.told())

    def told(self) -> str:
        with open(os.path.join(self.folder, "terminal"), encoding="utf-8") as terminal:
            return terminal.read()

    def wait(self, condition: Callable[[], object], timeout: float = 120) -> None:
        end = time.monotonic() + timeout
        while not condition():
            assert self.process.poll() is None, self.told()
            assert time.monotonic() < end, self.told()
            time.sleep(0.02)

    def end(self, number: signal.Signals = signal.SIGINT) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)
        self.process.wait(120)

    def search(self, pattern: str) -> list[str]:
        return re.findall(pattern, self.told())


@pytest.fixture
def demo(tmp_path: os.PathLike[str]) -> Iterator[Demo]:
    running = Demo(os.fspath(tmp_path))
    running.start()
    yield running
    running.end()


def subjects(demo: Demo, user: str, password: str) -> list[str]:
    """In the order of the INBOX, read as a mail program would."""
    (port,) = demo.search(r"port (\d+) \(TLS\)")
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with imaplib.IMAP4_SSL("127.0.0.1", int(port), ssl_context=context, timeout=20) as session:
        session.login(user, password)
        session.select("INBOX", readonly=True)
        _, found = session.fetch("1:*", "(BODY[HEADER.FIELDS (SUBJECT)])")
        return [part[1].decode().strip().removeprefix("Subject: ") for part in found if isinstance(part, tuple)]


def test_it_leaves_nothing_where_it_was_started_but_its_data_folder(demo: Demo) -> None:
    assert sorted(os.listdir(demo.folder)) == ["emailgency-demo", "terminal"]


def test_mail_is_read_while_the_server_is_down_and_all_goes_home_when_it_is_back(demo: Demo) -> None:
    people = dict(demo.search(r"user (\S+), password (\S+)"))
    paul, ringo = people["paul@mydomain.zz"], people["ringo@mydomain.zz"]
    assert subjects(demo, "paul@mydomain.zz", paul) == ["Order 4711", "Invoice 2026-118", "Meeting moved to 14:00"]
    assert subjects(demo, "ringo@mydomain.zz", ringo) == ["The new drum kit", "Meeting moved to 14:00"]
    assert "Pending: 5 messages" in demo.told()
    assert len(answer(demo.data, "pending", "list")["messages"]) == 5
    emailgency(demo.data, "demo-server", "up")
    demo.wait(lambda: "Everything is home" in demo.told())
    assert "given back 5, lost 0, doubled 0" in demo.told()
    assert answer(demo.data, "pending", "list")["messages"] == []
    assert len(subjects(demo, "paul@mydomain.zz", paul)) == 3  # what is given back stays readable
    with open(os.path.join(demo.data, "log"), encoding="utf-8") as file:
        log = file.read()
    assert "Traceback" not in log + demo.told()


def test_killed_and_started_again_it_still_gives_everything_back_once(demo: Demo) -> None:
    passwords = demo.search(r"password (\S+)")
    demo.end(signal.SIGKILL)
    demo.start()
    assert demo.search(r"password (\S+)") == passwords
    assert "Pending: 5 messages" in demo.told()
    emailgency(demo.data, "demo-server", "up")
    demo.wait(lambda: "Everything is home" in demo.told())
    assert "given back 5, lost 0, doubled 0" in demo.told()


def test_the_commands_it_prints_run_as_they_stand(demo: Demo) -> None:
    """Those with `emailgency`, and the one with curl."""
    commands = [line.strip() for line in demo.told().splitlines() if re.match(r" {4}\S*(emailgency|curl) ", line)]
    assert len(commands) == 3
    for command in commands:
        if "curl" not in command:
            words = command.split()[1:]
            data = words[words.index("--data") + 1]
            assert os.path.samefile(os.path.join(demo.folder, data), demo.data)
            emailgency(demo.data, *words[: words.index("--data")])
    demo.wait(lambda: "Everything is home" in demo.told())


@pytest.mark.peer("curl")
def test_the_curl_command_shows_a_message(demo: Demo) -> None:
    (command,) = demo.search(r"(curl .*)")
    shown = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=20, check=True)
    assert "Subject: Order 4711" in shown.stdout


def test_the_customers_server_can_go_away_and_come_back_again(demo: Demo) -> None:
    emailgency(demo.data, "demo-server", "up")
    demo.wait(lambda: "Everything is home" in demo.told())
    assert answer(demo.data, "demo-server", "down")["up"] is False
    assert "down again" in demo.told()
    (port,) = demo.search(r"SMTP server 127\.0\.0\.1, port (\d+)")
    with smtplib.SMTP("127.0.0.1", int(port), timeout=20) as session:
        session.sendmail("anna@sender.example", ["paul@mydomain.zz"], "Subject: one more\r\n\r\nhello\r\n")
    demo.wait(lambda: len(answer(demo.data, "pending", "list")["messages"]) == 1)
    emailgency(demo.data, "demo-server", "up")
    demo.wait(lambda: "given back 1, lost 0, doubled 0" in demo.told())


def test_the_demo_has_settings_of_its_own(tmp_path: os.PathLike[str]) -> None:
    twistd = os.path.join(os.path.dirname(sys.executable), "twistd")
    words = [sys.executable, twistd, "-n", "--pidfile=", "emailgency", "--settings", "real.toml", "demo"]
    done = subprocess.run(words, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=30)
    assert done.returncode != 0
    assert "the demo has settings of its own" in done.stdout + done.stderr
    assert os.listdir(tmp_path) == []
