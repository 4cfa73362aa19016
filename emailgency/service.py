"""The server as twistd runs it: what the process needs, its signals, and its end.

Order of the start: data folder, lock and sockets before the reactor runs, so that whatever is wrong there is told on
the terminal and in the exit status; then `app` is composed and the first banner goes out; then its parts wake up
one after the other while it answers 451 for what is not awake yet.
"""

import contextlib
import gc
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, cast

from twisted.application.service import IServiceCollection, Service
from twisted.internet.defer import Deferred, FirstError
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized

from emailgency import settings
from emailgency.app import App
from emailgency.listening import PORTS, Bound, bind
from emailgency.model.errors import Invalid
from emailgency.observer import Observer, json_line, line
from emailgency.premises import Lock, Owner, prepare_folder, raise_descriptor_limit
from emailgency.settings import Settings
from emailgency.settings_file import Wrong
from emailgency.store.directory.journal import Broken

_log = Logger()
LISTENING = "listening"  # in the data folder while we listen: {"smtp": [["0.0.0.0", 25], …], …}


class EmailgencyService(Service):
    """One server on one data folder."""

    _log = Logger()

    def __init__(
        self, settings: Settings, load: Callable[[], Settings], observer: Observer | None, owner: Owner | None
    ) -> None:
        """`load` reads the settings again, on SIGHUP. Raises Wrong when the premises cannot be had."""
        self._settings = settings
        self._load = load
        self._observer = observer
        os.umask(0o077)
        raise_descriptor_limit()
        prepare_folder(settings.data, owner)
        self._lock = Lock(settings.data)
        self._lock.take(owner)
        self._bound = {port.service: bind(port, getattr(settings.listen, port.service)) for port in PORTS}
        self._app: App | None = None
        self._announced = os.path.join(settings.data, LISTENING)

    def setServiceParent(self, parent: IServiceCollection) -> None:
        if self._observer is not None:
            cast(Componentized, parent).setComponent(ILogObserver, self._observer)
        super().setServiceParent(parent)

    def startService(self) -> None:
        super().startService()
        reactor = tuned_reactor()
        self._lock.sign()
        self._app = App(reactor, time.time, self._settings, self._bound)
        self._app.killed = os.path.exists(self._announced)
        self._app.listen()
        self._announce(self._bound)
        signal.signal(signal.SIGHUP, lambda number, frame: reactor.callFromThread(self._reload))
        signal.signal(signal.SIGUSR1, lambda number, frame: reactor.callFromThread(self._reopen_log))
        reactor.callWhenRunning(self._start)

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    def _start(self) -> None:
        assert self._app is not None
        awake = Deferred.fromCoroutine(self._app.start()).addErrback(self._cannot_start)
        awake.addCallback(lambda _: spare_the_collector())

    def _cannot_start(self, failure: Any) -> None:
        while failure.check(FirstError):
            failure = failure.value.subFailure
        if failure.check(OSError, Invalid, Broken):  # a word to the operator, not to the programmer
            self._log.critical("cannot start: {reason}", reason=str(failure.value))
        else:
            self._log.failure("cannot start", failure)
        reactor = tuned_reactor()
        # twistd ends with status 0 whatever happened; systemd must see that this was no wish of the operator.
        reactor.addSystemEventTrigger("after", "shutdown", os._exit, 1)
        reactor.stop()

    async def _stop(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._announced)
        if self._app is not None:
            await self._app.stop()
        self._lock.release()

    def _announce(self, bound: dict[str, Bound]) -> None:
        """For programs that start us on ports the kernel chooses: the file appears when all of them listen."""
        temporary = self._announced + ".tmp"
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump({service: one.addresses for service, one in bound.items()}, file)
        os.rename(temporary, self._announced)

    def _reload(self) -> None:
        assert self._app is not None
        try:
            settings = self._load()
        except Wrong as wrong:
            self._log.error("reload: the settings stay as they were: {wrong}", wrong=str(wrong))
            return
        self._app.reload(settings)
        self._settings = settings

    def _reopen_log(self) -> None:
        if self._observer is not None:
            self._observer.reopen()


def service(options: Any) -> EmailgencyService:
    """For twistd, from the words of the command line; raises Wrong."""
    twistd = options.parent or {}

    def load() -> Settings:
        return settings.load(options["settings"], options["data"])

    first = load()
    return EmailgencyService(first, load, observer(twistd, first.log.json), owner(twistd))


def observer(twistd: Mapping[str, Any], as_json: bool) -> Observer | None:
    """Ours, unless the operator chose syslog or an observer of his own."""
    if twistd.get("syslog") or twistd.get("logger"):
        return None
    path = twistd.get("logfile")
    if path is None and not twistd.get("nodaemon"):
        path = "twistd.log"
    shape = json_line if as_json else line
    return Observer(sys.stdout, None if path in (None, "-") else os.path.abspath(path), shape)


def owner(twistd: Mapping[str, Any]) -> Owner | None:
    """Who we are going to be after --uid and --gid: to him belongs what is made before."""
    uid, gid = twistd.get("uid"), twistd.get("gid")
    if uid is None and gid is None:
        return None
    return (-1 if uid is None else uid, -1 if gid is None else gid)


def spare_the_collector() -> None:
    """What is there now stays: no garbage to look for. A connection leaves some 100 objects in cycles behind, so the
    threshold of 700 meant a look at each seventh; 3 % of the time of a busy server went there."""
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


def tuned_reactor() -> Any:
    """The reactor, its timers freed from the wall clock: a step of that would fire or freeze all of them.

    Each event of a socket went through four functions that keep the name of its protocol for a log of old, which nobody
    reads: 5 us, 4 % of a small message. What remains of them is that a failure is told and the reactor goes on.
    """
    from twisted.internet import reactor

    vars(reactor)["seconds"] = time.monotonic
    if (epoll := sys.modules.get("twisted.internet.epollreactor")) is not None:  # the one we run on
        vars(epoll)["log"] = SimpleNamespace(callWithLogger=_call)
    return reactor


def _call(selectable: object, function: Callable[..., object], *arguments: object) -> None:
    try:
        function(*arguments)
    except Exception:
        _log.failure("an event of {selectable!r} failed", selectable=selectable)
