"""Mail that a rule of its customer holds, in all lanes: what arrives and what waits (product row D1).

The rules are the customer's in the directory, so nothing is recorded in the spool: at a restart they are asked again,
and a rule that goes sets free what it held.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from emailgency.model.directory import Customer, HoldRule
from emailgency.model.envelope import Outbound, Relay
from emailgency.rules.holds import holding
from emailgency.store.directory.changes import Change, row
from emailgency.store.spool.pending import Waiting

if TYPE_CHECKING:
    from emailgency.store.directory.directory import Directory

_decode = msgspec.json.Decoder(Customer).decode


class Holds:
    """One for all lanes. Nothing of a customer is held until he is known: who leads his mail to a lane sees to that."""

    def __init__(self, directory: "Directory | None" = None) -> None:
        """Without a directory nobody tells of rules but `note`."""
        self.listeners: list[Callable[[str], None]] = []  # get the customer whose rules are others now
        self._directory = directory
        if directory is not None:
            directory.listeners.append(self._changed)
        self._rules: dict[str, tuple[HoldRule, ...]] = {}  # by customer; () of one without

    async def know(self, customer: str) -> None:
        """Raises Temporary. One who has gone holds nothing."""
        if customer in self._rules or self._directory is None:
            return
        try:
            self.meet(await self._directory.customer(customer))
        except LookupError:
            return

    def meet(self, customer: Customer) -> None:
        """As he was known when he was last asked for: what was heard of him since then counts."""
        if customer.id not in self._rules:
            self.note(customer)

    def note(self, customer: Customer) -> None:
        """These are his rules now."""
        before = self._rules.get(customer.id, ())
        self._rules[customer.id] = customer.holds
        if before != customer.holds:
            for listener in self.listeners:
                listener(customer.id)

    def _changed(self, change: Change) -> None:
        for edit in change.edits:
            if edit.table == "customer":
                after = row(edit.after)
                if after is not None:
                    self.note(_decode(after))
                elif self._rules.pop(edit.key, None):
                    for listener in self.listeners:
                        listener(edit.key)

    def parted(self, waiting: Waiting) -> Iterable[Waiting]:
        """What of it each rule holds, and what none does, apart."""
        plan = waiting.live.envelope.plan
        first = plan[waiting.targets[0]]
        rules = self._rules.get(first.customer) if isinstance(first, Relay | Outbound) else None
        if not rules:
            waiting.rule = ""
            return (waiting,)
        sender = waiting.live.envelope.sender
        by_rule: dict[str, list[int]] = {}
        for index in waiting.targets:
            target = plan[index]
            assert isinstance(target, Relay | Outbound)
            rule = holding(rules, sender, target.address)
            by_rule.setdefault(rule.id if rule else "", []).append(index)
        return [replace(waiting, targets=tuple(targets), rule=rule) for rule, targets in by_rule.items()]
