"""Thunderbird itself on a screen that nobody sees, in a profile of its own, remote-controlled."""

import json
import os
import signal
import subprocess
from typing import Any

from tests.support.marionette import Marionette

PREFERENCES: dict[str, Any] = {
    "marionette.port": 0,
    "network.proxy.type": 1,
    "network.proxy.socks": "127.0.0.1",
    "network.proxy.socks_version": 5,
    "network.proxy.socks_remote_dns": True,
    "network.proxy.socks5_remote_dns": True,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "app.update.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "mail.rights.version": 1,
    "mail.shell.checkDefaultClient": False,
    "mailnews.start_page.enabled": False,
    "mailnews.auto_config.fetchFromExchange.enabled": False,
}


class Screen:
    """An X server without a screen. A context; `name` is what DISPLAY has to be."""

    def __init__(self) -> None:
        self.name = ""

    def __enter__(self) -> "Screen":
        reading, writing = os.pipe()
        words = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x900x24", "-nolisten", "tcp"]
        self._process = subprocess.Popen(words, pass_fds=[writing], stderr=subprocess.DEVNULL)
        os.close(writing)
        with os.fdopen(reading) as told:
            self.name = f":{told.readline().strip()}"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


class Thunderbird:
    """A new profile in `folder` that trusts `authority` and has all its connections from the proxy. A context."""

    def __init__(self, folder: str, authority: str, proxy: int, display: str) -> None:
        self._profile = os.path.join(folder, "profile")
        self._home = folder
        self._display = display
        os.makedirs(self._profile)
        database = f"sql:{self._profile}"
        subprocess.run(["certutil", "-N", "-d", database, "--empty-password"], check=True)
        subprocess.run(["certutil", "-A", "-n", "tests", "-t", "C,,", "-i", authority, "-d", database], check=True)
        with open(os.path.join(self._profile, "user.js"), "w", encoding="ascii") as file:
            preferences = {**PREFERENCES, "network.proxy.socks_port": proxy}.items()
            file.writelines(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in preferences)

    def __enter__(self) -> Marionette:
        # It also asks the resolver for MX and SRV of the domain, past the proxy; nobody waits for what is not there.
        quick = {"RES_OPTIONS": "timeout:1 attempts:1"}
        remote = ("--no-remote", "--marionette", "--remote-allow-system-access")
        with open(os.path.join(self._home, "output"), "wb") as output:
            self._process = subprocess.Popen(
                ["thunderbird", "--profile", self._profile, *remote],
                env={**os.environ, **quick, "HOME": self._home, "DISPLAY": self._display},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            self._marionette = Marionette(self._profile, lambda: self._process.poll() is None)
        except BaseException:
            self._end()
            raise
        return self._marionette

    def __exit__(self, *_: object) -> None:
        self._marionette.close()
        self._end()

    def _end(self) -> None:
        """With the children that it has put its work into."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
