"""Folders far from others on the disk."""

import errno
import fcntl
import os
import stat

import pytest

from emailgency.store import layout
from emailgency.store.storing import far_apart

PATH = "spool/2026-11-22T10"


def make(root: str, path: str) -> None:
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        far_apart.make_folder(descriptor, path)
    finally:
        os.close(descriptor)


def test_the_folder_is_there_and_nothing_is_left_where_it_began(tmp_path) -> None:
    make(str(tmp_path), PATH)
    made = (tmp_path / PATH).stat()
    assert stat.S_ISDIR(made.st_mode)
    assert stat.S_IMODE(made.st_mode) == 0o700
    assert os.listdir(tmp_path / layout.TRASH) == []


def test_a_folder_with_messages_in_it_is_not_replaced(tmp_path) -> None:
    make(str(tmp_path), PATH)
    (tmp_path / PATH / "one.msg").touch()
    with pytest.raises(OSError):
        make(str(tmp_path), PATH)
    assert os.listdir(tmp_path / PATH) == ["one.msg"]
    assert os.listdir(tmp_path / layout.TRASH) == []


def test_a_file_system_without_the_mark_takes_the_folder_all_the_same(tmp_path, monkeypatch) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(errno.ENOTTY, "no such mark")

    monkeypatch.setattr(fcntl, "ioctl", refuse)
    make(str(tmp_path), PATH)
    assert (tmp_path / PATH).is_dir()
