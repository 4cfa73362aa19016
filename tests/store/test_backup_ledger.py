"""A backup holds the ledgers, whole, though their process writes on."""

import os
import stat

from emailgency.model.envelope import Client, Envelope, Outcome, Recipient, Relay
from emailgency.model.story import Facts, Happening
from emailgency.store import layout
from emailgency.store.backup.files import Copier
from emailgency.store.backup.ledger import copy_ledgers
from emailgency.store.ledger.child import Keeper
from emailgency.store.ledger.messages import Begin, Bounds
from emailgency.store.ledger.search import Query, find
from emailgency.store.ledger.shelf import Shelf
from emailgency.store.spool import records as spool_records
from emailgency.store.spool.records import Accepted, Finished

BOUNDS = Bounds(36_500, 1 << 30, 1 << 30)


def copied(source, target) -> list[str]:
    os.makedirs(target)
    return copy_ledgers(Copier(str(source), str(target)))


def test_what_was_written_a_moment_ago_is_in_the_copy(tmp_path):
    shelf = Shelf(f"{tmp_path}/data", BOUNDS)
    facts = Facts("6b0000000001", 1.0, "s@far.example", "hello", "1@x", 1, ("r@x.zz",), ())
    shelf.write("a", lambda file: file.add([facts], [("6b0000000001", Happening(2.0, "relayed", (0,)))]))
    assert copied(f"{tmp_path}/data", f"{tmp_path}/copy") == []  # it is open, and has not been settled
    shelf.write("a", lambda file: file.add([], [("6b0000000001", Happening(3.0, "read", (0,)))]))
    path = f"{tmp_path}/copy/ledger/a.sqlite"
    (story,) = find(path, Query())
    assert [one.word for one in story.happenings] == ["relayed"]
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert os.listdir(f"{tmp_path}/copy/ledger") == ["a.sqlite"]
    shelf.close()


def test_a_damaged_one_is_told_and_keeps_no_other_back(tmp_path):
    shelf = Shelf(f"{tmp_path}/data", BOUNDS)
    shelf.write("b", lambda file: file.add([], []))
    shelf.close()
    with open(f"{tmp_path}/data/ledger/a.sqlite", "wb") as file:
        file.write(b"this is no database" * 100)
    (problem,) = copied(f"{tmp_path}/data", f"{tmp_path}/copy")
    assert problem.startswith("ledger/a.sqlite: ")
    assert os.listdir(f"{tmp_path}/copy/ledger") == ["b.sqlite"]


def test_a_restored_journal_is_read_from_its_beginning_and_doubles_nothing(tmp_path):
    data = f"{tmp_path}/data"
    os.makedirs(f"{data}/{layout.JOURNAL}")
    to = Relay(customer="a", address="r@x.zz", recipient=0)
    envelope = Envelope(
        id="6b0000000001",
        customer="a",
        sender="",
        received_at=1.0,
        size=1,
        return_path=0,
        recipients=(Recipient(as_given="r@x.zz"),),
        plan=(to,),
        client=Client(ip="192.0.2.1"),
    )
    records = Accepted(envelope), Finished(envelope.id, (0,), 2.0, Outcome(word="relayed", reply="ok"))
    with open(f"{data}/{layout.segment(7)}", "wb") as segment:
        segment.writelines(map(spool_records.encode, records))
    first = Keeper(Begin(data, BOUNDS))
    first.catch_up()
    first.mark()
    copied(data, f"{tmp_path}/copy")
    first.end()
    os.makedirs(f"{tmp_path}/copy/{layout.JOURNAL}")
    os.rename(f"{data}/{layout.segment(7)}", f"{tmp_path}/copy/{layout.segment(1)}")
    again = Keeper(Begin(f"{tmp_path}/copy", BOUNDS))
    again.catch_up()
    again.end()
    (story,) = find(f"{tmp_path}/copy/ledger/a.sqlite", Query())
    assert [one.word for one in story.happenings] == ["relayed"]


def test_a_journal_that_was_begun_anew_is_read_though_the_position_is_beyond_it(tmp_path):
    data = f"{tmp_path}/data"
    os.makedirs(f"{data}/{layout.JOURNAL}")
    os.makedirs(f"{data}/{layout.LEDGER}")
    with open(f"{data}/{layout.LEDGER_MARK}", "wb") as mark:
        mark.write(b"[57,1234]")
    with open(f"{data}/{layout.segment(2)}", "wb") as segment:
        segment.write(spool_records.encode(spool_records.Ended(("6b0000000001",))))
    keeper = Keeper(Begin(data, BOUNDS))
    assert keeper.reached(0).segment == 0
    keeper.catch_up()
    assert keeper.reached(0).segment == 2
    keeper.end()
