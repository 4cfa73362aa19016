"""Grammar and deeds belong together: whatever a client may say, some function answers."""

from typing import get_args

from emailgency.codec.imap import commands as imap
from emailgency.codec.pop3 import commands as pop3
from emailgency.servers.imap.table import TABLE as IMAP
from emailgency.servers.pop3.table import TABLE as POP3


def test_every_command_of_imap_has_its_rule() -> None:
    assert set(get_args(imap.Command)) == IMAP.keys()


def test_every_command_of_pop3_has_its_rule() -> None:
    assert set(get_args(pop3.Command)) == POP3.keys()
