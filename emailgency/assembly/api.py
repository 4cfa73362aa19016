"""The API, put together. `python -m emailgency.assembly.api` prints its OpenAPI document."""

import os
import sys
from typing import Any

from emailgency.assembly.console import ConsoleParts
from emailgency.assembly.in_hand import pending_in_hand
from emailgency.assembly.live_web import LiveWeb
from emailgency.assembly.mailboxes import folders_of_now
from emailgency.flows.accounts.api_tokens import ApiTokens
from emailgency.flows.accounts.customer_accounts import CustomerAccounts
from emailgency.flows.accounts.domain_settings import DomainSettings
from emailgency.flows.accounts.passwords import Passwords
from emailgency.flows.addresses.address_deeds import AddressDeeds
from emailgency.flows.addresses.addresses import Addresses
from emailgency.flows.addresses.bulk import Bulk
from emailgency.flows.addresses.forget_mail import ForgetMail
from emailgency.flows.addresses.mail_back import MailBack
from emailgency.flows.addresses.mailbox_status import MailboxStatus
from emailgency.flows.pending.hold_rules import HoldRules
from emailgency.flows.pending.pending_deeds import PendingDeeds
from emailgency.flows.pending.pending_letters import PendingLetters
from emailgency.flows.pending.pending_message import PendingMessages
from emailgency.flows.pending.pending_view import PendingView
from emailgency.flows.pending.server_view import ServerView
from emailgency.flows.relaying.transport_check import TransportCheck
from emailgency.servers.web.api.api import Api
from emailgency.servers.web.api.candidate_operations import CandidateOperations
from emailgency.servers.web.api.document import document
from emailgency.servers.web.api.domain_operations import DomainOperations
from emailgency.servers.web.api.mailbox_operations import MailboxOperations
from emailgency.servers.web.api.name_operations import NameOperations
from emailgency.servers.web.api.operation import Operation
from emailgency.servers.web.api.pending_operations import PendingOperations
from emailgency.servers.web.api.token_operations import TokenOperations
from emailgency.settings import Settings
from emailgency.store.audit import Audit
from emailgency.store.bulk_results import BulkResults
from emailgency.store.disk import room
from emailgency.store.token_uses import TokenUses

SUBJECTS: tuple[Any, ...] = (
    TokenOperations,
    MailboxOperations,
    NameOperations,
    CandidateOperations,
    PendingOperations,
    DomainOperations,
)


def api(parts: ConsoleParts, reactor: Any, settings: Settings, live: LiveWeb) -> Api:
    """What HTTPS answers below /eg/api/."""
    directory, clock = parts.directory, parts.clock
    assert parts.candidates is not None  # awake before the web
    addresses = Addresses(directory, settings.operator)
    passwords = Passwords(directory, parts.credentials)
    forget = ForgetMail(reactor, parts.folders, folders_of_now(parts, settings))
    bulk = Bulk(directory, MailBack(directory, parts.folders, forget), BulkResults(parts.redis), clock)
    letters = PendingLetters(reactor, parts.spool, PendingView(parts.relay, parts.outbound))
    pending = PendingMessages(parts.relay, parts.outbound, parts.spool, letters)
    accounts = CustomerAccounts(directory, settings.service_domain, settings.operator)
    transports = TransportCheck(parts.exchanges, parts.egress)
    deeds = PendingDeeds(directory, pending, pending_in_hand(parts, reactor), transports)
    servers = ServerView(parts.relay, parts.incidents, lambda: room(settings.data, settings.disk), clock)
    tokens = ApiTokens(directory, TokenUses(parts.redis, clock), parts.login, clock)
    rules = HoldRules(accounts, clock)
    subjects: tuple[Any, ...] = (
        TokenOperations(directory, tokens),
        MailboxOperations(
            directory,
            addresses,
            passwords,
            MailboxStatus(directory, parts.folders),
            forget,
            live.invitations,
            parts.login,
            clock,
        ),
        NameOperations(directory, addresses),
        CandidateOperations(parts.candidates, AddressDeeds(directory, addresses, parts.candidates, forget), bulk),
        PendingOperations(directory, servers, letters, pending, deeds, rules, bulk, parts.flush),
        DomainOperations(
            directory,
            DomainSettings(directory, accounts, transports),
            Audit(reactor, os.path.join(settings.data, "journal")),
        ),
    )
    operations: list[Operation] = [one for subject in subjects for one in subject.operations()]
    return Api(tokens, operations, document(operations), settings.web.api, clock)


def described() -> list[Operation]:
    """All operations, to be described and not done: of subjects made of nothing."""
    import inspect

    made = [subject(*[None] * len(inspect.signature(subject).parameters)) for subject in SUBJECTS]
    return [one for subject in made for one in subject.operations()]


if __name__ == "__main__":
    sys.stdout.write(document(described()).decode())
