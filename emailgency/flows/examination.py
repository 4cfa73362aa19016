"""Who sent a message, as far as anybody can tell: SPF, DKIM, DMARC and ARC of what comes in (product row C8).

The DNS is asked as soon as the header is there, while the body comes; the body is hashed as it comes. Signatures are
judged in a thread. Nothing here refuses mail, and what cannot be found out in time counts as not known (temperror).
"""

from collections.abc import Callable, Coroutine
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from msgspec import Meta, Struct
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from emailgency.background import background
from emailgency.codec import arc, dmarc, originators, signature
from emailgency.codec.address import foreign_domain
from emailgency.codec.canonical import BodyHash, Fields
from emailgency.codec.signature import Judgement, Refused, Signature
from emailgency.model.authentication import NONE, PASS, PERMERROR, TEMPERROR, Checked, Findings
from emailgency.model.errors import Invalid
from emailgency.net.dns import Dns, Status
from emailgency.rules import spf
from emailgency.rules.dmarc import aligned, evaluate
from emailgency.rules.spf import Question, Spf

if TYPE_CHECKING:
    from emailgency.model.authentication import DmarcPolicy

R = TypeVar("R")


class AuthenticationSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """SPF, DKIM, DMARC and ARC of incoming mail, for customers who have it switched on."""

    time: Annotated[
        float, Meta(gt=0, le=60, description="Seconds the end of a message waits for the DNS; later: temperror")
    ] = 8.0
    signatures: Annotated[
        int, Meta(ge=1, le=50, description="DKIM signatures of one message that are judged, those of its author first")
    ] = 5


class Examiner:
    """One for all connections of port 25."""

    def __init__(
        self, reactor: Any, clock: Callable[[], float], dns: Dns, name: str, settings: AuthenticationSettings
    ) -> None:
        """`name`: ours, in Authentication-Results."""
        self.reactor = reactor
        self.clock = clock
        self.dns = dns
        self.name = name
        self.settings = settings

    def begin(self, ip: str, helo: str, sender: str) -> "Examination":
        """For one message; `sender` in wire form."""
        return Examination(self, ip, helo, sender)

    async def in_thread(self, work: Callable[..., R], *arguments: object) -> R:
        result: R = await deferToThreadPool(self.reactor, self.reactor.getThreadPool(), work, *arguments)
        return result


class Examination:
    """`header`, then `body` for each piece, then `findings`; or none of it any more when the message is given up."""

    _log = Logger()

    def __init__(self, examiner: Examiner, ip: str, helo: str, sender: str) -> None:
        self._examiner = examiner
        self._ip = ip
        self._helo = helo
        self._sender = sender
        self._fields = Fields(b"")
        self._chain = arc.Chain()
        self._signatures: list[Signature] = []
        self._refused: list[Checked] = []
        self._hashes: dict[bool, BodyHash] = {}  # by relaxed or not
        self._asked: Deferred[Any] | None = None
        self._author = ""
        # What the DNS has answered so far
        self._keys: dict[str, tuple[Status, str]] = {}
        self._spf: Spf | None = None
        self._policy: tuple[DmarcPolicy | None, str] | None = None  # None: not known

    @property
    def name(self) -> str:
        """Whose findings these are."""
        return self._examiner.name

    def header(self, header: bytes) -> None:
        """The whole header, fields with their CRLFs: read it, and ask what must be asked."""
        self._fields = Fields(header)
        self._author = originators.author_domain(header) or ""
        self._read_signatures()
        self._chain = arc.read(self._fields)
        forms = {one.relaxed_body for one in self._signatures}
        if self._chain.key_names():
            forms.add(self._chain.sets[-1].message.relaxed_body)
        self._hashes = {form: BodyHash(in_relaxed_form=form) for form in forms}
        names = {one.key_name for one in self._signatures} | self._chain.key_names()
        work: list[Coroutine[Deferred[Any], Any, None]] = [self._ask_spf(), *map(self._ask_key, sorted(names))]
        if self._author:
            work.append(self._ask_policy())
        self._asked = gatherResults([background("asking the DNS about a message", one) for one in work])

    def body(self, octets: bytes) -> None:
        for one in self._hashes.values():
            one.feed(octets)

    async def findings(self) -> Findings:
        """All that is known by now, or within the time there is."""
        await self._within_time()
        examiner = self._examiner
        body = {form: (one.digest(), one.length) for form, one in self._hashes.items()}
        judged, chain = await examiner.in_thread(self._judge, body)
        organisation = await examiner.in_thread(_organisation)
        checked = [self._spf_checked()]
        checked += [_dkim_checked(one, judgement) for one, judgement in judged]
        checked += self._refused or ([] if judged else [Checked("dkim", NONE)])
        checked.append(self._dmarc_checked(judged, organisation))
        checked.append(Checked("arc", chain.result, chain.reason))
        return Findings(tuple(checked), self._is_genuine(judged, organisation))

    # ---- what is asked ---------------------------------------------------------------------------------------

    def _read_signatures(self) -> None:
        """Those of the author's domain first: others may have put any number on top."""
        for field in self._fields.named(b"dkim-signature"):
            try:
                self._signatures.append(signature.dkim(field))
            except Refused as error:
                self._refused.append(Checked("dkim", error.judgement.result, error.judgement.reason))
        self._signatures.sort(
            key=lambda one: not (self._author == one.domain or self._author.endswith("." + one.domain))
        )
        most = self._examiner.settings.signatures
        del self._signatures[most:]
        del self._refused[most:]

    async def _ask_spf(self) -> None:
        facts: dict[Question, tuple[str, ...] | None] = {}
        sender = self._sender
        try:
            if sender:
                sender = f"{sender.rpartition('@')[0]}@{foreign_domain(sender)}"
        except Invalid:
            sender = ""
        in_thread, dns = self._examiner.in_thread, self._examiner.dns
        while isinstance(result := await in_thread(spf.check, self._ip, sender, self._helo, facts), Question):
            answer = await dns.query(result.name, result.kind)
            facts[result] = None if answer.status is Status.FAILURE else answer.records
        self._spf = result

    async def _ask_key(self, name: str) -> None:
        answer = await self._examiner.dns.txt(name)
        # More than one record is undefined (RFC 6376 section 3.6.2.2): the first is as good as any
        self._keys[name] = answer.status, answer.records[0] if answer.records else ""

    async def _ask_policy(self) -> None:
        """RFC 7489 section 6.6.3: of the author's domain, else of the organisation's."""
        organisation = (await self._examiner.in_thread(_organisation))(self._author)
        for domain in dict.fromkeys((self._author, organisation)):
            answer = await self._examiner.dns.txt(f"_dmarc.{domain}")
            if answer.status is Status.FAILURE:
                return
            if policy := dmarc.read(answer.records):
                self._policy = policy, domain
                return
        self._policy = None, ""

    async def _within_time(self) -> None:
        """The questions go on by themselves when there is no time left: others may wait for the same answers."""
        if self._asked is None or self._asked.called:
            return
        over: Deferred[None] = Deferred()

        def end(_: object = None) -> None:
            if not over.called:
                over.callback(None)

        timer = self._examiner.reactor.callLater(self._examiner.settings.time, end)
        self._asked.addBoth(end)
        await over
        if timer.active():
            timer.cancel()

    # ---- what it says ----------------------------------------------------------------------------------------

    def _judge(self, body: dict[bool, tuple[bytes, int]]) -> tuple[list[tuple[Signature, Judgement]], Judgement]:
        """In a thread; nothing else touches the message any more."""
        now = self._examiner.clock()
        judged = [(one, self._judged(one, body, now)) for one in self._signatures]
        records = {name: record for name, (_, record) in self._keys.items()}
        if any(self._unknown(name) for name in self._chain.key_names()):
            return judged, Judgement(TEMPERROR, "no key for now")
        return judged, arc.judge(self._chain, self._fields, records, body, now)

    def _judged(self, one: Signature, body: dict[bool, tuple[bytes, int]], now: float) -> Judgement:
        if self._unknown(one.key_name):
            return Judgement(TEMPERROR, "no key for now")
        record = self._keys[one.key_name][1]
        if not record:
            return Judgement(PERMERROR, "no key")
        return signature.judge(one, record, self._fields, body[one.relaxed_body], now)

    def _unknown(self, name: str) -> bool:
        return self._keys.get(name, (Status.FAILURE,))[0] is Status.FAILURE

    def _spf_checked(self) -> Checked:
        found = self._spf or Spf(TEMPERROR, "", "no answer in time")
        identity = ("smtp.mailfrom", self._sender) if self._sender else ("smtp.helo", self._helo)
        return Checked("spf", found.result, found.reason, (identity,))

    def _dmarc_checked(self, judged: list[tuple[Signature, Judgement]], organisation: Callable[[str], str]) -> Checked:
        if not self._author:
            return Checked("dmarc", PERMERROR, "no single author domain")
        if self._policy is None:
            return Checked("dmarc", TEMPERROR, properties=(("header.from", self._author),))
        policy, domain = self._policy
        by_spf = (self._spf.result, self._spf.domain) if self._spf else (TEMPERROR, "")
        signed = [(judgement.result, one.domain) for one, judgement in judged]
        return evaluate(self._author, policy, domain, by_spf, signed, organisation)

    def _is_genuine(self, judged: list[tuple[Signature, Judgement]], organisation: Callable[[str], str]) -> bool:
        """Row C6: a bounce to the envelope's sender reaches whoever sent this. From says nothing of that."""
        if not self._sender or self._spf is None:
            return False
        passed = (one.domain for one, judgement in judged if judgement.result == PASS)
        domain = self._spf.domain
        return self._spf.result == PASS or any(aligned(one, domain, False, organisation) for one in passed)


def _dkim_checked(one: Signature, judgement: Judgement) -> Checked:
    properties = (("header.d", one.domain), ("header.s", one.selector), ("header.a", f"{one.algorithm}-sha256"))
    return Checked("dkim", judgement.result, judgement.reason, properties)


@lru_cache(maxsize=1)
def _organisation() -> Callable[[str], str]:
    """The public suffix list takes 50 ms to load: in a thread."""
    from publicsuffixlist import PublicSuffixList

    suffixes = PublicSuffixList()

    def organisation(domain: str) -> str:
        found: str | None = suffixes.privatesuffix(domain)
        return found or domain

    return organisation
