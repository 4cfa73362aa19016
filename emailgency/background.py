"""Work beside the reactor: nobody waits for it, and it has a name and one line for its failure; or a thread does it."""

from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure

from emailgency.model.errors import Temporary

P = ParamSpec("P")
R = TypeVar("R")
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


async def to_its_end(name: str, work: Coroutine[Deferred[Any], Any, R]) -> R:
    """The outcome of `work`. Who is cancelled while he waits for it goes without; the work itself is done all the same.

    For what must not stop half-way because somebody has hung up. What nobody hears of by then is in the log, as that of
    `background`.
    """
    outcome: Deferred[R] = Deferred()

    async def all_of_it() -> None:
        try:
            result = await work
        except Exception:
            if outcome.called:
                raise
            outcome.errback(Failure())
        else:
            if not outcome.called:
                outcome.callback(result)

    background(name, all_of_it())
    return await outcome


async def in_thread(reactor: Any, work: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
    """What blocks, in one of the reactor's threads."""
    result: R = await deferToThreadPool(reactor, reactor.getThreadPool(), work, *arguments, **named)
    return result
