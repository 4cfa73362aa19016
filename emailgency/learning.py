"""Learned recipients (product row G5), put together."""

from collections.abc import Callable
from typing import Protocol

from emailgency.flows.chosen_customers import ChosenCustomers
from emailgency.flows.enquiry import Enquiries
from emailgency.flows.exchanges import Exchanges
from emailgency.flows.incidents import Incidents
from emailgency.flows.learning import LOOK, RecipientLearning
from emailgency.flows.means import Means
from emailgency.flows.pupils import Pupils
from emailgency.flows.ready_mailboxes import ReadyMailboxes
from emailgency.flows.receive import Reception
from emailgency.flows.relay import RelayFlow
from emailgency.flows.unknown_recipients import UnknownRecipients
from emailgency.settings import Settings
from emailgency.store.directory import Directory
from emailgency.store.learned_recipients import LearnedRecipients
from emailgency.store.redis import Redis
from emailgency.store.spool import Spool

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
