"""Primary mode (row D4): how long after our 250 the customer's own server says its 250, while it is well.

    PYTHONPATH=. python benchmarks/primary_latency.py [messages] [--rates 1 20 100] [--octets 4096]

The whole program over a data folder of its own; a customer whose MX we are, with a mailbox, relays by SMTP transport
to a server in this process, which is also the sender: one clock. The copy kept here is on the disk before the first
250. Each rate is messages a second, one a connection, at even distances.
"""

import argparse
import asyncio
import os
import re
import statistics
import tempfile
import time

from tests.support.server import Server

_NUMBER = re.compile(rb"\r\nX-Number: (\d+)\r\n")
HELLO = b"250-sink\r\n250-PIPELINING\r\n250-SIZE 104857600\r\n250 8BITMIME\r\n"


class Sink:
    """The customer's server; `taken` is when it said 250 to each message."""

    def __init__(self):
        self.taken = {}
        self.connections = 0

    async def serve(self, reader, writer):
        self.connections += 1
        writer.write(b"220 sink\r\n")
        try:
            while line := await reader.readline():
                if line.startswith(b"EHLO"):
                    writer.write(HELLO)
                elif line == b"DATA\r\n":
                    writer.write(b"354 go\r\n")
                    body = await reader.readuntil(b"\r\n.\r\n")
                    writer.write(b"250 2.0.0 taken\r\n")
                    self.taken[int(_NUMBER.search(body)[1])] = time.monotonic()
                elif line == b"QUIT\r\n":
                    writer.write(b"221 bye\r\n")
                    return
                else:
                    writer.write(b"250 ok\r\n")
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the other end has gone, or the run is over
        finally:
            writer.close()


async def send(port, number, octets):
    """One message over a connection of its own; when its sender had the 250."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = b"From: s@example.org\r\nX-Number: %d\r\nSubject: x\r\n\r\n" % number + (b"x" * 76 + b"\r\n") * (
        octets // 78
    )
    await reply(reader, b"220")
    for line in (b"EHLO bench.example.org", b"MAIL FROM:<s@example.org>", b"RCPT TO:<paul@primary.example>", b"DATA"):
        writer.write(line + b"\r\n")
        await reply(reader, b"354" if line == b"DATA" else b"250")
    writer.write(body + b".\r\n")
    await reply(reader, b"250")
    at = time.monotonic()
    writer.write(b"QUIT\r\n")
    await reply(reader, b"221")
    writer.close()
    return at


async def reply(reader, code):
    while True:
        line = await reader.readline()
        if not line.startswith(code):
            raise SystemExit(f"said: {line!r}, not {code!r}")
        if line[3:4] == b" ":
            return


async def at_rate(sink, port, rate, messages, octets, first):
    """Latencies in milliseconds, sorted."""
    sink.connections = 0
    begun = time.monotonic()
    tasks = []
    for number in range(messages):
        await asyncio.sleep(max(0.0, begun + number / rate - time.monotonic()))
        tasks.append(asyncio.create_task(send(port, first + number, octets)))
    accepted = await asyncio.gather(*tasks)
    while any(first + number not in sink.taken for number in range(messages)):
        await asyncio.sleep(0.01)
    return sorted(1e3 * (sink.taken[first + number] - at) for number, at in enumerate(accepted))


async def main(given):
    sink = Sink()
    listener = await asyncio.start_server(sink.serve, "127.0.0.1", 0, limit=1 << 20)
    target = listener.sockets[0].getsockname()[1]
    egress = {"networks": ["127.0.0.0/8"], "ports": [target]}
    settings = {"egress": egress, "smtp": {"connections": {"per_network": 1000}}}
    with (
        tempfile.TemporaryDirectory(dir=".") as folder,
        Server(os.path.join(folder, "server"), settings) as server,
    ):
        transport = f"127.0.0.1:{target}"
        added = {"domain": "primary.example", "plan": "premium", "role": "primary", "smtp_transport": transport}
        await asyncio.to_thread(server.command, "customer add", **added)
        await asyncio.to_thread(server.command, "mailbox add", address="paul@primary.example")
        first = 0
        for rate in given.rates:
            count = max(5, min(given.messages, int(rate * given.seconds)))
            found = await at_rate(sink, server.ports["smtp"], rate, count, given.octets, first)
            first += count
            middle, most = statistics.median(found), found[int(0.95 * (len(found) - 1))]
            words = f"{rate:6.1f} messages/s, {count:4}: median {middle:6.1f} ms, 95 of 100 within {most:6.1f} ms"
            print(f"{words}, worst {found[-1]:6.1f} ms, {sink.connections} connections")
    listener.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("messages", nargs="?", type=int, default=500, help="at each rate, at most")
    parser.add_argument("--rates", type=float, nargs="*", default=[0.3, 5, 20, 100])
    parser.add_argument("--octets", type=int, default=4096)
    parser.add_argument("--seconds", type=float, default=20.0, help="at each rate, about")
    asyncio.run(main(parser.parse_args()))
