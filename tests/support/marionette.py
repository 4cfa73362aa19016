"""Thunderbird driven from outside: Marionette, the remote control that Mozilla's programs bring along.

Messages are JSON with their length in front: [0, number, command, arguments] there, [1, number, error, result] back.
"""

import base64
import json
import os
import socket
import time
from collections.abc import Callable
from typing import Any

PORT_FILE = "MarionetteActivePort"  # in the profile, once it listens


class Failed(Exception):
    """The program could not do what it was told."""


class Marionette:
    """Scripts run in the program's own windows, with all rights."""

    def __init__(self, profile: str, alive: Callable[[], bool], seconds: float = 180) -> None:
        """Waits for a program that has been started with --marionette and marionette.port 0."""
        path, deadline = os.path.join(profile, PORT_FILE), time.monotonic() + seconds
        while not (port := _port(path)):
            if not alive() or time.monotonic() > deadline:
                raise Failed("it did not start")
            time.sleep(0.05)
        self._socket = socket.create_connection(("127.0.0.1", port), seconds)
        self._stream = self._socket.makefile("rb")
        self._number = 0
        self._read()
        self.tell("WebDriver:NewSession", capabilities={})
        self.tell("Marionette:SetContext", value="chrome")

    def tell(self, command: str, **arguments: Any) -> Any:
        self._number += 1
        octets = json.dumps([0, self._number, command, arguments]).encode()
        self._socket.sendall(b"%d:%b" % (len(octets), octets))
        _, number, error, result = self._read()
        assert number == self._number
        if error:
            raise Failed(f"{command}: {error.get('error')}: {error.get('message')}")
        return result

    def run(self, script: str, *arguments: Any) -> Any:
        """The value a function body returns; it may await."""
        wrapped = (
            "const done = arguments[arguments.length - 1];"
            f"(async function() {{ {script} }}).apply(null, arguments)"
            ".then(value => done({value}), error => done({error: String(error) + error.stack}));"
        )
        told = self.tell("WebDriver:ExecuteAsyncScript", script=wrapped, args=list(arguments), newSandbox=True)["value"]
        if "error" in told:
            raise Failed(told["error"])
        return told.get("value")

    def until(self, script: str, *arguments: Any, seconds: float = 180) -> Any:
        """What the function body returns as soon as that is true."""
        deadline = time.monotonic() + seconds
        while not (value := self.run(script, *arguments)):
            if time.monotonic() > deadline:
                raise Failed(f"never: {script}")
            time.sleep(0.1)
        return value

    def window(self, uri: str, seconds: float = 180) -> None:
        """From now on scripts run in the window that shows this document."""
        deadline = time.monotonic() + seconds
        while True:
            for handle in self.tell("WebDriver:GetWindowHandles"):
                self.tell("WebDriver:SwitchToWindow", handle=handle, focus=False)
                if uri in self.run("return document.documentURI;"):
                    return
            if time.monotonic() > deadline:
                raise Failed(f"no window shows {uri}")
            time.sleep(0.1)

    def picture(self) -> bytes:
        """A PNG of the present window."""
        return base64.b64decode(self.tell("WebDriver:TakeScreenshot", full=False)["value"])

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    def _read(self) -> Any:
        length = b""
        while (octet := self._stream.read(1)) != b":":
            if not octet:
                raise Failed("it has ended")
            length += octet
        return json.loads(self._stream.read(int(length)))


def _port(path: str) -> int:
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read() or 0)
    except FileNotFoundError:
        return 0
