"""What the DNS is asked about a message: the SPF of its sender, the keys of its signatures, the policy of its author.

All at once, while the body comes. What is not known in time is not waited for, but the questions go on: others may wait
for the same answers.
"""

from collections.abc import Callable, Coroutine, Iterable
from threading import Event
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, TimeoutError, gatherResults

from emailgency.background import background, in_thread
from emailgency.codec import arc, dmarc
from emailgency.codec.address import foreign_domain
from emailgency.model.authentication import PASS, DmarcPolicy
from emailgency.model.errors import Invalid
from emailgency.net.dns import Answer, Dns, Status
from emailgency.rules import spf
from emailgency.rules.spf import Question, Spf

R = TypeVar("R")
QUESTIONS = 100  # about one message; by default there are never so many: SPF 64, DKIM 5, ARC 11, DMARC 2
SMALL = 2048  # characters of SPF records that are evaluated at once: 1 ms; more of them in a thread


class Sources:
    """Where facts come from; one for all messages."""

    def __init__(self, reactor: Any, dns: Dns) -> None:
        self.reactor = reactor
        self.dns = dns
        self._organisation: Callable[[str], str] | None = None

    async def organisation(self) -> Callable[[str], str]:
        """Gives the registered domain that a domain belongs to."""
        if self._organisation is None:
            self._organisation = await self.in_thread(_organisation)
        return self._organisation

    async def organisation_by(self, end: float) -> Callable[[str], str]:
        """The same; from `end` on each domain is its own, and then no policy of an author is known either."""
        if self._organisation is None:
            found = await self.in_time(end, _organisation)
            self._organisation = self._organisation or found
        return self._organisation or str

    async def in_time(self, end: float, work: Callable[..., R], *arguments: object) -> R | None:
        """None when no thread has done it by `end` of the reactor's clock; one that has not begun then never does."""
        given_up = Event()
        waiting = self.in_thread(lambda: None if given_up.is_set() else work(*arguments))
        done = Deferred.fromCoroutine(waiting).addTimeout(max(0.0, end - self.reactor.seconds()), self.reactor)
        try:
            result: R | None = await done
        except TimeoutError:
            given_up.set()
            return None
        return result

    async def in_thread(self, work: Callable[..., R], *arguments: object) -> R:
        return await in_thread(self.reactor, work, *arguments)


class SenderFacts:
    """Of one message. What is None, or missing, is not known."""

    def __init__(self, sources: Sources, ip: str, helo: str, sender: str) -> None:
        self.spf: Spf | None = None
        self.policy: tuple[DmarcPolicy | None, str] | None = None  # and whose it is; (None, "") when there is none
        self.keys: dict[str, str] = {}  # records by name, "" for none
        self._sources = sources
        self._ip = ip
        self._helo = helo
        self._sender = sender
        self._asked: Deferred[Any] | None = None
        self._questions = 0

    def ask(self, author: str, keys: Iterable[str], chain: arc.Chain = arc.NONE) -> None:
        """`author`: the domain in From, "" for none; `keys`: names of the records of signatures."""
        work: list[Coroutine[Deferred[Any], Any, None]] = [self._ask_spf(), *map(self._ask_key, sorted(keys))]
        if chain.is_judged:
            work.append(self._ask_chain(chain))
        if author:
            work.append(self._ask_policy(author))
        self._asked = gatherResults([background("asking the DNS about a message", one) for one in work])

    async def within(self, seconds: float) -> None:
        """Wait for the answers, but not longer."""
        if self._asked is None or self._asked.called:
            return
        over: Deferred[None] = Deferred()

        def end(_: object = None) -> None:
            if not over.called:
                over.callback(None)

        timer = self._sources.reactor.callLater(seconds, end)
        self._asked.addBoth(end)
        await over
        if timer.active():
            timer.cancel()

    async def _ask_spf(self) -> None:
        facts: dict[Question, tuple[str, ...] | None] = {}
        sender = self._sender
        try:
            if sender:
                sender = f"{sender.rpartition('@')[0]}@{foreign_domain(sender)}"
        except Invalid:
            sender = ""
        sources, size = self._sources, 0
        while True:
            if size <= SMALL and spf.is_loaded():
                result = spf.check(self._ip, sender, self._helo, facts)
            else:
                result = await sources.in_thread(spf.check, self._ip, sender, self._helo, facts)
            if not isinstance(result, Question):
                break
            answer = await self._ask(result.name, result.kind)
            facts[result] = None if answer.status is Status.FAILURE else answer.records
            size = sum(len(record) for records in facts.values() for record in records or ())
        self.spf = result

    async def _ask(self, name: str, kind: str = "TXT") -> Answer:
        self._questions += 1
        if self._questions > QUESTIONS:
            return Answer(Status.FAILURE, reason="too many questions about one message")
        return await self._sources.dns.query(name, kind)

    async def _ask_chain(self, chain: arc.Chain) -> None:
        """The other keys only when the newest seal is good: whoever makes up a chain costs two questions."""
        await self._ask_keys(chain.newest_key_names())
        others = chain.key_names() - self.keys.keys()
        if others and (await self._sources.in_thread(arc.seal_of, chain, chain.length, self.keys)).result == PASS:
            await self._ask_keys(others)

    async def _ask_keys(self, names: Iterable[str]) -> None:
        await gatherResults([Deferred.fromCoroutine(self._ask_key(name)) for name in sorted(names)])

    async def _ask_key(self, name: str) -> None:
        answer = await self._ask(name)
        if answer.status is not Status.FAILURE:
            # More than one record is undefined (RFC 6376 section 3.6.2.2): the first is as good as any
            self.keys[name] = answer.records[0] if answer.records else ""

    async def _ask_policy(self, author: str) -> None:
        """RFC 7489 section 6.6.3: of the author's domain, else of the organisation's."""
        organisation = (await self._sources.organisation())(author)
        for domain in dict.fromkeys((author, organisation)):
            answer = await self._ask(f"_dmarc.{domain}")
            if answer.status is Status.FAILURE:
                return
            if policy := dmarc.read(answer.records):
                self.policy = policy, domain
                return
        self.policy = None, ""


def _organisation() -> Callable[[str], str]:
    """The public suffix list takes 50 ms to load: in a thread."""
    from publicsuffixlist import PublicSuffixList

    suffixes = PublicSuffixList()

    def organisation(domain: str) -> str:
        found: str | None = suffixes.privatesuffix(domain)
        return found or domain

    return organisation
