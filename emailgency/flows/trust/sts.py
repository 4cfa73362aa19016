"""The MTA-STS policy that a domain's mail goes by (RFC 8461): found by its record, fetched over HTTPS, and kept.

A policy that was found once holds until it expires, whatever the DNS says meanwhile: that is what it is for. It is
fetched again when the record has another id, and when half of its time is over.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from emailgency.codec import mta_sts
from emailgency.codec.mta_sts import Mode, Policy
from emailgency.model.errors import Temporary
from emailgency.net.dns import Dns
from emailgency.store.experience.sts_policies import Kept

if TYPE_CHECKING:
    from emailgency.store.experience.sts_policies import StsPolicies

LONGEST = 31_557_600  # seconds, RFC 8461 section 3.2
AGAIN = 300.0  # seconds until a fetch that failed is tried again, section 3.3
_FAILURES = 1000  # domains whose failures are remembered


class Found(Struct, frozen=True):
    """`policy` None: there is none. `fault`: a word of RFC 8460 section 4.3, when there should be another one."""

    policy: Policy | None = None
    text: bytes = b""
    fault: str = ""


class Sts:
    """`fetch` gives the octets of a domain's policy, None when there is none; it raises Temporary."""

    _log = Logger()

    def __init__(
        self,
        dns: Dns,
        fetch: Callable[[str], Awaitable[bytes | None]],
        policies: "StsPolicies",
        clock: Callable[[], float],
    ) -> None:
        self._dns = dns
        self._fetch = fetch
        self._policies = policies
        self._clock = clock
        self._failed: dict[str, tuple[float, str]] = {}  # when, and the fault
        self._asking: dict[str, list[Deferred[Found]]] = {}

    async def of(self, domain: str) -> Found:
        """Never fails; asked once for all who want to know at the same time."""
        if domain in self._asking:
            waiting: Deferred[Found] = Deferred()
            self._asking[domain].append(waiting)
            return await waiting
        self._asking[domain] = []
        found = Found()
        try:
            found = await self._of(domain)
        finally:
            for waiting in self._asking.pop(domain):
                waiting.callback(found)
        return found

    async def _of(self, domain: str) -> Found:
        known, now = await self._policies.recall(domain), self._clock()
        if known is not None and known.until <= now:
            known = None
        answer = await self._dns.txt(f"_mta-sts.{domain}")
        records = [record for record in answer.records if record.startswith("v=STSv1")]
        id = mta_sts.record_id(records[0]) if len(records) == 1 else None  # section 3.1: more than one are none
        fault = ""
        if id is not None and self._is_due(known, id, now) and not (fault := self._failed_lately(domain, now)):
            known, fault = await self._fetched(domain, id, now, known)
        if known is None:
            return Found(fault=fault)
        return Found(mta_sts.policy(known.text), known.text, fault)

    @staticmethod
    def _is_due(known: Kept | None, id: str, now: float) -> bool:
        return known is None or known.id != id or now > (known.at + known.until) / 2

    def _failed_lately(self, domain: str, now: float) -> str:
        at, fault = self._failed.get(domain, (0.0, ""))
        return fault if at <= now < at + AGAIN else ""

    async def _fetched(self, domain: str, id: str, now: float, known: Kept | None) -> tuple[Kept | None, str]:
        """The new one, or `known` and what is wrong."""
        fault = "sts-policy-fetch-error"
        try:
            text = await self._fetch(domain)
            policy = mta_sts.policy(text) if text is not None else None
            if text is not None and policy is None:
                fault = "sts-policy-invalid"
        except Temporary as error:
            self._log.info("MTA-STS policy of {domain}: {reason}", domain=domain, reason=str(error))
            text = policy = None
        except Exception:  # what nobody foresaw of one domain keeps no mail
            self._log.failure("MTA-STS policy of {domain} cannot be fetched", domain=ascii(domain))
            text = policy = None
        if text is None or policy is None:
            if len(self._failed) >= _FAILURES:
                self._failed.clear()
            self._failed[domain] = now, fault
            return known, fault
        kept = Kept(id, text, now, now + min(policy.max_age, LONGEST))
        await self._policies.keep(domain, kept)
        return kept, ""


def binding(policy: Policy | None) -> Policy | None:
    """One that says something: to be kept, or only watched."""
    return policy if policy is not None and policy.mode is not Mode.NONE else None
