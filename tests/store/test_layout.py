"""store.layout: names that people choose never lead out of the data folder."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailgency.model.address import Address
from emailgency.model.errors import Invalid
from emailgency.store import layout

HOSTILE = ["..", ".", "../../etc", "a/b", "/etc", "\0", "a\nb", "x" * 300, ".hidden", "Ü", "a.b", "~root", "-rf", "&"]
BOX = "customers/c/mailboxes/m"


@given(st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=4).map(tuple))
def test_folder_names_come_back_as_they_were_and_stay_inside(name: tuple[str, ...]) -> None:
    try:
        path = layout.folder(BOX, name)
    except Invalid:
        return  # too long for a disk
    inner = path.removeprefix(f"{BOX}/")
    assert "/" not in inner
    assert inner not in (".", "..")
    assert inner.isascii()
    assert inner.isprintable()
    assert os.path.normpath(path) == path
    if not any(0xD800 <= ord(character) < 0xE000 for part in name for character in part):
        assert layout.folder_name(BOX, path) == name


def test_folder_names_are_those_dovecot_uses() -> None:
    assert layout.folder(BOX, ()) == BOX
    assert layout.folder(BOX, ("Sent",)) == f"{BOX}/.Sent"
    assert layout.folder(BOX, ("Archiv", "Entwürfe & mehr")) == f"{BOX}/.Archiv.Entw&APw-rfe &- mehr"
    assert layout.folder_name(BOX, f"{BOX}/.odd&-&x") == ("odd&&x",)


@pytest.mark.parametrize("name", HOSTILE)
def test_attack_30_hostile_names_reach_no_path(name: str) -> None:
    for path in (layout.mailbox, layout.undelivered):
        with pytest.raises(Invalid):
            path(*([name] * path.__wrapped__.__code__.co_argcount))
    with pytest.raises(Invalid):
        layout.message(name)
    catchall = layout.catchall("c", Address(name, "mydomain.zz"))
    assert os.path.dirname(catchall) == "customers/c/catchall"
    assert os.path.basename(catchall).isalnum()


def test_a_message_lies_in_the_hour_its_id_names() -> None:
    assert layout.message("6b02c953000112345678") == "spool/2026-11-22T10/6b02c953000112345678.msg"


def test_empty_parts_are_refused() -> None:
    with pytest.raises(Invalid):
        layout.folder(BOX, ("a", ""))
