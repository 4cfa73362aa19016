"""The log as it is written: one event a line, as text or as JSON, and nothing a peer said can be taken for a line.

Control characters are written as escapes (\\x1b, \\r) in everything, whoever logged it: a terminal that shows
the log obeys none of them. Lines after the first (a traceback) begin with a tab.
"""

import contextlib
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from io import TextIOWrapper
from typing import Any, TextIO

import msgspec
from twisted.logger import ILogObserver, LogEvent, LogLevel, eventAsText
from zope.interface import implementer

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
# A line every two seconds while Redis is away; `store.redis` says once that it is.
_RECONNECTING = "twisted.application._client_service.ClientService"
# Twisted says so of every socket that asks a resolver something (`net.dns`).
_QUESTION_ASKED = ("_Datagrams starting on ", "(UDP Port ")
_encode = msgspec.json.Encoder(enc_hook=str).encode


def clean(text: str) -> str:
    """`text` without control characters; line feeds and tabs of ours stay for `line` to indent."""
    return _CONTROL.sub(lambda match: match.group().encode("unicode_escape").decode(), text)


def line(event: LogEvent) -> str:
    """ "2026-11-22T10:15:00.123Z flows.receiving.receive info: 01J.. received ..." """
    return f"{_time(event)} {_system(event)} {_level(event)}: {_text(event)}".replace("\n", "\n\t") + "\n"


def json_line(event: LogEvent) -> str:
    """The same event as an object; its named fields stand beside its text."""
    told: dict[str, Any] = {
        "time": _time(event),
        "level": _level(event),
        "system": _system(event),
        "text": _text(event),
    }
    for name, value in event.items():
        if not name.startswith("log_") and isinstance(value, str | int | float | bool):
            told.setdefault(name, clean(value) if isinstance(value, str) else value)
    return _encode(told).decode() + "\n"


@implementer(ILogObserver)
class Observer:
    """Writes each event from info upward to `path`, or to `stream` when there is no path."""

    def __init__(self, stream: TextIO, path: str | None, shape: Callable[[LogEvent], str]) -> None:
        self._path = path
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may be ASCII
        self._stream = stream if path is None else _open(path)
        self._shape = shape

    def __call__(self, event: LogEvent) -> None:
        if event.get("log_level") is not LogLevel.debug and not _noise(event):
            self._stream.write(self._shape(event))
            self._stream.flush()

    def reopen(self) -> None:
        """After the file was moved away."""
        if self._path is not None:
            self._stream.close()
            self._stream = _open(self._path)


def _noise(event: LogEvent) -> bool:
    """What libraries say and nobody can use."""
    said = event.get("log_text")
    return event.get("log_namespace") == _RECONNECTING or (isinstance(said, str) and said.startswith(_QUESTION_ASKED))


def _open(path: str) -> TextIO:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    return os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace")


def _text(event: LogEvent) -> str:
    """Twisted's formatter can do more than ours ever ask of it, at 5 % of what a small message costs."""
    if "log_failure" not in event:
        with contextlib.suppress(Exception):
            return clean(event["log_format"].format_map(event))
    return clean(eventAsText(event, includeTimestamp=False, includeSystem=False))


def _time(event: LogEvent) -> str:
    seconds, fraction = divmod(event["log_time"], 1)
    return f"{_second(seconds)}.{int(fraction * 1000):03}Z"


@lru_cache(maxsize=1)
def _second(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _system(event: LogEvent) -> str:
    return _place(str(event.get("log_system") or event.get("log_namespace", "-")))


@lru_cache(maxsize=256)
def _place(name: str) -> str:
    return clean(name).removeprefix("emailgency.")


def _level(event: LogEvent) -> str:
    return str(event.get("log_level", LogLevel.info).name)
