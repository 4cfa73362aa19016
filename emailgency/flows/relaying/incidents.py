"""An incident is a customer's server being down, until what waited for it is given back (product rows G8, G10).

Opened when a next hop goes down, or when the guard stops the flow again and again; one a customer, however many of
his next hops are ill. While it is open nothing of his expires: whoever drops something because it is old asks `current`
or `spans` first. Alerts go to the log and to `listeners`.
"""

import secrets
from collections import deque
from collections.abc import Callable

from msgspec.structs import replace
from twisted.logger import Logger

from emailgency.model.incident import Incident, Turn
from emailgency.rules.forecast import Span
from emailgency.rules.guard import HOUR
from emailgency.rules.health import Health, State
from emailgency.store.experience.history import History
from emailgency.store.spool.pending import Hop


class Incidents:
    """One for all customers; what it says outlives a restart."""

    _log = Logger()

    def __init__(self, history: History, clock: Callable[[], float]) -> None:
        self.history = history
        self.listeners: list[Callable[[str, str], None]] = []  # get the customer and words for people
        self.watchers: list[Callable[[Incident], None]] = []  # get each incident when it opens and when it ends
        self._clock = clock
        self._stops: dict[str, deque[float]] = {}  # by customer, in the last hour

    def current(self, customer: str) -> Incident | None:
        """The open one."""
        return next((one for one in reversed(self.history.incidents(customer)) if one.ended_at is None), None)

    def ongoing(self) -> set[str]:
        """Customers with an open one."""
        return {customer for customer in self.history.customers() if self.current(customer)}

    def spans(self, customer: str) -> list[Span]:
        """The times of his incidents, for rules.forecast."""
        return [Span(one.began_at, one.ended_at) for one in self.history.incidents(customer)]

    def health(self, hop: Hop) -> Health:
        """What was known of a next hop before the restart: one that was not up must prove itself again, at once."""
        turn = self.history.last(hop.customer, hop.domain)
        if turn is None:
            return Health()
        came_back = turn.recovered_at if turn.recovered_at is not None else float("-inf")
        if turn.state == State.UP.value:
            return Health(since=turn.at, recovered_at=came_back)
        return Health(State.DOWN, turn.at, failures=2, reason=turn.reason, recovered_at=came_back)

    def turned(self, hop: Hop, name: str, health: Health) -> None:
        """The health of a customer's next hop has changed."""
        came_back = health.recovered_at if health.recovered_at > float("-inf") else None
        now = self._clock()
        self.history.add(
            Turn(
                customer=hop.customer,
                domain=hop.domain,
                at=now,
                state=health.state.value,
                reason=health.reason,
                recovered_at=came_back,
            )
        )
        if health.state is State.DOWN:
            self._open(hop.customer, name, health.reason)

    def stopped(self, hop: Hop, name: str, why: str, most: int) -> None:
        """The guard stopped the flow; `most` times in an hour are an incident by themselves."""
        now = self._clock()
        stops = self._stops.setdefault(hop.customer, deque())
        stops.append(now)
        while stops[0] < now - HOUR:
            stops.popleft()
        if len(stops) >= most:
            stops.clear()
            self._open(hop.customer, name, f"the flow of mail was stopped {most} times in an hour, last: {why}")

    def alert(self, customer: str, name: str, words: str) -> None:
        """Something is wrong that a person must look at."""
        self._log.warn("ALERT {hop}: {words}; its mail stays pending", hop=name, words=words)
        for listener in self.listeners:
            try:
                listener(customer, words)
            except Exception:
                self._log.failure("an alert is not told on")

    def close(self, customer: str) -> None:
        """What waited for the customer's servers is given back."""
        incident = self.current(customer)
        if incident:
            self._stops.pop(customer, None)
            now = self._clock()
            ended = replace(incident, ended_at=now)
            self.history.add(ended)
            self._log.info(
                "incident {incident} of {customer} ends after {hours:.1f} h: what was pending is given back",
                incident=incident.id,
                customer=customer,
                hours=(now - incident.began_at) / HOUR,
            )
            self._tell(ended)

    def _open(self, customer: str, name: str, reason: str) -> None:
        if self.current(customer) is None:
            began = Incident(id=secrets.token_hex(8), customer=customer, began_at=self._clock(), reason=reason)
            self.history.add(began)
            self.alert(customer, name, f"incident {began.id}: {reason!a}")
            self._tell(began)

    def _tell(self, incident: Incident) -> None:
        for watcher in self.watchers:
            try:
                watcher(incident)
            except Exception:
                self._log.failure("an incident is not told on")
