"""The real program: `twistd -n emailgency` as a child process with its own data folder, on ports the kernel chooses."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import tomli_w

import emailgency
from emailgency.command.exchange import exchange

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SERVICES = ("smtp", "submission", "submissions", "imap", "imaps", "pop3", "pop3s", "http", "https", "local")


class NotReady(Exception):
    """The server ended, or did not get ready in time; the text is the end of its log."""


class Process(Protocol):
    """The server's, as far as tests need it; `subprocess.Popen` is one."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def kill(self) -> None: ...
    def terminate(self) -> None: ...


class Server:
    """One installation. It can be stopped, killed and started again on the same data.

    `ports` tells where each service of SERVICES listens.
    Used as a context, it is stopped at the end.
    """

    def __init__(self, folder: str | os.PathLike[str], settings: Mapping[str, Any] | None = None) -> None:
        self.folder = os.path.abspath(folder)
        self.data = os.path.join(self.folder, "data")
        self.log_path = os.path.join(self.folder, "log")
        self.settings_path = os.path.join(self.folder, "settings.toml")
        self.process: Process | None = None
        self.ports: dict[str, int] = {}
        os.makedirs(self.folder, exist_ok=True)
        self.configure(settings or {})

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Write the settings file; names are given and all services listen on loopback unless `settings` says else."""
        table = {"host_name": "mx.emailgency.zz", "service_domain": "emailgency.zz", **settings}
        table["listen"] = {service: ["127.0.0.1:0"] for service in SERVICES} | dict(settings.get("listen", {}))
        with open(self.settings_path, "wb") as file:
            tomli_w.dump(table, file)

    def start(
        self,
        *,
        ready: bool = True,
        prefix: tuple[str, ...] = (),
        options: tuple[str, ...] = (),
        timeout: float = 120,
    ) -> "Server":
        """Returns when it listens and, with `ready`, takes mail in.

        `prefix`: a program to run it under (strace); `options`: of twistd itself.
        """
        self.spawn(prefix, options)
        try:
            deadline = time.monotonic() + timeout
            self.wait(lambda: os.path.exists(self._listening), deadline)
            with open(self._listening, encoding="utf-8") as file:
                told = json.load(file)
            self.ports = {service: addresses[0][1] for service, addresses in told.items() if addresses}
            if ready:
                self.wait(self.ready, deadline)
        except NotReady:
            self.close()
            raise
        return self

    def spawn(self, prefix: tuple[str, ...] = (), options: tuple[str, ...] = ()) -> None:
        """Begin to start: nobody knows yet whether it will listen."""
        assert self.process is None, "it runs already"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._listening)
        self.process = self._process(prefix, options)

    def _process(self, prefix: tuple[str, ...], options: tuple[str, ...]) -> Process:
        twistd = os.path.join(os.path.dirname(sys.executable), "twistd")
        words = [*prefix, sys.executable, twistd, "-n", "--pidfile=", *options, "emailgency"]
        with open(self.log_path, "ab") as log:
            return subprocess.Popen(
                [*words, "--settings", self.settings_path, "--data", self.data],
                cwd=self.folder,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def pid(self) -> int:
        assert self.process is not None, "it does not run"
        return self.process.pid

    def ready(self) -> bool:
        return self.page("/ready")[0] == 200

    def page(self, path: str) -> tuple[int, str]:
        """Status and body of a page of the local HTTP port; status 0 while it does not answer."""
        line = http.client.HTTPConnection("127.0.0.1", self.ports["local"], timeout=10)
        try:
            line.request("GET", path)
            answer = line.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return 0, ""
        finally:
            line.close()

    def command(self, words: str, **arguments: object) -> Any:
        """A command as `emailgency` gives it to the running server, and its result. Raises CommandFailed."""
        return exchange(self.data, words, arguments, lambda report: None)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def stop(self, timeout: float = 120) -> int:
        """SIGTERM, and its exit status."""
        if self.process is None:
            return 0
        self.process.terminate()
        return self.ended(timeout)

    def kill(self) -> None:
        """SIGKILL: no instruction of it runs any more."""
        if self.process is not None:
            self.process.kill()
            self.ended(60)

    def close(self) -> None:
        """Nothing of it runs any more: a killed server leaves its Redis to the next start, and here is none."""
        self.kill()
        for pid in left_in(self.data):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def log(self) -> str:
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait(self, condition: Callable[[], object], deadline: float | None = None) -> None:
        """Until `condition` is true; raises NotReady after 120 s (or at `deadline`), and when the server ends."""
        deadline = time.monotonic() + 120 if deadline is None else deadline
        while not condition():
            ended = self.process is None or self.process.poll() is not None
            if ended or time.monotonic() > deadline:
                why = "the server ended" if ended else "not in time"
                raise NotReady(f"{why}\n{self.log()[-4000:]}")
            time.sleep(0.01)

    def __enter__(self) -> "Server":
        return self if self.process is not None else self.start()

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            self.close()

    def ended(self, timeout: float = 120) -> int:
        """Wait for its end, and the exit status; raises NotReady."""
        assert self.process is not None
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise NotReady(f"it did not stop in {timeout} s\n{self.log()[-4000:]}") from None
        finally:
            self.process = None
        return status

    @property
    def _listening(self) -> str:
        return os.path.join(self.data, "listening")


def left_in(folder: str) -> list[int]:
    """Process ids of whoever works in `folder` or below it."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{name}/cwd").startswith(folder + "/"):
                found.append(int(name))
    return found


def environment() -> dict[str, str]:
    """Of a child process that runs the same Emailgency as this one: the installed wheel, or the source tree."""
    source = os.path.dirname(os.path.dirname(os.path.abspath(emailgency.__file__))) == ROOT
    return {**os.environ, "PYTHONPATH": ROOT} if source else dict(os.environ)


def run(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """`python -m emailgency.cli` style commands and the like, with the same Emailgency."""
    return subprocess.run([sys.executable, *words], env=environment(), capture_output=True, text=True, **options)
