"""A process that has imported everything and forks for each call: a fresh process in milliseconds instead of a second.

    with ForkServer("tests.support.recovery") as server:
        result = server.call("tests.support.recovery:recover", "/data", {...})

The modules named are imported before the first fork; they must not import the reactor, whose epoll descriptor would be
shared by all forks. Arguments and results travel as JSON; an exception comes back as `ForkFailed` with its traceback.
"""

import importlib
import json
import os
import subprocess
import sys
import traceback
from typing import Any

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class ForkFailed(Exception):
    """The text is the traceback in the fork."""


class ForkServer:
    """One call at a time."""

    def __init__(self, *modules: str) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([path for path in sys.path if path] + [ROOT])}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.fork_server", *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=environment,
            text=True,
        )

    def call(self, function: str, *arguments: Any) -> Any:
        """`function` is "module:name"."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([function, arguments]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise ForkFailed("the fork server ended")
        good, result = json.loads(line)
        if not good:
            raise ForkFailed(result)
        return result

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def __enter__(self) -> "ForkServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def forked(function: str, arguments: list[Any]) -> tuple[bool, Any]:
    """Run it in a fork of this process; (whether it returned, result or traceback)."""
    source, sink = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(source)
        try:
            module, _, name = function.partition(":")
            answer = (True, getattr(importlib.import_module(module), name)(*arguments))
        except BaseException:
            answer = (False, traceback.format_exc())
        with open(sink, "w", encoding="utf-8") as stream:
            json.dump(answer, stream)
        os._exit(0)
    os.close(sink)
    with open(source, encoding="utf-8") as stream:
        octets = stream.read()
    os.waitpid(child, 0)
    return tuple(json.loads(octets)) if octets else (False, "the fork died")


def main() -> None:
    for module in sys.argv[1:]:
        importlib.import_module(module)
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the code under test prints is not a reply
    for line in sys.stdin:
        function, arguments = json.loads(line)
        replies.write(json.dumps(forked(function, arguments)) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
