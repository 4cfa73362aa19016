"""How soon the console answers with a long list, and whether a deed on many holds up everybody else.

    python benchmarks/console.py [CANDIDATES] [ROUNDS]

A page of 100 rows out of so many candidates (10,000), over one kept TLS connection, beside a bare Klein route in the
same run; then a deed on 1,000 addresses of each kind and its undoing, with how long others wait meanwhile.
"""

import http.client
import os
import re
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from urllib.parse import urlencode

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from emailgency.codec.address import parse
from emailgency.store import layout
from tests.support.browser import Browser
from tests.support.server import Server, environment

PASSWORD = "Correct-horse1"
DOMAIN = "mydomain.zz"
MANY = 1000
BARE = """
import sys
from klein import Klein
from twisted.internet import endpoints, reactor
from twisted.web.server import Site
app = Klein()
app.route("/")(lambda request: b"hello")
endpoints.serverFromString(reactor, "tcp:0:interface=127.0.0.1").listen(Site(app.resource())).addCallback(
    lambda port: print(port.getHost().port, flush=True))
reactor.run()
"""


def main(candidates: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = Server(folder, {"credentials": {"memory": 64, "passes": 1}})
        with server.start():
            server.command("customer add", domain=DOMAIN, plan="premium")
            server.command("password", address=f"postmaster@{DOMAIN}", password=PASSWORD)
            fill(server.data, server.command("customer show", customer=DOMAIN)["id"], candidates)
            browser = Browser(server.ports["https"]).log_in(f"postmaster@{DOMAIN}", PASSWORD)
            print(f"stall of the start and the first page: {stall(server):.0f} ms")
            begun = time.monotonic()
            browser.post("/candidates/tidy")
            print(f"tidying {candidates} candidates: {time.monotonic() - begun:.2f} s, stall {stall(server):.0f} ms")
            bare(rounds)
            pages(server, browser, rounds)
            deeds(server, browser)


def fill(data: str, customer: str, count: int) -> None:
    """A small Maildir each, as the storer makes them, with one message."""
    for number in range(count):
        address = parse(f"n{number:05}@{DOMAIN}")
        path = os.path.join(data, layout.catchall(customer, address))
        for name in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(path, name))
        text = f"From: Bert <bert{number}@far.example>\nSubject: hello {number}\n\nDear you\n".encode()
        with open(os.path.join(path, "address"), "w", encoding="utf-8") as file:
            file.write(f"{address}\n")
        with open(
            os.path.join(path, "new", f"{int(time.time()) - number}.x{number}.mx,S={len(text)},U=1"), "wb"
        ) as file:
            file.write(text)


def timed(rounds: int, ask: Callable[[], object]) -> str:
    ask()
    took = []
    for _ in range(rounds):
        begun = time.monotonic()
        ask()
        took.append((time.monotonic() - begun) * 1000)
    return f"median {statistics.median(took):.1f} ms, worst {max(took):.1f} ms"


def bare(rounds: int) -> None:
    child = subprocess.Popen([sys.executable, "-c", BARE], stdout=subprocess.PIPE, env=environment(), text=True)
    try:
        assert child.stdout is not None
        line = http.client.HTTPConnection("127.0.0.1", int(child.stdout.readline()), timeout=30)
        print(f"bare Klein route: {timed(rounds, lambda: read(line, '/', {}))}")
    finally:
        child.kill()
        child.wait()


def pages(server: Server, browser: Browser, rounds: int) -> None:
    line = http.client.HTTPSConnection("127.0.0.1", browser.port, context=ssl._create_unverified_context(), timeout=30)
    headers = {"Host": browser.host, "Accept-Encoding": "gzip"}
    headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    for words, asked in (
        ("page 37 of candidates", "page=37"),
        ("searched", "q=77&sort=-last"),
        ("sorted by size", "sort=-size&page=50"),
    ):
        before = cpu(server)
        told = timed(rounds, lambda asked=asked: read(line, f"/eg/candidates?{asked}", headers))
        print(f"{words}: {told}, CPU {(cpu(server) - before) / (rounds + 1) * 1000:.1f} ms")


def read(line: http.client.HTTPConnection, path: str, headers: dict[str, str]) -> bytes:
    line.request("GET", path, headers=headers)
    answer = line.getresponse()
    octets = answer.read()
    assert answer.status == 200, answer.status
    return octets


def deeds(server: Server, browser: Browser) -> None:
    addresses = [f"n{number:05}@{DOMAIN}" for number in range(4 * MANY)]
    for words, place, deed, some in (
        ("their mail is dropped", "/candidates", "banish", addresses[:MANY]),
        ("their mail comes along", "/candidates", "mailbox", addresses[MANY : MANY + 900]),
        ("of postmaster", "/candidates", "alias", addresses[2 * MANY : 2 * MANY + 50]),
    ):
        fields: dict[str, object] = {"deed": deed, "sure": "yes", "address": some, "mailbox": "postmaster"}
        away = measured(server, browser, f"{len(some)} {deed} ({words})", place, fields)
        measured(server, browser, "  undone", f"{away}/undo", {})


def measured(server: Server, browser: Browser, words: str, place: str, fields: dict[str, object]) -> str:
    """The page of its results."""
    begun, before = time.monotonic(), cpu(server)
    with Neighbour(server) as neighbour:
        away = post(browser, place, fields)
        answered = time.monotonic() - begun
        while "http-equiv" in browser.get(away).text:
            time.sleep(0.2)
    took, worked = time.monotonic() - begun, cpu(server) - before
    told = f"answered in {answered * 1000:.0f} ms, done in {took:.1f} s, CPU {worked:.1f} s"
    print(f"{words}: {told}; {neighbour}", flush=True)
    return away


class Neighbour:
    """Asks for a small page all the time: how long others wait meanwhile, in ms."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._over = threading.Event()
        self._took: list[float] = []
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> "Neighbour":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def __str__(self) -> str:
        took = sorted(self._took)
        late = took[len(took) * 99 // 100]
        return f"others waited {statistics.median(took):.1f} ms, 99 % {late:.1f}, worst {took[-1]:.1f}"

    def _ask(self) -> None:
        while not self._over.wait(0.005):
            begun = time.monotonic()
            self._server.page("/ready")
            self._took.append((time.monotonic() - begun) * 1000)


def post(browser: Browser, path: str, fields: dict[str, object]) -> str:
    """With patience; where it leads."""
    line = http.client.HTTPSConnection("127.0.0.1", browser.port, context=ssl._create_unverified_context(), timeout=600)
    headers = {"Host": browser.host, "Origin": f"https://{browser.host}"}
    headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    line.request("POST", f"/eg{path}", urlencode({"csrf": browser.csrf, **fields}, doseq=True), headers)
    answer = line.getresponse()
    answer.read()
    assert answer.status == 303, answer.status
    return answer.headers["Location"].removeprefix("/eg")


def cpu(server: Server) -> float:
    """Seconds the server's process has worked."""
    with open(f"/proc/{server.pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def stall(server: Server) -> float:
    """The longest since the start, in ms."""
    found = re.search(r"^emailgency_stall_seconds_worst ([0-9.e-]+)", server.page("/metrics")[1], re.MULTILINE)
    return float(found[1]) * 1000 if found else 0.0


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000, int(sys.argv[2]) if len(sys.argv) > 2 else 30)
