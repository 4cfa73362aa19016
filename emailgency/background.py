"""The one way to start work nobody waits for: it has a name, and its failure is logged once."""

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from emailgency.model.errors import Temporary

_log = Logger()


def background(name: str, work: Coroutine[Deferred[Any], Any, object]) -> Deferred[None]:
    """Start `work`; the Deferred fires when it ended, and never with a failure (cancel it to stop the work).

    The log has a line for `Temporary` trouble and a traceback for whatever nobody foresaw.
    """

    def report(failure: Failure) -> None:
        if failure.check(Temporary):  # told and expected: a full disk must not fill the log as well
            _log.error("{work} failed for now: {reason}", work=name, reason=str(failure.value))
        elif not failure.check(CancelledError):
            _log.failure("{work} failed", failure, work=name)

    return Deferred.fromCoroutine(work).addCallbacks(lambda _: None, report)
