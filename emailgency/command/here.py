"""The commands that work on the files of a data folder, without a server to ask."""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable
from typing import Any

from emailgency.command.failure import REFUSED, TROUBLE, CommandFailed
from emailgency.command.parser import Asked
from emailgency.command.place import redis_settings
from emailgency.flows.progress import Progress

LOCKS = ("server.lock", "lock")  # of the server and of its storer, in the data folder
Tell = Callable[[dict[str, Any]], None]


def do(asked: Asked, data: str, tell: Tell) -> Any:
    """The answer of one command, as a server would give it. Raises CommandFailed."""
    from emailgency.model.errors import Invalid

    def progress(what: str, done: int, of: int) -> None:
        tell({"what": what, "done": done, "of": of})

    try:
        return DEEDS[asked.command.words](asked, data, progress)
    except Invalid as error:
        raise CommandFailed(str(error), REFUSED) from None
    except OSError as error:
        raise CommandFailed(f"{error.filename or data}: {error.strerror}", TROUBLE) from None


def completion(asked: Asked, data: str, progress: Progress) -> Any:
    from emailgency.command.completion import script

    return script(asked.arguments["shell"])


def backup(asked: Asked, data: str, progress: Progress) -> Any:
    import msgspec

    from emailgency.flows.upkeep.backup import backup

    return msgspec.to_builtins(backup(data, asked.arguments["folder"], time.time, progress))


def restore(asked: Asked, data: str, progress: Progress) -> Any:
    import msgspec

    from emailgency.flows.upkeep.restore import restore

    stopped(data)
    return msgspec.to_builtins(restore(asked.arguments["folder"], data, time.time, progress))


def verify(asked: Asked, data: str, progress: Progress) -> Any:
    import msgspec

    from emailgency.flows.upkeep.verify import verify_all

    stopped(data)
    if not os.path.isdir(os.path.join(data, "journal")):
        raise CommandFailed(f"{data} is not the data folder of a server", REFUSED)
    redis = redis_settings(asked.everywhere["settings"])
    return msgspec.to_builtins(verify_all(data, redis.get("url", ""), redis.get("program", ""), progress))


def stopped(data: str) -> None:
    """Raises CommandFailed while a server or its storer works in the data folder, as their locks say."""
    for name in LOCKS:
        with contextlib.suppress(FileNotFoundError), open(os.path.join(data, name)) as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CommandFailed(f"a server is running on {data}: stop it first", REFUSED) from None


DEEDS = {"completion": completion, "backup": backup, "restore": restore, "verify": verify}
