"""Dovecot's own IMAP process over a pipe, logged in from the start: what it says of messages we give it."""

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

PROGRAM = "/usr/lib/dovecot/imap"

_CONFIGURATION = """\
log_path = {home}/log
mail_location = maildir:{home}/Maildir
mail_home = {home}
base_dir = {home}/run
state_dir = {home}/state
ssl = no
first_valid_uid = 1
"""


class Dovecot:
    """A mailbox of `messages` (octets as they go into the Maildir), numbered from 1."""

    def __init__(self, messages: list[bytes]) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="dovecot-"))
        for name in ("cur", "new", "tmp"):
            (self._home / "Maildir" / name).mkdir(parents=True)
        for number, message in enumerate(messages):
            (self._home / "Maildir" / "cur" / f"{1700000000 + number}.{number}.host:2,S").write_bytes(message)
        (self._home / "dovecot.conf").write_text(_CONFIGURATION.format(home=self._home))
        self._identity: dict[str, Any] = {}
        if os.getuid() == 0:  # it refuses to read mail as root
            nobody = pwd.getpwnam("nobody")
            for path in (self._home, *self._home.rglob("*")):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)
            self._identity = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}

    def session(self, commands: bytes) -> bytes:
        """All octets it answers to `commands` (up to a pipe's 64 KiB).

        Its input stays open until it has ended: Dovecot drops answers that it has not written when it sees the end.
        """
        reading, writing = os.pipe()
        try:
            os.write(writing, commands + b"z LOGOUT\r\n")
            run = subprocess.run(
                [PROGRAM, "-c", str(self._home / "dovecot.conf")],
                stdin=reading,
                capture_output=True,
                **self._identity,
                env={"USER": "nobody", "HOME": str(self._home), "MAIL": f"maildir:{self._home}/Maildir"},
                timeout=60,
                check=True,
            )
        finally:
            os.close(reading)
            os.close(writing)
        return run.stdout

    def fetch(self, items: str) -> dict[int, list[object]]:
        """FETCH of all messages, each answer as a parsed list of names and values."""
        answer = self.session(f"a EXAMINE INBOX\r\nb FETCH 1:* ({items})\r\n".encode())
        found: dict[int, list[object]] = {}
        at = 0
        while match := re.compile(rb"^\* ([0-9]+) FETCH (?=\()", re.MULTILINE).search(answer, at):
            value, at = parse(answer, match.end())
            assert isinstance(value, list)
            found.setdefault(int(match.group(1)), []).extend(value)
        return found

    def close(self) -> None:
        shutil.rmtree(self._home)


_TOKEN = re.compile(
    rb'"((?:[^"\\]|\\.)*)"|~?\{(\d+)\}\r\n|(\()|(\))|([^\s()"{~\[]+(?:\[[^\]]*\](?:<\d+>)?)?)', re.DOTALL
)


def parse(octets: bytes, at: int = 0) -> tuple[object, int]:
    """The value at `at`: a list, bytes for any string, str for an atom; and where it ends."""
    while octets[at : at + 1] == b" ":
        at += 1
    match = _TOKEN.match(octets, at)
    assert match, octets[at : at + 40]
    quoted, size, opening, _, atom = match.groups()
    at = match.end()
    if quoted is not None:
        return re.sub(rb"\\(.)", rb"\1", quoted, flags=re.DOTALL), at
    if size is not None:
        return octets[at : at + int(size)], at + int(size)
    if atom is not None:
        return atom.decode("latin-1"), at
    assert opening
    values: list[object] = []
    while True:
        while octets[at : at + 1] == b" ":
            at += 1
        if octets[at : at + 1] == b")":
            return values, at + 1
        value, at = parse(octets, at)
        values.append(value)
