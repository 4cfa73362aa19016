"""The process itself: starting, stopping, reloading, dying, and what it leaves open."""

import json
import os
import pwd
import shutil
import signal
import smtplib
import socket
import ssl
import stat
import subprocess
import tempfile
from collections.abc import Iterator

import pytest

from emailgency.store import layout
from emailgency.store.keys.certificates import self_signed
from emailgency.store.redis.server import find_program
from tests.support.api import Program
from tests.support.server import NotReady, Server
from tests.support.users import another_user, open_to_others

NOW = 1_800_000_000.0


@pytest.fixture
def server(tmp_path) -> Iterator[Server]:
    server = Server(tmp_path / "server", {"stop": {"grace": 20}})
    try:
        yield server
    finally:
        server.close()


def smtp(server: Server) -> smtplib.SMTP:
    return smtplib.SMTP("127.0.0.1", server.ports["smtp"], local_hostname="out.example.org", timeout=20)


def customer(server: Server) -> None:
    server.command("customer add", domain="mydomain.zz", relay="none")
    server.command("mailbox add", address="paul@mydomain.zz")


def common_name(server: Server) -> str:
    """Of the certificate on the IMAP port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", server.ports["imaps"]), 10) as plain,
        context.wrap_socket(plain) as secure,
    ):
        certificate = secure.getpeercert(binary_form=True)
    from cryptography import x509

    assert certificate is not None
    (name,) = x509.load_der_x509_certificate(certificate).subject
    return str(name.value)


def children(server: Server) -> list[int]:
    with open(f"/proc/{server.pid}/task/{server.pid}/children", encoding="ascii") as file:
        return list(map(int, file.read().split()))


def command_line(pid: int) -> bytes:
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read()


def runs(pid: int) -> bool:
    """A zombie does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


# ---- start -------------------------------------------------------------------------------------------------


def test_a_second_server_on_the_same_data_folder_says_who_has_it(server: Server, tmp_path) -> None:
    server.start()
    second = Server(tmp_path / "second")
    second.data = server.data
    with pytest.raises(NotReady, match=f"another server \\(process {server.pid}\\) works in this data folder"):
        second.start()
    assert server.ready()


def test_a_wrong_setting_ends_the_start_with_file_and_line(server: Server) -> None:
    with open(server.settings_path, "a", encoding="utf-8") as file:
        file.write("\n[smtp.limits]\nrecipients = 5\n")
    with pytest.raises(NotReady, match=r"settings\.toml:\d+: smtp\.limits\.recipients = 5: .* from 100"):
        server.start()


def test_a_broken_change_journal_ends_the_start_with_an_error_status(server: Server) -> None:
    server.start()
    customer(server)
    server.stop()
    folder = os.path.join(server.data, "journal")
    (name,) = [name for name in os.listdir(folder) if name.endswith(".log")]
    with open(os.path.join(folder, name), "r+b") as file:
        file.seek(100)
        file.write(b"garbage")
    with pytest.raises(NotReady):
        server.start()
    assert "cannot start" in server.log()


def test_mail_gets_451_and_no_5xx_until_the_directory_is_awake(server: Server, tmp_path) -> None:
    server.start()
    customer(server)
    server.stop()
    gate = tmp_path / "gate"
    slow = tmp_path / "slow-redis"
    slow.write_text(f'#!/bin/sh\nwhile [ ! -e {gate} ]; do sleep 0.02; done\nexec {find_program("")} "$@"\n')
    slow.chmod(0o755)
    server.configure({"redis": {"program": str(slow)}})
    server.start(ready=False)
    with smtp(server) as client:
        client.ehlo()
        assert client.mail("anna@example.org")[0] == 250
        assert client.rcpt("paul@mydomain.zz")[0] == 451
        server.wait(lambda: server.page("/ready") == (503, "not awake: directory\n"))
        gate.touch()
        server.wait(server.ready)
        assert client.rcpt("paul@mydomain.zz")[0] == 250


# ---- what it leaves open -----------------------------------------------------------------------------------


def test_all_files_are_for_their_owner_only(server: Server) -> None:
    server.start()
    customer(server)
    with smtp(server) as client:
        client.sendmail("anna@example.org", ["paul@mydomain.zz"], "Subject: one\r\n\r\nHello\r\n")
    for folder, folders, files in os.walk(server.data):
        for name in (*folders, *files):
            path = os.path.join(folder, name)
            mode = os.lstat(path).st_mode
            assert stat.S_IMODE(mode) & 0o077 == 0, f"{path} has mode {stat.S_IMODE(mode):o}"


@pytest.mark.peer("ss")
def test_attack_32_redis_listens_on_no_port(server: Server) -> None:
    server.start()
    ours = {server.pid, *children(server)}
    told = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout
    lines = [line for line in told.splitlines() if any(f"pid={pid}," in line for pid in ours)]
    ports = {int(line.split()[3].rpartition(":")[2]) for line in lines}
    assert ports == set(server.ports.values())
    assert all(f"pid={server.pid}," in line for line in lines)


def test_attack_36_what_peers_say_makes_no_line_of_the_log(server: Server) -> None:
    server.configure({"log": {"json": True}})
    server.start()
    with socket.create_connection(("127.0.0.1", server.ports["smtp"]), 10) as client:
        client.sendall(b'EHLO x\x1b[2Jy\x07\r\nMAIL FROM:<a\x1b[31m@b.zz>\r\nRCPT TO:<"\x9b\\\r\n"@b.zz>\r\nQUIT\r\n')
        while client.recv(1000):
            pass
    server.stop()
    lines = [line for line in server.log().splitlines() if line]
    assert len(lines) > 3
    for line in lines:
        assert isinstance(json.loads(line), dict)
        assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in line)


def test_the_local_pages_tell_health_and_figures(server: Server) -> None:
    server.start()
    assert server.page("/health") == (200, "alive\n")
    with smtp(server) as client:
        client.ehlo()
        assert 'emailgency_connections{service="smtp"} 1.0\n' in server.page("/metrics")[1]
    told = server.page("/metrics")[1]
    assert "cannot be read" not in told
    assert "emailgency_accepting 1.0\n" in told


# ---- reload ------------------------------------------------------------------------------------------------


def test_sighup_takes_a_new_certificate_and_connections_stay(server: Server, tmp_path) -> None:
    path = tmp_path / "certificate.pem"
    path.write_bytes(self_signed(("old.zz",), NOW))
    server.configure({"tls": {"certificates": [{"chain": str(path)}]}})
    server.start()
    assert common_name(server) == "old.zz"
    with smtp(server) as client:
        client.ehlo()
        path.write_bytes(self_signed(("new.zz",), NOW))
        server.signal(signal.SIGHUP)
        server.wait(lambda: common_name(server) == "new.zz")
        assert client.noop()[0] == 250


def test_attack_33_a_bad_certificate_at_reload_leaves_the_old_one(server: Server, tmp_path) -> None:
    path = tmp_path / "certificate.pem"
    path.write_bytes(self_signed(("old.zz",), NOW))
    server.configure({"tls": {"certificates": [{"chain": str(path)}]}})
    server.start()
    path.write_bytes(b"nonsense")
    server.signal(signal.SIGHUP)
    server.wait(lambda: "ALERT certificates stay as they were" in server.log())
    assert common_name(server) == "old.zz"


def test_attack_33_a_bad_certificate_at_the_start_is_no_reason_to_refuse_mail(server: Server, tmp_path) -> None:
    (tmp_path / "certificate.pem").write_bytes(b"nonsense")
    server.configure({"tls": {"certificates": [{"chain": str(tmp_path / "certificate.pem")}]}})
    server.start()
    assert "ALERT a self-signed certificate stands in" in server.log()
    assert common_name(server) == "mx.emailgency.zz"


def test_sighup_takes_new_settings_and_names_those_that_wait(server: Server) -> None:
    server.start()
    with smtp(server) as client:
        client.ehlo()
        assert int(client.esmtp_features["size"]) > 100_000
    server.configure({"smtp": {"reception": {"message": 100_000}}, "storer": {"segment_size": 8192}})
    server.signal(signal.SIGHUP)
    server.wait(lambda: "for the next start: storer" in server.log().replace("listen, ", ""))
    with smtp(server) as client:
        client.ehlo()
        assert client.esmtp_features["size"] == "100000"


def test_a_mailbox_that_is_wiped_after_a_reload_gets_the_folders_of_now(server: Server) -> None:
    server.start()
    server.command("customer add", domain="mydomain.zz")
    server.command("mailbox add", address="paul@mydomain.zz")
    server.configure({"imap": {"folders": {"Kept": ""}}})
    server.signal(signal.SIGHUP)
    server.wait(lambda: "settings read again" in server.log())
    server.command("wipe-mailbox", address="paul@mydomain.zz")
    shown = server.command("mailbox show", address="paul@mydomain.zz")
    assert [line["folder"] for line in shown["folders"]] == ["INBOX", "Kept"]


def test_a_candidate_made_a_mailbox_after_a_reload_gets_the_folders_of_now(server: Server) -> None:
    server.start()
    customer(server)
    with smtp(server) as client:
        client.sendmail("bert@far.example", ["new.one@mydomain.zz"], "Subject: hello\r\n\r\nDear new one\r\n")
    made = server.command("token add", address="postmaster@mydomain.zz", name="x")
    asker = Program(server.ports["https"], made["token"])
    server.configure({"imap": {"folders": {"Kept": ""}}})
    server.signal(signal.SIGHUP)
    server.wait(lambda: "settings read again" in server.log())
    server.wait(lambda: asker.ask("POST", "/candidates/tidy") and asker.get("/candidates")["items"])
    deed = {"kind": "candidate", "deed": "mailbox", "addresses": ["new.one"]}
    assert asker.ask("POST", "/deeds", deed).status == 200
    shown = server.command("mailbox show", address="new.one@mydomain.zz")
    assert [(line["folder"], line["messages"]) for line in shown["folders"]] == [("INBOX", 1), ("Kept", 0)]


def test_wrong_settings_at_reload_are_told_once_and_change_nothing(server: Server) -> None:
    server.start()
    with open(server.settings_path, "a", encoding="utf-8") as file:
        file.write("\n[smtp.limits]\nrecipients = 5\n")
    server.signal(signal.SIGHUP)
    server.wait(lambda: "the settings stay as they were" in server.log())
    assert server.log().count("smtp.limits.recipients = 5") == 1
    assert server.ready()


def test_sigusr1_opens_a_moved_log_again(server: Server, tmp_path) -> None:
    path = tmp_path / "written.log"
    server.start(options=("--logfile", str(path)))
    path.rename(tmp_path / "written.log.1")
    server.signal(signal.SIGUSR1)
    server.wait(path.exists)


def test_a_storer_that_hangs_is_told_to_watchers_and_to_senders(server: Server) -> None:
    server.configure({"storer": {"patience": 0.3}})
    server.start()
    customer(server)
    (storer,) = [pid for pid in children(server) if b"storing.child" in command_line(pid)]
    with smtp(server) as caught, smtp(server) as next_one:
        next_one.ehlo()
        caught.ehlo()
        caught.mail("anna@example.org")
        caught.rcpt("paul@mydomain.zz")
        assert caught.docmd("DATA")[0] == 354
        os.kill(storer, signal.SIGSTOP)
        try:
            caught.send(b"Subject: one\r\n\r\nHello\r\n.\r\n")
            server.wait(lambda: not server.ready())
            status, reasons = server.page("/ready")
            assert (status, reasons.startswith("the storer has not answered for ")) == (503, True)
            assert "\nemailgency_accepting 0.0\n" in server.page("/metrics")[1]
            assert "\nemailgency_storer_seconds 0.0\n" not in server.page("/metrics")[1]
            assert next_one.mail("anna@example.org")[0] == 451
        finally:
            os.kill(storer, signal.SIGCONT)
        assert caught.getreply()[0] == 250
        server.wait(server.ready)
        assert next_one.mail("anna@example.org")[0] == 250


# ---- the end -----------------------------------------------------------------------------------------------


def test_a_stop_cuts_no_transaction(server: Server) -> None:
    server.start()
    customer(server)
    server.wait(lambda: len(children(server)) == 3)  # the storer, the ledger's process and Redis
    pids = children(server)
    idle, busy = smtp(server), smtp(server)
    idle.ehlo()
    busy.ehlo()
    busy.mail("anna@example.org")
    busy.rcpt("paul@mydomain.zz")
    assert busy.docmd("DATA")[0] == 354
    busy.send(b"Subject: one\r\n\r\nfirst half, ")
    believed_time = os.path.join(server.data, layout.BELIEVED_TIME)
    server.wait(lambda: os.path.exists(believed_time))
    os.unlink(believed_time)
    server.signal(signal.SIGTERM)
    assert idle.getreply()[0] == 421
    with pytest.raises(ConnectionRefusedError):
        smtp(server)
    busy.send(b"second half\r\n.\r\n")
    assert busy.getreply()[0] == 250
    idle.close()
    busy.close()
    assert server.ended() == -signal.SIGTERM
    assert not any(runs(pid) for pid in pids)
    assert os.path.exists(believed_time)
    assert not os.path.exists(os.path.join(server.data, "listening"))
    server.start()
    assert server.command("mailbox show", address="paul@mydomain.zz")["folders"][0]["messages"] == 1


def test_a_stop_before_everything_is_awake_ends_at_once(server: Server, tmp_path) -> None:
    silent = tmp_path / "silent-redis"
    silent.write_text("#!/bin/sh\nexec sleep 600\n")
    silent.chmod(0o755)
    server.configure({"redis": {"program": str(silent)}})
    server.start(ready=False)
    assert server.stop(timeout=100) == -signal.SIGTERM
    server.start(ready=False)
    server.wait(lambda: server.page("/ready")[1] == "not awake: directory\n")
    assert server.stop(timeout=100) == -signal.SIGTERM


def test_a_killed_server_leaves_nobody_behind_and_starts_again(server: Server) -> None:
    server.start()
    customer(server)
    with smtp(server) as client:
        client.sendmail("anna@example.org", ["paul@mydomain.zz"], "Subject: one\r\n\r\nHello\r\n")
    pids = children(server)
    server.kill()
    server.start()
    server.wait(lambda: not any(runs(pid) for pid in pids))
    assert server.command("mailbox show", address="paul@mydomain.zz")["folders"][0]["messages"] == 1


@another_user
def test_root_binds_and_becomes_another_user() -> None:
    nobody = pwd.getpwnam("nobody")
    folder = tempfile.mkdtemp(prefix="emailgency-uid-")  # pytest's own folders are for root alone
    os.chmod(folder, 0o755)
    server = Server(folder)
    os.chmod(server.settings_path, 0o644)
    try:
        with open_to_others() as prefix:
            server.start(prefix=prefix, options=("--uid", str(nobody.pw_uid), "--gid", str(nobody.pw_gid)))
            for pid in (server.pid, *children(server)):
                with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
                    uids = next(line.split()[1:] for line in file if line.startswith("Uid:"))
                assert set(uids) == {str(nobody.pw_uid)}
            assert os.stat(server.data).st_uid == nobody.pw_uid
            server.stop()
    finally:
        server.close()
        shutil.rmtree(folder)
