"""Programs we did not write fetch and sync mail that came by SMTP, over TLS, from the real server.

poplib, curl, getmail and fetchmail by POP3; getmail, fetchmail, offlineimap and aioimaplib by IMAP. The others are in
tests/servers/test_imap_programs.py.
"""

import asyncio
import os
import poplib
import re
import smtplib
import ssl
import subprocess
from collections.abc import Iterator

import pytest

from tests.support.server import Server

DOMAIN = "mydomain.zz"
PASSWORD = "Correct-horse1"
MESSAGE = (
    "From: Anna <anna@example.org>\r\nTo: {to}\r\nSubject: {subject}\r\n"
    "Date: Fri, 20 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{subject}.{to}>\r\n\r\n"
    "Hello,\r\n.a line with a dot\r\n.\r\n..\r\nAnna\r\n"
)
BODY = b"Hello,\r\n.a line with a dot\r\n.\r\n..\r\nAnna\r\n"
HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")).start() as server:
        server.command("customer add", domain=DOMAIN)
        yield server


class User:
    """One mailbox with mail in it, and a folder to work in."""

    def __init__(self, server: Server, name: str, folder: str) -> None:
        self.server = server
        self.address = f"{name}@{DOMAIN}"
        self.folder = folder
        server.command("mailbox add", address=self.address)
        server.command("password", address=self.address, password=PASSWORD)

    def port(self, service: str) -> int:
        return self.server.ports[service]

    def receive(self, *subjects: str) -> None:
        """These messages come by SMTP, and are there afterwards."""
        before = len(self.held())
        with smtplib.SMTP(HOST, self.port("smtp"), local_hostname="out.example.org") as client:
            for subject in subjects:
                client.sendmail("anna@example.org", [self.address], MESSAGE.format(to=self.address, subject=subject))
        self.server.wait(lambda: len(self.held()) == before + len(subjects))

    def held(self) -> list[str]:
        """What POP3 says is there: unique ids."""
        with self.pop3() as client:
            return [line.split()[1].decode() for line in client.uidl()[1]]

    def pop3(self) -> "Closing":
        return Closing(self)

    def run(self, *words: str, status: tuple[int, ...] = (0,)) -> str:
        """A program in the folder, which is its home; what it said. Fails when it ends with another status."""
        done = subprocess.run(
            words,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=self.folder,
            env={**os.environ, "HOME": self.folder, "PYTHONWARNINGS": "ignore"},
            check=False,
        )
        assert done.returncode in status, (words, done.returncode, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def subjects(self) -> list[str]:
        """Of what a program has put into the file `mail`."""
        with open(os.path.join(self.folder, "mail"), encoding="utf-8") as file:
            return [line.split()[1] for line in file if line.startswith("Subject: ")]

    def write(self, name: str, text: str) -> str:
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o600)
        return path


def trusting() -> ssl.SSLContext:
    """The server's certificate is self-signed."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Closing:
    """A session of poplib, ended by QUIT."""

    def __init__(self, user: User) -> None:
        self._user = user

    def __enter__(self) -> poplib.POP3_SSL:
        self._client = poplib.POP3_SSL(HOST, self._user.port("pop3s"), context=trusting(), timeout=20)
        self._client.user(self._user.address)
        self._client.pass_(PASSWORD)
        return self._client

    def __exit__(self, *_: object) -> None:
        self._client.quit()


@pytest.fixture
def user(server: Server, request: pytest.FixtureRequest, tmp_path) -> User:
    name = request.node.name.removeprefix("test_").partition("_")[0]
    kind = "imap" if "imap" in request.node.name else "pop"
    return User(server, f"{name}.{kind}", str(tmp_path))


def test_poplib_reads_and_removes(user: User) -> None:
    user.receive("one", "two")
    client = poplib.POP3(HOST, user.port("pop3"), timeout=20)
    assert "STLS" in client.capa()
    client.stls(trusting())
    client.utf8()
    client.user(user.address)
    client.pass_(PASSWORD)
    count, octets = client.stat()
    assert count == 2
    sizes = [int(line.split()[1]) for line in client.list()[1]]
    assert sum(sizes) == octets
    _, lines, size = client.retr(1)
    assert b"\r\n".join(lines).endswith(BODY.rstrip(b"\r\n"))
    assert size == sizes[0]
    assert sum(len(line) + 2 for line in lines) == sizes[0]
    assert client.top(2, 1)[1][-1] == b"Hello,"
    kept = client.uidl(2).split()[2].decode()
    client.dele(1)
    client.quit()
    assert user.held() == [kept]


def test_killed_before_quit_the_server_removes_nothing(user: User) -> None:
    """RFC 1939 section 6: only QUIT does, and then all of it."""
    user.receive("one", "two", "three")
    before = user.held()
    client = poplib.POP3_SSL(HOST, user.port("pop3s"), context=trusting(), timeout=20)
    client.user(user.address)
    client.pass_(PASSWORD)
    client.dele(1)
    client.dele(2)
    user.server.kill()
    client.close()
    user.server.start()
    assert user.held() == before
    with user.pop3() as client:
        client.dele(1)
        client.dele(3)
    user.server.kill()
    user.server.start()
    assert user.held() == before[1:2]


@pytest.mark.peer("curl")
def test_curl_pop3_lists_reads_and_removes(user: User) -> None:
    user.receive("one", "two")
    ask = ("curl", "-sSk", "--user", f"{user.address}:{PASSWORD}")
    url = f"pop3s://{HOST}:{user.port('pop3s')}/"
    assert len(user.run(*ask, url).splitlines()) == 2
    done = subprocess.run([*ask, url + "2"], capture_output=True, timeout=30, check=True)
    assert done.stdout.endswith(BODY)
    user.run(*ask, url + "1", "--request", "DELE", "--head")
    starttls = f"pop3://{HOST}:{user.port('pop3')}/"
    assert len(user.run(*ask, "--ssl-reqd", starttls).splitlines()) == 1
    user.run(*ask, starttls, status=(67,))  # without TLS: access denied


GETMAIL = """[retriever]
type = {retriever}
server = 127.0.0.1
port = {port}
username = {address}
password = {password}
{more}
[destination]
type = MDA_external
path = /bin/sh
arguments = ("-c", "cat >>{folder}/mail")
unixfrom = false
allow_root_commands = true
[options]
read_all = false
delete = false
delivered_to = false
received = false
verbose = 2
"""


@pytest.mark.parametrize("protocol", ["pop3", "imap"])
@pytest.mark.peer("getmail")
def test_getmail_fetches_what_is_new_and_then_has_nothing_to_do(user: User, protocol: str) -> None:
    user.receive("one", "two")
    pop3 = protocol == "pop3"
    os.makedirs(os.path.join(user.folder, ".getmail"))
    user.write("mail", "")
    rules = user.write(
        "getmailrc",
        GETMAIL.format(
            retriever="SimplePOP3SSLRetriever" if pop3 else "SimpleIMAPSSLRetriever",
            port=user.port("pop3s" if pop3 else "imaps"),
            address=user.address,
            password=PASSWORD,
            folder=user.folder,
            more="" if pop3 else 'mailboxes = ("INBOX",)',
        ),
    )
    fetch = ("getmail", "--getmaildir", user.folder, "--rcfile", rules)
    user.run(*fetch)
    assert user.subjects() == ["one", "two"]
    assert "0 messages (0 bytes) retrieved" in user.run(*fetch)
    user.receive("three")
    user.run(*fetch)
    assert user.subjects() == ["one", "two", "three"]
    assert len(user.held()) == 3


@pytest.mark.parametrize("protocol", ["pop3", "imap"])
@pytest.mark.peer("fetchmail")
def test_fetchmail_takes_what_is_new_and_then_has_nothing_to_do(user: User, protocol: str) -> None:
    user.receive("one", "two")
    service = "pop3s" if protocol == "pop3" else "imaps"
    rules = user.write(
        "fetchmailrc",
        f"poll {HOST} protocol {protocol} port {user.port(service)} {'uidl' if protocol == 'pop3' else ''}\n"
        f"  user '{user.address}' password '{PASSWORD}' ssl no sslcertck keep\n"
        f"  mda 'cat >>{user.folder}/mail'\n",
    )
    user.write("mail", "")
    fetch = ("fetchmail", "--fetchmailrc", rules, "--pidfile", f"{user.folder}/pid", "--nodetach", "--nosyslog", "-N")
    user.run(*fetch)
    assert user.subjects() == ["one", "two"]
    user.run(*fetch, status=(1,))  # no new mail
    user.receive("three")
    user.run(*fetch)
    assert user.subjects() == ["one", "two", "three"]
    assert len(user.held()) == 3


OFFLINEIMAP = """[general]
accounts = a
metadata = {folder}/state
ui = basic
socktimeout = 30
[Account a]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = {folder}/mail
[Repository far]
type = IMAP
remotehost = 127.0.0.1
remoteport = {port}
remoteuser = {address}
remotepass = {password}
ssl = yes
cert_fingerprint = {fingerprint}
usecompression = yes
"""


@pytest.mark.peer("offlineimap")
def test_offlineimap_syncs_both_ways_compressed_and_then_has_nothing_to_do(user: User) -> None:
    import hashlib
    import imaplib

    user.receive("one", "two")
    certificate = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((HOST, user.port("imaps"))))
    rules = user.write(
        "offlineimaprc",
        OFFLINEIMAP.format(
            folder=user.folder,
            port=user.port("imaps"),
            address=user.address,
            password=PASSWORD,
            fingerprint=hashlib.sha512(certificate).hexdigest(),
        ),
    )
    sync = ("offlineimap", "-c", rules, "-o")
    near = os.path.join(user.folder, "mail", "INBOX")

    def tree() -> list[str]:
        return sorted(name for path, _, names in os.walk(os.path.join(user.folder, "mail")) for name in names)

    def far(*words: str) -> list[bytes]:
        with imaplib.IMAP4_SSL(HOST, user.port("imaps"), ssl_context=trusting()) as client:
            client.login(user.address, PASSWORD)
            client.select("INBOX")
            return client.uid(*words)[1]

    talk = user.run(*sync, "-d", "imap")
    assert re.search(r"COMPRESS DEFLATE", talk), talk[-2000:]
    assert len(tree()) == 2
    assert {"Sent", "Drafts", "Trash"} <= set(os.listdir(os.path.join(user.folder, "mail")))
    # a flag and a message here, a message and a flag there
    part = next(part for part in ("new", "cur") if os.listdir(os.path.join(near, part)))
    first = min(os.listdir(os.path.join(near, part)), key=lambda name: name.partition("U=")[2])
    os.rename(os.path.join(near, part, first), os.path.join(near, "cur", first.partition(":")[0] + ":2,FS"))
    with open(os.path.join(near, "new", "1.here.host"), "wb") as file:
        file.write(MESSAGE.format(to=user.address, subject="mine").replace("\r\n", "\n").encode())
    user.receive("three")
    far("STORE", "2", "+FLAGS", "(\\Answered)")
    user.run(*sync)
    assert len(tree()) == 4
    assert far("SEARCH", "FLAGGED", "SEEN") == [b"1"]
    assert far("SEARCH", "SUBJECT", "mine") == [b"4"]
    assert any("R" in name.rpartition(":")[2] for name in tree()), tree()
    before = tree(), far("FETCH", "1:*", "(FLAGS)")
    user.run(*sync)
    assert (tree(), far("FETCH", "1:*", "(FLAGS)")) == before


def test_aioimaplib_is_woken_by_a_delivery_and_reads_it_by_imap(user: User) -> None:
    import aioimaplib

    async def use() -> None:
        client = aioimaplib.IMAP4_SSL(host=HOST, port=user.port("imaps"), timeout=20, ssl_context=trusting())
        await client.wait_hello_from_server()
        assert (await client.login(user.address, PASSWORD)).result == "OK"
        assert (await client.select("INBOX")).result == "OK"
        idle = await client.idle_start(timeout=60)
        await asyncio.to_thread(user.receive, "news")
        pushed: list[bytes] = []
        while not any(line.endswith(b" EXISTS") for line in pushed):
            pushed += await client.wait_server_push(20)
        client.idle_done()
        await asyncio.wait_for(idle, 20)
        result, lines = await client.uid_search("SUBJECT news")
        assert (result, lines[0]) == ("OK", b"1")
        answer = await client.uid("fetch", "1", "(FLAGS BODY.PEEK[TEXT])")
        assert any(bytes(line) == BODY for line in answer.lines)
        assert (await client.uid("store", "1", "+FLAGS", "(\\Flagged)")).result == "OK"
        assert (await client.move("1", "Archive")).result == "OK"
        assert (await client.status("Archive", "(MESSAGES)")).lines[0] == b"Archive (MESSAGES 1)"
        await client.logout()

    asyncio.run(use())
