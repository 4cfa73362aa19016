"""Coroutine methods as tests of twisted.trial's TestCase."""

import functools

from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import deferLater


def run(test):
    """Decorates an `async def` test method."""

    @functools.wraps(test)
    def wrapped(self):
        return ensureDeferred(test(self))

    return wrapped


async def until(condition, turn=0.005):
    """Let the reactor run until `condition` is true; the test's own timeout is the bound."""
    while not condition():
        await deferLater(reactor, turn)
