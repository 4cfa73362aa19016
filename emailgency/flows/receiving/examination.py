"""Who sent a message, as far as anybody can tell: SPF, DKIM, DMARC and ARC of what comes in (product row C8).

The DNS is asked as soon as the header is there, while the body comes; the body is hashed as it comes. Signatures are
judged in a thread. Nothing here refuses mail, and what cannot be found out in time counts as not known (temperror), be
it that the DNS is slow or that all threads are busy. What no program writes is not read at all: the header is read in
the reactor, and 256 KiB of it, made for that, would take 0.2 s.
"""

from collections.abc import Callable
from typing import Annotated, Any

from msgspec import Meta, Struct
from twisted.logger import Logger

from emailgency.codec import arc, originators, signature
from emailgency.codec.canonical import BodyHash, Fields
from emailgency.codec.signature import Judgement, Refused, Signature
from emailgency.flows.receiving.sender_facts import SenderFacts, Sources
from emailgency.model.authentication import NONE, PASS, PERMERROR, TEMPERROR, Checked, Findings
from emailgency.net.dns import Dns
from emailgency.rules.dmarc import aligned, evaluate
from emailgency.rules.spf import Spf

HEADER = 1 << 16  # octets
FIELDS = 1000
SIGNATURES = 50  # of DKIM that are read, the lowest: those of the author; 1 ms
_TOO_LONG = "the header is too long"
_FOR_DNS = 0.9  # share of the time; the rest is for judging what has come


class AuthenticationSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """SPF, DKIM, DMARC and ARC of incoming mail, for customers who have it switched on."""

    time: Annotated[
        float,
        Meta(
            gt=0,
            le=60,
            description="Seconds the end of a message waits for the DNS and for signatures; later: temperror",
        ),
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
        self.sources = Sources(reactor, dns)
        self.clock = clock
        self.name = name
        self.settings = settings

    def begin(self, ip: str, helo: str, sender: str) -> "Examination":
        """For one message; `sender` in wire form."""
        return Examination(self, ip, helo, sender)


class Examination:
    """`header`, then `body` for each piece, then `findings`; or none of it any more when the message is given up."""

    _log = Logger()

    def __init__(self, examiner: Examiner, ip: str, helo: str, sender: str) -> None:
        self._examiner = examiner
        self._facts = SenderFacts(examiner.sources, ip, helo, sender)
        self._helo = helo
        self._sender = sender
        self._fields = Fields(b"")
        self._chain = arc.Chain()
        self._signatures: list[Signature] = []
        self._refused: list[Checked] = []
        self._hashes: dict[bool, BodyHash] = {}  # by relaxed or not
        self._author = ""
        self._readable = True

    @property
    def name(self) -> str:
        """Whose findings these are."""
        return self._examiner.name

    def header(self, header: bytes) -> None:
        """The whole header, fields with their CRLFs: read it, and ask what must be asked."""
        fields = Fields(header, FIELDS + 1) if len(header) <= HEADER else None
        if fields is None or len(fields.all) > FIELDS:
            self._readable = False
            self._refused = [Checked("dkim", PERMERROR, _TOO_LONG)]
            self._facts.ask("", (), self._chain)
            return
        self._fields = fields
        self._author = originators.sole_domain([field.value for field in fields.named(b"from")]) or ""
        self._read_signatures()
        self._chain = arc.read(self._fields)
        forms = {one.relaxed_body for one in self._signatures}
        if self._chain.is_judged:
            forms.add(self._chain.sets[-1].message.relaxed_body)
        self._hashes = {form: BodyHash(in_relaxed_form=form) for form in forms}
        self._facts.ask(self._author, {one.key_name for one in self._signatures}, self._chain)

    def body(self, octets: bytes) -> None:
        for one in self._hashes.values():
            one.feed(octets)

    async def findings(self) -> Findings:
        """All that is known by now, or within the time there is."""
        sources, time = self._examiner.sources, self._examiner.settings.time
        end = sources.reactor.seconds() + time
        await self._facts.within(time * _FOR_DNS)
        judged: list[tuple[Signature, Judgement]] = []
        chain = Judgement(NONE) if self._readable else Judgement(PERMERROR, _TOO_LONG)
        if self._signatures or self._chain.length:
            body = {form: (one.digest(), one.length) for form, one in self._hashes.items()}
            judged, chain = await sources.in_time(end, self._judge, body) or self._unjudged()
        organisation = await sources.organisation_by(end)
        checked = [self._spf_checked()]
        checked += [_dkim_checked(one, judgement) for one, judgement in judged]
        checked += self._refused or ([] if judged else [Checked("dkim", NONE)])
        checked.append(self._dmarc_checked(judged, organisation))
        checked.append(Checked("arc", chain.result, chain.reason))
        return Findings(tuple(checked), self._is_genuine(judged, organisation))

    # ---- what is asked ---------------------------------------------------------------------------------------

    def _read_signatures(self) -> None:
        """Those of the author's domain first: others may have put any number on top."""
        for field in self._fields.named(b"dkim-signature")[-SIGNATURES:]:
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

    # ---- what it says ----------------------------------------------------------------------------------------

    def _judge(self, body: dict[bool, tuple[bytes, int]]) -> tuple[list[tuple[Signature, Judgement]], Judgement]:
        """In a thread; nothing else changes what is known of the message any more."""
        now = self._examiner.clock()
        judged = [(one, self._judged(one, body, now)) for one in self._signatures]
        return judged, arc.judge(self._chain, self._fields, self._facts.keys, body, now)

    def _unjudged(self) -> tuple[list[tuple[Signature, Judgement]], Judgement]:
        """All threads are busy."""
        late = Judgement(TEMPERROR, "no time to judge it")
        return [(one, late) for one in self._signatures], late if self._chain.length else Judgement(NONE)

    def _judged(self, one: Signature, body: dict[bool, tuple[bytes, int]], now: float) -> Judgement:
        record = self._facts.keys.get(one.key_name)
        if record is None:
            return Judgement(TEMPERROR, "no key for now")
        if not record:
            return Judgement(PERMERROR, "no key")
        return signature.judge(one, record, self._fields, body[one.relaxed_body], now)

    def _spf_checked(self) -> Checked:
        found = self._facts.spf or Spf(TEMPERROR, "", "no answer in time")
        identity = ("smtp.mailfrom", self._sender) if self._sender else ("smtp.helo", self._helo)
        return Checked("spf", found.result, found.reason, (identity,))

    def _dmarc_checked(self, judged: list[tuple[Signature, Judgement]], organisation: Callable[[str], str]) -> Checked:
        if not self._author:
            return Checked("dmarc", PERMERROR, "no single author domain")
        if self._facts.policy is None:
            return Checked("dmarc", TEMPERROR, properties=(("header.from", self._author),))
        policy, domain = self._facts.policy
        by_spf = (self._facts.spf.result, self._facts.spf.domain) if self._facts.spf else (TEMPERROR, "")
        signed = [(judgement.result, one.domain) for one, judgement in judged]
        return evaluate(self._author, policy, domain, by_spf, signed, organisation)

    def _is_genuine(self, judged: list[tuple[Signature, Judgement]], organisation: Callable[[str], str]) -> bool:
        """Row C6: a bounce to the envelope's sender reaches whoever sent this. From says nothing of that."""
        if not self._sender or self._facts.spf is None:
            return False
        passed = (one.domain for one, judgement in judged if judgement.result == PASS)
        domain = self._facts.spf.domain
        return self._facts.spf.result == PASS or any(aligned(one, domain, False, organisation) for one in passed)


def _dkim_checked(one: Signature, judgement: Judgement) -> Checked:
    properties = (("header.d", one.domain), ("header.s", one.selector), ("header.a", f"{one.algorithm}-sha256"))
    return Checked("dkim", judgement.result, judgement.reason, properties)
