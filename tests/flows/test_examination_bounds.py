"""What a stranger puts into a header cannot keep the reactor, nor can busy threads keep his message."""

import time
from threading import Event

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool
from twisted.trial.unittest import TestCase

from emailgency.codec.originators import author_domain
from emailgency.flows.receiving import examination
from emailgency.flows.receiving.examination import FIELDS, HEADER, SIGNATURES, AuthenticationSettings, Examiner
from emailgency.net.dns import Answer, Status

SIGNATURE = b"DKIM-Signature: v=1; a=rsa-sha256; d=liar.zz; s=x; h=from; bh=YQ==; b=YQ==\r\n"
FROM = b"From: Paul <paul@far.zz>\r\n"
LARGE = 1 << 18  # octets of the longest header that is taken
DEAR = {
    "fields": b"a:\r\n",
    "signatures": SIGNATURE,
    "froms": b"From: a@b.zz\r\n",
    "folds": b"From: a@b.zz" + b"\r\n " * 80_000 + b"\r\n",
    "addresses": b"From: " + b"a@b.zz," * 40_000 + b"a@b.zz\r\n",
    "commas": b"From: " + b"," * LARGE + b"\r\n",
    "comments": b"From: " + b"(" * LARGE + b"\r\n",
    "tags": b"DKIM-Signature: v=1; " + b"".join(b"a%d=b;" % number for number in range(1800)) + b"\r\n",
    "seals": b"ARC-Seal: i=1; " + b"a;" * 5000 + b"\r\n",
}


class NoDns:
    """Says that there is nothing."""

    async def query(self, name, kind):
        return Answer(Status.NO_SUCH_NAME)

    async def txt(self, name):
        return Answer(Status.NO_SUCH_NAME)


class JammedThreads:
    """A reactor with one thread, that is busy until it is let go."""

    def __init__(self) -> None:
        self.free = Event()
        self.pool = ThreadPool(1, 1)
        self.pool.start()
        self.jam = deferToThreadPool(reactor, self.pool, self.free.wait)
        self.seconds, self.callLater = reactor.seconds, reactor.callLater
        self.callFromThread = reactor.callFromThread

    def getThreadPool(self):
        return self.pool

    async def let_go(self) -> None:
        self.free.set()
        await self.jam
        await deferToThreadPool(reactor, self.pool, lambda: None)  # behind whatever waits there
        self.pool.stop()


class Asking:
    """Asks nobody."""

    def __init__(self, *_: object) -> None:
        self.asked = []

    def ask(self, author, keys, *_: object):
        self.asked.append((author, sorted(keys)))


@pytest.mark.parametrize("name", DEAR)
@pytest.mark.parametrize("size", [HEADER, LARGE])
def test_attack_29_no_header_keeps_the_reactor_busy(monkeypatch, name, size) -> None:
    monkeypatch.setattr(examination, "SenderFacts", Asking)
    examiner = Examiner(None, time.time, None, "mx.emailgency.example", AuthenticationSettings())
    header = (DEAR[name] * (size // len(DEAR[name]) + 1))[: size - 2] + b"\r\n"
    one = examiner.begin("192.0.2.1", "out.far.zz", "paul@far.zz")
    began = time.thread_time()
    one.header(header)
    assert time.thread_time() - began < 0.5  # mostly 20 ms


def test_a_header_as_large_as_people_send_is_read_whole(monkeypatch) -> None:
    monkeypatch.setattr(examination, "SenderFacts", Asking)
    examiner = Examiner(None, time.time, None, "mx.emailgency.example", AuthenticationSettings(signatures=50))
    one = examiner.begin("192.0.2.1", "out.far.zz", "paul@far.zz")
    others = FIELDS - 2 - SIGNATURES
    one.header(b"To: anna@mydomain.zz\r\n" * others + SIGNATURE * (SIGNATURES + 1) + FROM)
    assert one._facts.asked == [("far.zz", ["x._domainkey.liar.zz"])]
    assert len(one._signatures) == SIGNATURES


def test_an_author_is_one_address_field_of_sensible_length() -> None:
    assert author_domain(FROM) == "far.zz"
    assert author_domain(FROM * 2) is None
    assert author_domain(b"From: " + b"Paul " * 2000 + b"<paul@far.zz>\r\n") is None


class Examined(TestCase):
    timeout = 60

    async def findings(self, header, reactor=reactor, **settings):
        examiner = Examiner(reactor, time.time, NoDns(), "mx.emailgency.example", AuthenticationSettings(**settings))
        one = examiner.begin("192.0.2.1", "out.far.zz", "paul@far.zz")
        one.header(header)
        one.body(b"body\r\n")
        return await one.findings()

    async def test_what_cannot_be_read_is_an_error_of_its_sender(self):
        for header in (FROM + b"X: " + b"x" * HEADER + b"\r\n", FROM + b"a:\r\n" * FIELDS):
            found = await self.findings(SIGNATURE + header)
            results = {one.method: one.result for one in found.checked}
            assert results == {"spf": "none", "dkim": "permerror", "dmarc": "permerror", "arc": "permerror"}
            assert not found.genuine

    async def test_busy_threads_keep_no_message_longer_than_the_dns_may(self):
        jammed = JammedThreads()
        found = await Deferred.fromCoroutine(self.findings(SIGNATURE + FROM, jammed, time=0.05))
        assert not jammed.free.is_set()
        results = {one.method: one.result for one in found.checked}
        assert (results["dkim"], results["dmarc"], results["arc"]) == ("temperror", "temperror", "none")
        assert not found.genuine
        await jammed.let_go()
