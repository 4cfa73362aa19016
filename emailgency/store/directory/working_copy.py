"""The directory's working copy in Redis: one hash a table, one for the entries of each customer, and the mark.

    directory:mark                  the place in the change journal all hashes have reached
    filling                         only while the hashes are being filled: who does it
    directory:plan|customer|domain|mailbox
    directory:entry:<customer>      local part -> entry

Every read brings the mark along, in the same script: an emptied or outdated Redis can therefore never pass for a
directory in which an address is missing. Every write may be repeated.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from secrets import token_hex

from msgspec import Raw
from twisted.internet.defer import gatherResults

from emailgency.model.errors import Temporary
from emailgency.store.directory.changes import Edit, row
from emailgency.store.directory.journal import Mark, Tables
from emailgency.store.redis.redis import Redis, Script

MARK = "directory:mark"
FILLING = "filling"
_ROWS_A_COMMAND = 200
_COMMANDS_A_BATCH = 20

_ROWS = Script("""
local found = { redis.call('GET', KEYS[1]) }
for i = 2, #KEYS do found[i] = redis.call('HGET', KEYS[i], ARGV[i - 1]) end
return found
""")

_TABLE = Script("return { redis.call('GET', KEYS[1]), redis.call('HVALS', KEYS[2]) }")

_APPLY = Script("""
local mark = redis.call('GET', KEYS[1])
if mark == ARGV[2] then return 1 end
if mark ~= ARGV[1] then return 0 end
for i = 2, #KEYS do
  local field, row = ARGV[2 * i - 1], ARGV[2 * i]
  if row == '' then redis.call('HDEL', KEYS[i], field) else redis.call('HSET', KEYS[i], field, row) end
end
redis.call('SET', KEYS[1], ARGV[2])
return 1
""")

_FILLED = Script("""
if redis.call('GET', KEYS[2]) ~= ARGV[2] then return 0 end
redis.call('DEL', KEYS[2])
redis.call('SET', KEYS[1], ARGV[1])
return 1
""")


class Stale(Exception):
    """Redis has not reached the mark it should have: it was emptied, restarted from an older file, or is another's."""


class WorkingCopy:
    """All methods raise Temporary when Redis is away."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def at(self, mark: Mark) -> bool:
        return bool(await self._redis.execute("GET", MARK) == str(mark).encode())

    async def rows(self, places: Sequence[tuple[str, str]], marks: Iterable[Mark]) -> list[bytes | None]:
        """The rows at (table, key), as of one of `marks`; raises Stale."""
        keys: list[str | bytes] = [MARK]
        fields: list[str | bytes | int] = []
        for table, key in places:
            name, field = place(table, key)
            keys.append(name)
            fields.append(field)
        mark, *rows = await self._redis.run(_ROWS, keys, fields)
        _check(mark, marks)
        return list(rows)

    async def table(self, name: str, marks: Iterable[Mark], customer: str = "") -> list[bytes]:
        """All rows of a table, of the entries those of one customer; raises Stale."""
        key = place(name, f"{customer}/")[0] if customer else f"directory:{name}"
        mark, rows = await self._redis.run(_TABLE, [MARK, key], [])
        _check(mark, marks)
        return list(rows)

    async def apply(self, before: Mark, after: Mark, edits: Iterable[Edit]) -> None:
        """Raises Stale when Redis was not at `before`."""
        keys: list[str | bytes] = [MARK]
        arguments: list[str | bytes | int] = [str(before), str(after)]
        for edit in edits:
            name, field = place(edit.table, edit.key)
            keys.append(name)
            arguments += (field, row(edit.after) or b"")
        if await self._redis.run(_APPLY, keys, arguments) != 1:
            raise Stale

    async def disown(self) -> None:
        """What it holds is not ours: from now on it is stale."""
        await self._redis.execute("DEL", MARK)

    async def rebuild(self, tables: Tables, mark: Mark) -> None:
        """Empty and fill; until the mark is set, at the end, every reader finds Redis stale.

        What was written first must still stand there at the end: else Redis was emptied meanwhile, and addresses that
        are missing would pass for unknown. Raises Temporary then.
        """
        await self.disown()
        cursor = b"0"
        while True:
            cursor, names = await self._redis.execute("SCAN", cursor, "MATCH", "directory:*", "COUNT", 1000)
            if names:
                await self._redis.execute("UNLINK", *names)
            if cursor == b"0":
                break
        token = token_hex(16)
        await self._redis.execute("SET", FILLING, token)
        commands = _filling(tables)
        while batch := list(islice(commands, _COMMANDS_A_BATCH)):
            await self._pipeline(batch)
        if await self._redis.run(_FILLED, [MARK, FILLING], [str(mark), token]) != 1:
            raise Temporary("Redis was emptied while it was filled")

    async def _pipeline(self, commands: list[list[str | bytes]]) -> None:
        try:
            await gatherResults([self._redis.send(*command) for command in commands], consumeErrors=True)
        except Temporary:
            raise
        except Exception as error:  # gatherResults wraps whatever came first
            raise Temporary("Redis went away while it was filled") from error


def _check(mark: bytes | None, marks: Iterable[Mark]) -> None:
    if mark not in [str(good).encode() for good in marks]:
        raise Stale


def place(table: str, key: str) -> tuple[str, str]:
    """Hash and field. Customer ids are our own, so no address can name the hash of another customer."""
    if table == "entry":
        customer, _, local = key.partition("/")
        return f"directory:entry:{customer}", local
    return f"directory:{table}", key


def _filling(tables: Tables) -> Iterator[list[str | bytes]]:
    """HSET commands for all rows."""
    hashes: dict[str, list[tuple[str, Raw]]] = {}
    for table, rows in tables.items():
        for key, raw in rows.items():
            name, field = place(table, key)
            hashes.setdefault(name, []).append((field, raw))
    for name, pairs in hashes.items():
        for start in range(0, len(pairs), _ROWS_A_COMMAND):
            command: list[str | bytes] = ["HSET", name]
            for field, raw in pairs[start : start + _ROWS_A_COMMAND]:
                command += (field, bytes(raw))
            yield command
