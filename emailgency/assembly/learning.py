"""Learned recipients (product row G5), put together."""

from collections.abc import Callable
from typing import Protocol

from emailgency.flows.accounts.chosen_customers import ChosenCustomers
from emailgency.flows.addresses.ready_mailboxes import ReadyMailboxes
from emailgency.flows.learning.enquiry import Enquiries
from emailgency.flows.learning.learning import LOOK, RecipientLearning
from emailgency.flows.learning.pupils import Pupils
from emailgency.flows.receiving.receive import Reception
from emailgency.flows.receiving.unknown_recipients import UnknownRecipients
from emailgency.flows.relaying.exchanges import Exchanges
from emailgency.flows.relaying.incidents import Incidents
from emailgency.flows.relaying.means import Means
from emailgency.flows.relaying.relay import RelayFlow
from emailgency.settings import Settings
from emailgency.store.directory.directory import Directory
from emailgency.store.experience.learned_recipients import LearnedRecipients
from emailgency.store.redis.redis import Redis
from emailgency.store.spool.spool import Spool

__all__ = ["LOOK", "RecipientLearning", "recipient_learning"]


class Parts(Protocol):
    """What it rests on."""

    clock: Callable[[], float]
    directory: Directory
    exchanges: Exchanges
    incidents: Incidents
    means: Means
    reception: Reception
    redis: Redis
    relay: RelayFlow
    spool: Spool
    unknowns: UnknownRecipients


def recipient_learning(parts: Parts, settings: Settings) -> RecipientLearning:
    """It hears of all mail from now on, and what it knows decides at RCPT; its `look` is for a loop to call."""
    customers = ChosenCustomers(parts.directory, lambda customer: customer.learn_recipients)
    pupils = Pupils(customers, parts.incidents)
    learning = RecipientLearning(
        customers,
        pupils,
        parts.directory,
        LearnedRecipients(parts.redis),
        parts.incidents,
        parts.relay,
        Enquiries(parts.exchanges, parts.means),
        ReadyMailboxes(parts.directory),
        parts.clock,
        settings.learning,
    )
    parts.reception.resolver.is_missing = learning.is_missing
    parts.reception.guesses = parts.unknowns
    parts.spool.listeners.append(pupils.arrived)
    parts.means.attempts.listeners.append(pupils.attempted)
    parts.incidents.listeners.append(lambda customer, words: learning.wake(customer))
    customers.start()
    return learning
