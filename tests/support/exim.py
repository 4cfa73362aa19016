"""A real Exim as the customer's server: its own configuration and spool in a folder, a port of the kernel's choice.

It delivers into the folder's Maildir while it answers (`delivery in the foreground` of the daemon's children); what it
refuses are files of addresses that can be changed while it runs. Needs root and the user Debian-exim.
"""

import os
import shutil
import signal
import socket
import subprocess
import time

CONFIGURATION = """
primary_hostname = exim.mydomain.zz
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
pid_file_path = {folder}/pid
exim_path = {program}
keep_environment =
exim_user = Debian-exim
exim_group = Debian-exim
never_users =
trusted_users = root
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
domainlist local_domains = mydomain.zz
message_size_limit = 20M
smtp_accept_max = 100
smtp_accept_max_per_host = 50
smtp_accept_queue_per_connection = 0
smtp_enforce_sync = true
tls_advertise_hosts =
chunking_advertise_hosts = *
prdr_enable = false
host_lookup =
rfc1413_hosts =
queue_only = false
deliver_drop_privilege = true
acl_smtp_mail = mail_acl
acl_smtp_rcpt = rcpt_acl
acl_smtp_data = data_acl

begin acl
mail_acl:
  deny senders = lsearch;{folder}/bad_senders
       message = sender refused
  accept
rcpt_acl:
  deny message = unknown here
       recipients = lsearch;{folder}/unknown
  defer message = greylisted
        recipients = lsearch;{folder}/later
  deny message = nobody of this name
       !recipients = {users}
  accept domains = +local_domains
  deny message = relay not permitted
data_acl:
  deny senders = lsearch;{folder}/spam
       message = spam
  accept

begin routers
here:
  driver = accept
  domains = +local_domains
  transport = maildir

begin transports
maildir:
  driver = appendfile
  maildir_format
  directory = {folder}/mail
  user = Debian-exim
  group = Debian-exim
  create_directory = false
  return_path_add = false
  delivery_date_add = false
  envelope_to_add = false

begin retry
*  *  F,2h,1m
"""
TABLES = ("bad_senders", "unknown", "later", "spam")


class Exim:
    """`start`, `stop`, `refuse`; `received()` gives the octets of what was delivered."""

    def __init__(self, folder, *, users=None):
        """Without `users` everybody is somebody there."""
        self.folder = str(folder)
        self._program = shutil.which("exim4", path="/usr/local/sbin:/usr/sbin")
        for name in ("spool", "log", "mail/new", "mail/cur", "mail/tmp"):
            os.makedirs(f"{self.folder}/{name}")
        os.chmod(os.path.dirname(self.folder), 0o755)
        for name in ("spool", "log"):
            shutil.chown(f"{self.folder}/{name}", "Debian-exim", "Debian-exim")
        for name in ("mail", "mail/new", "mail/cur", "mail/tmp"):
            shutil.chown(f"{self.folder}/{name}", "Debian-exim", "Debian-exim")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        with open(f"{self.folder}/exim.conf", "w", encoding="utf-8") as file:
            known = "*" if users is None else " : ".join(f"{local}@mydomain.zz" for local in users)
            values = {"folder": self.folder, "port": self.port, "program": self._program, "users": known}
            file.write(CONFIGURATION.format(**values))
        self.refuse()
        self._process = None

    def refuse(self, **addresses):
        """`table=["local@domain", …]`, the others empty; Exim reads them for each command."""
        for table in TABLES:
            with open(f"{self.folder}/{table}", "w", encoding="utf-8") as file:
                file.write("".join(f"{address}\n" for address in addresses.get(table, ())))

    def start(self):
        self._process = subprocess.Popen(
            [self._program, "-C", f"{self.folder}/exim.conf", "-bdf", "-q1m"],
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as line:
                    if line.recv(3) == b"220":
                        return self
            except OSError:
                time.sleep(0.02)  # another program's start can only be looked for
        raise AssertionError(f"{self.log()} {self._process.stderr.read() if self._process.poll() is not None else ''}")

    def stop(self):
        process, self._process = self._process, None
        if process:
            os.killpg(process.pid, signal.SIGTERM)
            process.communicate(timeout=20)

    def received(self):
        """All messages delivered so far."""
        found = []
        for name in os.listdir(f"{self.folder}/mail/new"):
            with open(f"{self.folder}/mail/new/{name}", "rb") as file:
                found.append(file.read())
        return found

    def log(self):
        text = ""
        for name in os.listdir(f"{self.folder}/log"):
            with open(f"{self.folder}/log/{name}", encoding="utf-8") as file:
                text += file.read()
        return text
