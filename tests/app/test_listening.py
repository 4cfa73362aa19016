"""Addresses to listen on, the data folder's lock, and the descriptor limit."""

import os
import resource
import socket
import subprocess
import sys

import pytest

from emailgency import listening
from emailgency.listening import Bound, Port, bind, parse
from emailgency.premises import Lock, prepare_folder, raise_descriptor_limit
from emailgency.settings_file import Wrong
from tests.support.users import readable_by_others


def close(bound: Bound) -> None:
    for one in bound.sockets:
        one.close()


def test_addresses_are_read() -> None:
    assert parse("127.0.0.1:25") == ("127.0.0.1", 25)
    assert parse("[::1]:143") == ("::1", 143)
    assert parse("*:0") == ("*", 0)


@pytest.mark.parametrize("text", ["25", "", ":25", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:65536", "mail.zz:25", "*:²"])
def test_what_is_no_address_is_refused_with_the_service(text: str) -> None:
    with pytest.raises(Wrong, match=r"listen\.smtp"):
        bind(Port("smtp", 25, 2525), (text,))


def test_star_means_ipv4_and_ipv6_under_one_number() -> None:
    bound = bind(Port("smtp", 25, 2525), ("*:0",))
    assert len({port for _, port in bound.addresses}) == 1
    for host in ("127.0.0.1", "::1")[: len(bound.sockets)]:
        socket.create_connection((host, bound.addresses[0][1]), 5).close()
    close(bound)


def test_a_port_that_is_taken_is_told_by_the_service_and_address() -> None:
    first = bind(Port("imap", 143, 2143), ("127.0.0.1:0",))
    with pytest.raises(Wrong, match=r'listen.imap: "127.0.0.1:\d+": Address already in use'):
        bind(Port("imap", 143, 2143), (f"127.0.0.1:{first.addresses[0][1]}",))
    close(first)


def test_without_root_a_taken_default_port_becomes_a_free_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening.os, "geteuid", lambda: 1000)
    taken = bind(Port("imap", 143, 0, "127.0.0.1"), None)
    number = taken.addresses[0][1]
    second = bind(Port("imap", 143, number, "127.0.0.1"), None)
    assert second.addresses[0][1] != number
    close(taken)
    close(second)


def test_an_empty_list_listens_nowhere() -> None:
    assert bind(Port("imap", 143, 2143), ()).sockets == []


def test_the_data_folder_is_for_its_owner_only(tmp_path) -> None:
    folder = str(tmp_path / "a" / "b")
    prepare_folder(folder)
    assert os.stat(folder).st_mode & 0o777 == 0o700


def test_a_data_folder_that_cannot_be_is_told(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Wrong, match="cannot be the data folder"):
        prepare_folder(str(tmp_path / "file" / "below"))


def test_two_servers_never_share_a_data_folder(tmp_path) -> None:
    first, second = Lock(str(tmp_path)), Lock(str(tmp_path))
    first.take()
    with pytest.raises(Wrong, match=f"another server \\(process {os.getpid()}\\)"):
        second.take()
    first.release()
    second.take()
    second.release()


def test_the_lock_goes_with_a_killed_server(tmp_path) -> None:
    code = (
        "import signal, sys; from emailgency.premises import Lock\n"
        "Lock(sys.argv[1]).take(); print(1, flush=True); signal.pause()"
    )
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, cwd=root) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(Wrong):
            Lock(str(tmp_path)).take()
        other.kill()
    ours = Lock(str(tmp_path))
    ours.take()
    ours.release()


def test_descriptors_go_up_to_the_hard_limit() -> None:
    assert raise_descriptor_limit() == resource.getrlimit(resource.RLIMIT_NOFILE)[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can hand the capability on")
@pytest.mark.skipif(not readable_by_others(sys.prefix), reason="nobody but root can read this environment")
@pytest.mark.peer("setpriv")
def test_with_the_capability_of_the_unit_another_user_than_root_gets_low_ports() -> None:
    code = "from emailgency.listening import may_have_low_ports as may; print(may())"
    words = ["setpriv", "--reuid=65534", "--clear-groups", "--inh-caps=+net_bind_service"]
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    for capability, answer in (("--ambient-caps=+net_bind_service", "True"), ("--ambient-caps=-all", "False")):
        told = subprocess.run(
            [*words, capability, sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=20
        )
        assert told.stdout.strip() == answer, told.stderr
