"""The demo as twistd runs it: a whole server, and the story told in it once it is awake."""

import os
import socket
import sys
import time
from typing import Any

from twisted.internet.defer import Deferred

from emailgency.demo.customer_server import CustomerServer, reserve
from emailgency.demo.picture import Doors
from emailgency.demo.premises import FOLDER, command, settings
from emailgency.demo.story import Notes, Story, read_notes
from emailgency.observer import Observer
from emailgency.service import EmailgencyService, observer, tuned_reactor
from emailgency.settings import Settings
from emailgency.settings_file import Mistake, Wrong

PID_FILE = "twistd.pid"  # twistd's default: who only tries us finds nothing in his folder but the data folder
LOG = "log"  # in the data folder; the terminal is for the story


class DemoService(EmailgencyService):
    """`server_socket` keeps the port of the simulated customer's server."""

    def __init__(
        self, settings: Settings, observer: Observer | None, notes: Notes, server_socket: socket.socket
    ) -> None:
        super().__init__(settings, lambda: settings, observer, None)
        self._notes = notes
        self._server_socket = server_socket
        self._story: Story | None = None

    def _start(self) -> None:
        Deferred.fromCoroutine(self._wake_and_tell()).addErrback(self._cannot_start)

    async def _wake_and_tell(self) -> None:
        assert self._app is not None
        reactor, data = tuned_reactor(), self._settings.data
        server = CustomerServer(reactor, self._server_socket)
        self._story = Story(reactor, data, time.time, say, self._notes, server)
        self._app.control.commands.update(self._story.commands())
        await self._app.start()
        await self._story.tell(self._doors())

    async def _stop(self) -> None:
        if self._story is not None:
            self._story.stop()
        await super()._stop()

    def _doors(self) -> Doors:
        ports = {service: bound.addresses[0][1] for service, bound in self._bound.items()}
        shown = os.path.relpath(self._settings.data)
        data = self._settings.data if shown.startswith("..") else shown
        return Doors(
            ports["smtp"],
            ports["imap"],
            ports["imaps"],
            ports["pop3"],
            ports["pop3s"],
            ports["https"],
            command(),
            data,
        )


def service(options: Any) -> DemoService:
    """For twistd, from the words of the command line; raises Wrong."""
    if options["settings"]:
        raise Wrong([Mistake(options["settings"], 0, "the demo has settings of its own")])
    data = os.path.abspath(options["data"] or FOLDER)
    notes = read_notes(data)
    server_socket = reserve(notes.port)
    told = settings(data, server_socket.getsockname()[1])
    os.makedirs(data, mode=0o700, exist_ok=True)
    if options.parent is not None and options.parent["pidfile"] == os.path.abspath(PID_FILE):
        options.parent["pidfile"] = ""
    twistd = dict(options.parent or {})
    if twistd.get("logfile") is None:
        twistd["logfile"] = os.path.join(data, LOG)
    return DemoService(told, observer(twistd, told.log.json), notes, server_socket)


def say(words: str) -> None:
    """On the terminal: what is printed to sys.stdout goes to twistd's log."""
    print(words, file=sys.__stdout__, flush=True)
