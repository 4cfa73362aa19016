"""The log: one event a line, whatever a peer says."""

import io
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import LogEvent, Logger, LogLevel
from twisted.python.failure import Failure

from emailgency.observer import Observer, json_line, line

NASTY = "x\r\nY\x1b[2J\x00\x9b\u2028é\ud800"


def event(text: str, **fields: object) -> LogEvent:
    caught: list[LogEvent] = []
    Logger(namespace="emailgency.flows.receiving.receive", observer=caught.append).info(text, **fields)
    return caught[0]


def test_a_line_tells_time_place_level_and_text() -> None:
    time, system, level, text = line(event("{id} received", id="01J")).split(" ", 3)
    assert time.endswith("Z")
    assert (system, level, text) == ("flows.receiving.receive", "info:", "01J received\n")


def test_json_carries_text_and_named_fields_only() -> None:
    told = json.loads(json_line(event("{id} received from {ip}", id="01J", ip="192.0.2.1", thing=object())))
    assert told["text"] == "01J received from 192.0.2.1"
    assert (told["id"], told["ip"], told["system"], told["level"]) == (
        "01J",
        "192.0.2.1",
        "flows.receiving.receive",
        "info",
    )
    assert "thing" not in told


@pytest.mark.parametrize("shape", [line, json_line])
def test_attack_36_no_octet_of_a_peer_makes_a_line_or_commands_a_terminal(shape: Callable[[LogEvent], str]) -> None:
    written = shape(event("{id} refused HELO {helo}", id="01J", helo=NASTY))
    assert written.count("\n") == (1 if shape is json_line else 1 + NASTY.count("\n"))
    assert not any(ord(octet) < 32 and octet not in "\n\t" for octet in written)
    assert "\x1b" not in written
    assert "\x9b" not in written
    assert all(rest.startswith("\t") for rest in written.splitlines()[1:])


@given(st.text())
def test_attack_36_any_text_is_one_json_object_a_line(text: str) -> None:
    written = json_line(event("{said}", said=text))
    assert written.count("\n") == 1
    assert isinstance(json.loads(written), dict)
    _, *rest = line(event("{said}", said=text)).removesuffix("\n").split("\n")
    assert len(rest) == text.count("\n")
    assert all(one.startswith("\t") for one in rest)


def test_a_failure_is_indented_below_its_event() -> None:
    caught: list[LogEvent] = []
    try:
        raise ValueError("bad\r\n\x1b thing")
    except ValueError:
        Logger(observer=caught.append).failure("it failed", Failure())
    first, *rest = line(caught[0]).splitlines()
    assert first.endswith("critical: it failed")
    assert rest
    assert all(one.startswith("\t") for one in rest)


def test_debug_is_left_out_and_a_moved_file_is_opened_again(tmp_path) -> None:
    path = tmp_path / "log"
    observer = Observer(io.StringIO(), str(path), line)
    observer(event("one"))
    observer({**event("two"), "log_level": LogLevel.debug})
    path.rename(tmp_path / "log.1")
    observer.reopen()
    observer(event("three"))
    assert path.read_text().endswith("three\n")
    assert (tmp_path / "log.1").read_text().count("\n") == 1


def test_the_sockets_of_dns_questions_fill_no_log(tmp_path) -> None:
    observer = Observer(io.StringIO(), str(tmp_path / "log"), line)
    observer({**event("{log_text}"), "log_text": "_Datagrams starting on 37885"})
    observer({**event("{log_text}"), "log_text": "(UDP Port 37885 Closed)"})
    observer({**event("{log_text}"), "log_text": "something else"})
    assert (tmp_path / "log").read_text().count("\n") == 1
