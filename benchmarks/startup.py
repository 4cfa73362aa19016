"""How soon a server with an empty spool speaks: seconds from its start to the first banner, and until it is ready.

    python benchmarks/startup.py [ROUNDS]

Prints a line a round and the medians. The data folder is the same from the second round on, as after a restart.
"""

import os
import socket
import statistics
import sys
import tempfile
import time

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from tests.support.server import Server


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = Server(folder)
        banners, ready = [], []
        for number in range(rounds):
            begun = time.monotonic()
            server.start(ready=False)
            with socket.create_connection(("127.0.0.1", server.ports["smtp"]), 10) as client:
                assert client.recv(100).startswith(b"220")
            banners.append(time.monotonic() - begun)
            server.wait(server.ready)
            ready.append(time.monotonic() - begun)
            server.stop()
            print(f"round {number + 1}: banner {banners[-1]:.2f} s, ready {ready[-1]:.2f} s", flush=True)
    print(f"median: banner {statistics.median(banners):.2f} s, ready {statistics.median(ready):.2f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
