"""The last errors that were logged, in memory, for an operator who looks at the console and not at the log."""

import re
from collections import deque
from collections.abc import Iterator

from msgspec import Struct
from twisted.logger import ILogObserver, LogEvent, LogLevel, eventAsText
from zope.interface import implementer

_KEPT = 200
_LONGEST = 2000  # characters
# Controls, marks that turn text around (attack row 31), halves of surrogates
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class LoggedError(Struct, frozen=True):
    """One event. `at`: seconds since the epoch; `times` it has come in a row."""

    at: float
    part: str
    text: str
    times: int = 1


@implementer(ILogObserver)
class RecentErrors:
    """Observes the log, from whatever thread; `latest` gives the newest first."""

    def __init__(self) -> None:
        self._errors: deque[LoggedError] = deque(maxlen=_KEPT)

    def __call__(self, event: LogEvent) -> None:
        if event.get("log_level") not in (LogLevel.error, LogLevel.critical):
            return
        text = eventAsText(event, includeTimestamp=False, includeSystem=False)[:_LONGEST]
        text = _UNSEEN.sub(lambda match: match.group().encode("unicode_escape").decode(), text)
        error = LoggedError(event["log_time"], str(event.get("log_namespace", "")).removeprefix("emailgency."), text)
        last = self._errors[-1] if self._errors else None
        if last is not None and (last.part, last.text) == (error.part, error.text):
            self._errors[-1] = LoggedError(error.at, error.part, error.text, last.times + 1)
        else:
            self._errors.append(error)

    def latest(self) -> Iterator[LoggedError]:
        return iter(list(self._errors)[::-1])
