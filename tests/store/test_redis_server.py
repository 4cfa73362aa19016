"""Our own Redis child: private, without a port, without dangerous commands, started again when it dies."""

import os
import shutil
import signal
import stat
import tempfile
import time
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from emailgency.model.errors import Temporary
from emailgency.store.redis.redis import Redis, RedisSettings, Script, locate
from emailgency.store.redis.server import RedisServer


class RedisServerTests(TestCase):
    async def setUp(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="own-redis-")
        self.server = RedisServer(reactor, f"{self.folder}/redis", RedisSettings())
        await self.server.start()
        self.redis = Redis(reactor, locate(f"unix://{self.server.path}"))
        self.redis.start()
        self.assertTrue(await self.redis.wait(20))

    async def tearDown(self) -> None:
        await self.redis.stop()
        await self.server.stop()
        shutil.rmtree(self.folder)

    async def again(self) -> None:
        deadline = time.monotonic() + 10
        while True:
            try:
                await self.redis.execute("PING")
            except Temporary:
                self.assertLess(time.monotonic(), deadline)
                await deferLater(reactor, 0.02)
            else:
                return

    async def test_attack_32_only_we_can_reach_it(self) -> None:
        self.assertEqual(stat.S_IMODE(os.stat(f"{self.folder}/redis").st_mode), 0o700)
        self.assertEqual(stat.S_IMODE(os.stat(self.server.path).st_mode), 0o600)
        sockets = {os.readlink(f"/proc/{self.server.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{self.server.pid}/fd")}
        inodes = {name[8:-1] for name in sockets if name.startswith("socket:")}
        for table in ("tcp", "tcp6"):
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
                self.assertNotIn(line.split()[9], inodes)

    async def test_attack_32_dangerous_commands_are_unknown(self) -> None:
        for command in ("CONFIG GET dir", "FLUSHALL", "DEBUG SLEEP 0", "MODULE LIST", "SHUTDOWN", "REPLICAOF a 1"):
            with self.assertRaises(Temporary) as caught:
                await self.redis.execute(*command.split())
            self.assertIn("unknown command", str(caught.exception))
        self.assertEqual(await self.redis.run(Script("return 7"), [], []), 7)

    async def test_killed_it_is_there_again_with_what_it_knew(self) -> None:
        await self.redis.execute("SET", "a", "0012")
        pid = self.server.pid
        os.kill(pid, signal.SIGKILL)
        await self.again()
        self.assertNotEqual(self.server.pid, pid)
        self.assertEqual(await self.redis.execute("GET", "a"), b"0012")

    async def test_files_it_cannot_read_are_set_aside_and_it_lives(self) -> None:
        await self.redis.execute("SET", "a", "1")
        os.kill(self.server.pid, signal.SIGSTOP)
        for name in os.listdir(f"{self.folder}/redis/appendonlydir"):
            with open(f"{self.folder}/redis/appendonlydir/{name}", "wb") as file:
                file.write(b"this is of no version\r\n")
        os.kill(self.server.pid, signal.SIGKILL)
        await self.again()
        self.assertIsNone(await self.redis.execute("GET", "a"))
        self.assertTrue(os.path.isdir(f"{self.folder}/redis/appendonlydir.broken"))

    async def test_a_server_left_behind_is_ended_before_another_starts(self) -> None:
        await self.redis.execute("SET", "a", "1")
        orphan = self.server.pid
        second = RedisServer(reactor, f"{self.folder}/redis", RedisSettings())
        self.server._stopping = True  # as after a kill of the whole process: nobody restarts it
        await second.start()
        try:
            self.assertNotEqual(second.pid, orphan)
            with self.assertRaises(ProcessLookupError):
                os.kill(orphan, 0)
            await self.again()
            self.assertEqual(await self.redis.execute("GET", "a"), b"1")
        finally:
            await second.stop()

    async def test_a_torn_file_is_read_as_far_as_it_goes(self) -> None:
        await self.redis.execute("SET", "a", "1")
        await self.redis.execute("SET", "b", "x" * 1000)
        await self.server.stop()
        for path in Path(f"{self.folder}/redis/appendonlydir").glob("*.incr.aof"):
            os.truncate(path, path.stat().st_size - 500)
        await self.server.start()
        await self.again()
        self.assertEqual(await self.redis.execute("GET", "a"), b"1")

    async def test_a_missing_program_is_told(self) -> None:
        server = RedisServer(reactor, f"{self.folder}/other", RedisSettings(program="no-such-server"))
        with self.assertRaises(Temporary) as caught:
            await server.start()
        self.assertIn("no-such-server", str(caught.exception))

    async def test_binary_and_numbers_come_back_as_they_went(self) -> None:
        for value in (b"\x00\r\n\xff", b"007", b"1e5", b""):
            await self.redis.execute("SET", "k", value)
            self.assertEqual(await self.redis.execute("GET", "k"), value)
