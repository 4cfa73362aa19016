"""A real Postfix as the customer's server: its own configuration and queue in a folder, a port of the kernel's choice.

It delivers into the folder's Maildir; what it refuses is a table that can be changed while it runs. Needs root (as
Postfix does) and puts nothing outside its folder.
"""

import os
import shutil
import socket
import subprocess
import time

from tests.support.certificates import self_signed

MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
myhostname = mail.mydomain.zz
mydestination =
mynetworks =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
virtual_mailbox_domains = mydomain.zz
virtual_mailbox_maps = {maps}
virtual_mailbox_base = {folder}/mail
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
message_size_limit = 20971520
virtual_mailbox_limit = 0
smtpd_recipient_restrictions = check_recipient_access texthash:{folder}/recipients, reject_unauth_destination
smtpd_sender_restrictions = check_sender_access texthash:{folder}/senders
smtpd_delay_reject = no
smtpd_end_of_data_restrictions = check_sender_access texthash:{folder}/after
smtpd_client_connection_count_limit = {connections}
smtpd_client_connection_rate_limit = 0
smtpd_client_event_limit_exceptions =
smtpd_soft_error_limit = 1000
smtpd_hard_error_limit = 1000
smtpd_tls_security_level = {tls}
smtpd_tls_chain_files = {folder}/key.pem, {folder}/certificate.pem
smtpd_tls_loglevel = 1
"""
MASTER = """
{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """`start`, `stop`, `refuse`; `received()` gives the octets of what was delivered. As a context it is stopped."""

    def __init__(self, folder, *, tls=False, connections=50, users=None):
        """Without `users` everybody is somebody there."""
        self.folder = str(folder)
        os.makedirs(f"{self.folder}/data")
        os.makedirs(f"{self.folder}/queue")
        os.makedirs(f"{self.folder}/mail")
        for folder in (os.path.dirname(self.folder), self.folder):
            os.chmod(folder, 0o755)
        shutil.chown(f"{self.folder}/data", "postfix")
        shutil.chown(f"{self.folder}/mail", "nobody", "nogroup")
        stat = os.stat(f"{self.folder}/mail")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        if tls:
            self_signed("mail.mydomain.zz", f"{self.folder}/key.pem", f"{self.folder}/certificate.pem")
        level = "may" if tls else "none"
        values = {"folder": self.folder, "uid": stat.st_uid, "gid": stat.st_gid, "tls": level}
        values["maps"] = "static:all/" if users is None else f"texthash:{self.folder}/users"
        self._write("main.cf", MAIN.format(connections=connections, **values))
        self._write("master.cf", MASTER.format(port=f"127.0.0.1:{self.port}"))
        for table in ("recipients", "senders", "after"):
            self._write(table, "")
        self._write("users", "".join(f"{local}@mydomain.zz all/\n" for local in users or ()))

    def refuse(self, table, **answers):
        """`table` "recipients", "senders" (MAIL) or "after" (end of data), by sender or recipient local part."""
        lines = [
            f"{local}@{'mydomain.zz' if table == 'recipients' else 'example.org'} {answer}"
            for local, answer in answers.items()
        ]
        self._write(table, "\n".join(lines) + "\n")
        if self._running():
            self._command("reload")

    def start(self):
        self._command("start")
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as line:
                    if line.recv(3) == b"220":
                        return self
            except OSError:
                time.sleep(0.02)  # another program's start can only be looked for
        raise AssertionError(self.log())

    def stop(self):
        if self._running():
            self._command("stop")

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def received(self):
        """All messages delivered so far."""
        found = []
        for path, _, names in os.walk(f"{self.folder}/mail"):
            if path.endswith(("/new", "/cur")):
                for name in names:
                    with open(os.path.join(path, name), "rb") as file:
                        found.append(file.read())
        return found

    def log(self):
        with open(f"{self.folder}/log", encoding="utf-8") as file:
            return file.read()

    def _running(self):
        done = subprocess.run(["/usr/sbin/postfix", "-c", self.folder, "status"], capture_output=True, check=False)
        return done.returncode == 0

    def _command(self, word):
        words = ["/usr/sbin/postfix", "-c", self.folder, word]
        done = subprocess.run(words, capture_output=True, check=False, timeout=30)
        assert done.returncode == 0, done.stderr

    def _write(self, name, text):
        with open(f"{self.folder}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
