"""`emailgency verify`: every invariant of spool, Maildirs, change journal and Redis, with the server stopped."""

import contextlib
import os
from collections.abc import Iterator

import hiredis
from msgspec import Struct

from emailgency.flows.progress import Progress
from emailgency.model.errors import Temporary
from emailgency.store import verify
from emailgency.store.redis.reading import reading_files, reading_url
from emailgency.store.verify import Finding
from emailgency.store.verify_directory import verify_directory


class Verified(Struct, frozen=True):
    """`problems` empty: all is as it must be. `messages` are those in Maildirs, of unknown addresses too."""

    messages: int
    mailboxes: int
    problems: list[Finding]


def verify_all(data: str, redis_url: str, redis_program: str, progress: Progress) -> Verified:
    """Changes nothing. `redis_url` empty: Redis' files in the data folder. Blocks."""
    problems: list[Finding] = []
    for finding in verify.verify(data):
        problems.append(finding)
        progress("problems found", len(problems), 0)
    problems += _directory(data, redis_url, redis_program)
    messages, mailboxes = _counted(data)
    return Verified(messages, mailboxes, problems)


def _directory(data: str, redis_url: str, redis_program: str) -> Iterator[Finding]:
    redis = reading_url(redis_url) if redis_url else reading_files(os.path.join(data, "redis"), redis_program)
    try:
        with contextlib.ExitStack() as stack:
            reading = stack.enter_context(redis)
            yield from verify_directory(data, reading.ask if reading else None)
    except (OSError, Temporary, hiredis.HiredisError) as error:
        yield Finding("redis", f"cannot be asked: {error}")
        yield from verify_directory(data, None)


def _counted(data: str) -> tuple[int, int]:
    messages = mailboxes = 0
    for path in verify.maildirs(data):
        mailboxes += not os.path.basename(path).startswith(".")
        messages += sum(len(os.listdir(os.path.join(data, path, subfolder))) for subfolder in ("new", "cur"))
    return messages, mailboxes
