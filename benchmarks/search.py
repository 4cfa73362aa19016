"""What SEARCH, SORT and THREAD cost: from the index beside the mailbox, and by reading every message.

    python -m benchmarks.search [messages]

CPU milliseconds of this process (server and client) a command, best of three; both columns are from the same run.
"""

import random
import sys
import time
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from emailgency.store.searching import memory
from tests.support.imap import Client, Office

COMMANDS = (
    b"SEARCH HEADER Subject invoice",
    b"SEARCH FROM anna",
    b"SEARCH HEADER X-Number n77",
    b'SEARCH TEXT "kitchen library"',
    b"SEARCH BODY zebracrossing",
    b"SEARCH BODY ki",
    b"SEARCH NOT OR SUBJECT invoice BODY garden",
    b"SEARCH SENTSINCE 10-Jan-2026",
    b"SORT (SUBJECT) UTF-8 ALL",
    b"SORT (REVERSE DATE) UTF-8 ALL",
    b"THREAD REFERENCES UTF-8 ALL",
)
WORDS = [
    "invoice",
    "garden",
    "planet",
    "kitchen",
    "library",
    "contract",
    "ticket",
    "weather",
    "meeting",
    "holiday",
    "report",
    "signal",
]


def letter(generator: random.Random, number: int) -> bytes:
    """Some 2.5 KB."""
    text = "\r\n".join(" ".join(generator.choices(WORDS, k=9)) for _ in range(32))
    return (
        f"From: {generator.choice(('Anna', 'Bert', 'Carl'))} <p{number % 97}@example.net>\r\nTo: paul@mydomain.zz\r\n"
        f"Subject: {generator.choice(('', 'Re: ', 'Fwd: '))}{' '.join(generator.choices(WORDS, k=3))}\r\n"
        f"Date: {1 + number % 28:02} Jan 2026 12:00:00 +0000\r\nMessage-ID: <{number}@example.net>\r\n"
        f"References: <{number // 4}@example.net>\r\nX-Number: n{number}\r\n\r\n{text}\r\n"
    ).encode()


async def cost(client: Client, command: bytes) -> float:
    """CPU milliseconds, the best of three."""
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        await client.ok(command)
        best = min(best, time.process_time() - start)
    return best * 1e3


async def measure(count: int) -> None:
    office = await Office().start()
    try:
        await office.folders.create(office.path(), quiet=True)
        generator = random.Random(1)
        for number in range(count):
            message = letter(generator, number)
            with open(f"{office.disk()}/cur/{1700000000 + number}.m{number}.x,S={len(message)}:2,", "wb") as file:
                file.write(message)
        index: Any = office.server.search_index
        client = await office.member(folder="INBOX")
        began = time.monotonic()
        await office.until(lambda: any(len(known.uids) == count for known in index.memory.known.values()), 600)
        print(f"{count} messages, all known to the index after {time.monotonic() - began:.1f} s")
        known = [await cost(client, command) for command in COMMANDS]
        memory.FEW = count + 1  # from now on no index is worth it
        read = [await cost(client, command) for command in COMMANDS]
        for command, fast, slow in zip(COMMANDS, known, read, strict=True):
            print(
                f"{command.decode():46} {fast:8.1f} ms   by reading {slow:8.1f} ms   {slow / fast:6.1f} times as long"
            )
    finally:
        await office.stop()


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    reactor.callWhenRunning(
        lambda: (
            Deferred.fromCoroutine(measure(count))
            .addErrback(lambda failure: failure.printTraceback())
            .addBoth(lambda _: reactor.stop())
        )
    )
    reactor.run()


if __name__ == "__main__":
    main()
