"""`recipients show`: which addresses a customer's server is known to have (row G5)."""

from collections.abc import Callable

from msgspec import Struct

from emailgency.flows.accounts.customer_accounts import CustomerAccounts
from emailgency.flows.learning.learning import RecipientLearning
from emailgency.model.errors import Temporary
from emailgency.servers.control.command import Asker, Command, Commands


class ShowRecipients(Struct, frozen=True, forbid_unknown_fields=True):
    customer: str


class RecipientCommands:
    """`learning` gives the flow, once it is awake."""

    def __init__(self, accounts: CustomerAccounts, learning: Callable[[], RecipientLearning | None]) -> None:
        self._accounts = accounts
        self._learning = learning

    def table(self) -> Commands:
        return {"recipients show": Command(ShowRecipients, self.show)}

    async def show(self, asked: ShowRecipients, asker: Asker) -> object:
        customer = await self._accounts.find(asked.customer)
        if (learning := self._learning()) is None:
            raise Temporary("learned recipients are not awake yet")
        taught, pupil = await learning.state(customer)
        return {
            "customer": customer.domain,
            "learn_recipients": customer.learn_recipients,
            "tells_addresses_apart": taught.selective,
            "seen_at": taught.at or None,
            "existing": taught.existing,
            "missing": taught.missing,
            "waiting_to_be_asked": len(pupil.sought),
            "paused_until_at": pupil.not_before if pupil.trouble else None,
            "trouble": pupil.trouble,
        }
