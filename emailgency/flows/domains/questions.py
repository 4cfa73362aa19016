"""A bounded number of questions to the DNS: whatever a domain's records lead to, a look at it ends (attack row 16)."""

from emailgency.net.dns import Answer, Dns, Status
from emailgency.net.reactor import NetReactor

MOST = 60  # for one domain: 10 MX hosts with two questions each, SPF with as many again, and the rest
SECONDS = 20.0  # after which no further one is begun


class Questions:
    """For one look. What goes beyond its bounds is a failure, which says nothing about the record."""

    def __init__(self, dns: Dns, reactor: NetReactor, most: int = MOST, seconds: float = SECONDS) -> None:
        self._dns = dns
        self._reactor = reactor
        self._left = most
        self._end = reactor.seconds() + seconds
        self._until = 0.0

    @property
    def kept(self) -> float:
        """Seconds until the cache has let go of every answer that was given."""
        return max(0.0, self._until - self._reactor.seconds())

    async def ask(self, name: str, kind: str) -> Answer:
        if not self._pay(1):
            return Answer(Status.FAILURE, reason="too many questions")
        return self._noted(await self._dns.query(name, kind))

    async def addresses(self, host: str) -> Answer:
        if not self._pay(2):
            return Answer(Status.FAILURE, reason="too many questions")
        return self._noted(await self._dns.addresses(host))

    def _noted(self, answer: Answer) -> Answer:
        self._until = max(self._until, answer.until)
        return answer

    def _pay(self, questions: int) -> bool:
        self._left -= questions
        return self._left >= 0 and self._reactor.seconds() < self._end
