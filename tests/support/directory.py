"""A real directory for tests: journal in a temporary folder, a real Redis."""

import os
import shutil
import tempfile
import time
from typing import Any

from emailgency.store.directory.directory import Directory, DirectorySettings
from emailgency.store.directory.journal import Journal
from emailgency.store.redis.redis import Redis, locate
from tests.support.redis import RealRedis


class RealDirectory:
    """`await start()`, then `directory`; `await stop()` leaves nothing behind."""

    def __init__(self, reply_timeout: float = 20.0, **settings: Any) -> None:
        self.folder = tempfile.mkdtemp(prefix="directory-")
        self.redis = RealRedis()
        self._reply_timeout = reply_timeout
        self._settings = DirectorySettings(**settings)
        self.directory: Directory
        self.connection: Redis

    async def start(self) -> Directory:
        self.redis.start()
        return await self.open()

    async def open(self) -> Directory:
        """(Again) over the same journal and Redis."""
        from twisted.internet import reactor

        self.connection = Redis(reactor, locate(self.redis.url), self._reply_timeout)
        journal = Journal(os.path.join(self.folder, "journal"))
        self.directory = Directory(reactor, journal, self.connection, time.time, self._settings)
        await self.directory.start()
        self.connection.start()
        await self.directory.when_ready()
        return self.directory

    async def close(self) -> None:
        await self.connection.stop()
        await self.directory.stop()

    async def stop(self) -> None:
        await self.close()
        self.redis.remove()
        shutil.rmtree(self.folder, ignore_errors=True)
