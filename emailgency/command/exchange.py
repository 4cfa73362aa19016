"""One command to the running server and its answer: JSON lines over the Unix socket `control` in the data folder.

Sent: ``{"command", "arguments"}``. Come back: any number of ``{"progress": {"what", "done", "of"}}``, then one
``{"result": …}`` or ``{"error": {"kind", "text", "details"}}``.
"""

import json
import os
import socket
from collections.abc import Callable
from typing import Any

from emailgency.command.failure import NO_SERVER, REFUSED, TROUBLE, USAGE, CommandFailed

STATUS = {"refused": REFUSED, "usage": USAGE, "temporary": TROUBLE}
LONGEST_ANSWER = 256 << 20  # octets; 100,000 addresses with all their fields are 30 MiB


def exchange(data: str, command: str, arguments: dict[str, Any], progress: Callable[[dict[str, Any]], None]) -> Any:
    """The server's result. Raises CommandFailed, with status NO_SERVER when nobody listens."""
    request = {"command": command, "arguments": arguments}
    with connect(data) as line, line.makefile("rb") as answers:
        try:
            line.sendall(json.dumps(request).encode() + b"\n")
            while (answer := answers.readline(LONGEST_ANSWER)).endswith(b"\n"):
                message = json.loads(answer)
                if "progress" in message:
                    progress(message["progress"])
                elif "error" in message:
                    raise _failed(message["error"])
                else:
                    return message["result"]
        except ConnectionError:
            pass
    raise CommandFailed("the server went away before it answered; look at its log", TROUBLE)


def connect(data: str) -> socket.socket:
    """Raises CommandFailed(NO_SERVER)."""
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        folder = os.open(data, os.O_PATH | os.O_DIRECTORY)
        try:
            # A socket's name may be 107 octets long, a data folder's may be longer: go through the open folder.
            line.connect(f"/proc/self/fd/{folder}/control")
        finally:
            os.close(folder)
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        line.close()
        raise CommandFailed(
            f"no server is running on {data}; start it with: twistd -n emailgency (or name another folder with --data)",
            NO_SERVER,
        ) from None
    except PermissionError:
        line.close()
        raise CommandFailed(
            f"{data} belongs to another user; become that user, or root, for this command", REFUSED
        ) from None
    return line


def _failed(error: dict[str, Any]) -> CommandFailed:
    return CommandFailed(error["text"], STATUS.get(error["kind"], TROUBLE), tuple(error.get("details", ())))
