"""Give up what waits for the server of a customer who leaves. Nobody is told: the operator decided it."""

from emailgency.flows.relaying.relay import RelayFlow
from emailgency.model.errors import Invalid


class DropPending:
    """`check_none` before the customer is removed, else `drop` afterwards."""

    def __init__(self, relay: RelayFlow) -> None:
        self._relay = relay

    def check_none(self, customer: str) -> None:
        """Raises Invalid: mail that waits is not dropped unless that was said."""
        if pending := self._relay.pending(customer):
            raise Invalid(
                f"{pending} messages are pending for its server: give them back (pending flush), or say --drop-pending"
            )

    def left_behind(self, customer: str) -> bool:
        """Whether mail waits for this id: of a customer who was removed just before a crash, say."""
        return self._relay.pending(customer) > 0

    async def drop(self, customer: str) -> int:
        """How many. What is on its way right now still arrives, or is dropped when it comes back."""
        return await self._relay.drop(customer)
