"""Give every mailbox of a stopped server one password, past the policy: the load rig's password has one class only.

python emailgency_accounts.py JOURNAL PASSWORD
"""

import sys
import time

import msgspec
from msgspec import Raw
from nacl.pwhash import argon2id

from emailgency.model.directory import Entry, Mailbox
from emailgency.store.directory.changes import Change, Edit, encode
from emailgency.store.directory.journal import Journal


def main() -> None:
    folder, password = sys.argv[1:]
    journal = Journal(folder)
    journal.open()
    tables, mark = journal.tables()
    hashed = argon2id.str(password.encode(), 2, 19_456 << 10).decode("ascii")  # as the server makes them
    edits = []
    for key, octets in tables["entry"].items():
        entry = msgspec.json.decode(octets, type=Entry)
        if isinstance(entry, Mailbox):
            with_password = msgspec.structs.replace(entry, password=hashed)
            edits.append(Edit("entry", key, octets, Raw(encode(with_password))))
    journal.append(Change(mark.position + 1, time.time(), "benchmark", "benchmark", "passwords", None, tuple(edits)))
    journal.close()


main()
