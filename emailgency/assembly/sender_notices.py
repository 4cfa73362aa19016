"""Notices to senders while a customer's server is down, put together."""

from collections.abc import Callable
from typing import Protocol

from emailgency.codec.mime.compose import Written
from emailgency.flows.accounts.chosen_customers import ChosenCustomers
from emailgency.flows.relaying.incidents import Incidents
from emailgency.flows.relaying.own_mail import OwnMail
from emailgency.flows.relaying.sender_notices import SenderNotices
from emailgency.model.directory import Customer
from emailgency.servers.web.console.letters import written
from emailgency.servers.web.console.pages import Pages
from emailgency.settings import Settings
from emailgency.store.directory.directory import Directory
from emailgency.store.experience.once import Once
from emailgency.store.redis.redis import Redis
from emailgency.store.spool.spool import Spool


class Parts(Protocol):
    """What they rest on."""

    clock: Callable[[], float]
    directory: Directory
    incidents: Incidents
    redis: Redis
    spool: Spool


def sender_notices(parts: Parts, settings: Settings) -> SenderNotices:
    """They hear of all mail from now on; `look` is for a loop to call."""
    pages = Pages("Emailgency")

    def write(customer: Customer, facts: dict[str, object]) -> Written:
        return written(pages, "mail_waiting", customer.language, facts)

    customers = ChosenCustomers(parts.directory, lambda customer: customer.sender_notices)
    notices = SenderNotices(
        customers,
        parts.incidents,
        parts.spool,
        OwnMail(parts.spool, parts.clock, settings.host_name),
        Once(parts.redis),
        write,
        parts.clock,
        settings.sender_notices,
    )
    parts.spool.listeners.append(notices.arrived)
    customers.start()
    return notices
