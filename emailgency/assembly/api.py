"""The API, put together. `python -m emailgency.assembly.api` prints its OpenAPI document."""

import sys
from typing import Any

from emailgency.assembly.console import ConsoleParts
from emailgency.assembly.live_web import LiveWeb
from emailgency.assembly.shared_deeds import SharedDeeds
from emailgency.assembly.web_deeds import WebDeeds
from emailgency.flows.accounts.access import MailAccess
from emailgency.servers.web.api.api import Api
from emailgency.servers.web.api.candidate_operations import CandidateOperations
from emailgency.servers.web.api.contact_operations import ContactOperations
from emailgency.servers.web.api.customer_operations import CustomerOperations
from emailgency.servers.web.api.dns_operations import DnsOperations
from emailgency.servers.web.api.document import document
from emailgency.servers.web.api.domain_operations import DomainOperations
from emailgency.servers.web.api.mailbox_operations import MailboxOperations
from emailgency.servers.web.api.message_operations import MessageOperations
from emailgency.servers.web.api.name_operations import NameOperations
from emailgency.servers.web.api.operation import Operation
from emailgency.servers.web.api.operator_operations import OperatorOperations
from emailgency.servers.web.api.overview_operations import OverviewOperations
from emailgency.servers.web.api.pending_operations import PendingOperations
from emailgency.servers.web.api.token_operations import TokenOperations
from emailgency.servers.web.api.trust_operations import TrustOperations
from emailgency.settings import Settings

SUBJECTS: tuple[Any, ...] = (
    TokenOperations,
    MailboxOperations,
    NameOperations,
    CandidateOperations,
    PendingOperations,
    DomainOperations,
    DnsOperations,
    TrustOperations,
    ContactOperations,
    MessageOperations,
    OverviewOperations,
    CustomerOperations,
    OperatorOperations,
)


def api(
    parts: ConsoleParts,
    settings: Settings,
    shared: SharedDeeds,
    deeds: WebDeeds,
    live: LiveWeb,
    access: MailAccess,
) -> Api:
    """What HTTPS answers below /eg/api/."""
    directory, clock = parts.directory, parts.clock
    assert parts.candidates is not None  # awake before the web
    subjects: tuple[Any, ...] = (
        TokenOperations(directory, shared.tokens),
        MailboxOperations(
            directory,
            shared.addresses,
            shared.passwords,
            shared.status,
            shared.address_deeds,
            live.invitations,
            parts.login,
            clock,
        ),
        NameOperations(directory, shared.addresses),
        CandidateOperations(parts.candidates, shared.address_deeds, shared.bulk),
        PendingOperations(
            directory,
            shared.servers,
            shared.letters,
            shared.pending,
            shared.pending_deeds,
            shared.hold_rules,
            shared.bulk,
            parts.flush,
        ),
        DomainOperations(
            directory,
            shared.domain_settings,
            shared.audit,
        ),
        DnsOperations(directory, deeds.records, deeds.assistant, shared.claims, access),
        TrustOperations(directory, deeds.trust, parts.relay),
        ContactOperations(directory, deeds.contacts),
        MessageOperations(shared.where),
        OverviewOperations(deeds.glance),
        CustomerOperations(directory, shared.accounts, shared.transports, shared.view, parts.incidents),
        OperatorOperations(directory, deeds.plans, shared.view, deeds.server, shared.audit),
    )
    operations: list[Operation] = [one for subject in subjects for one in subject.operations()]
    return Api(shared.tokens, operations, document(operations), settings.web.api, clock)


def described() -> list[Operation]:
    """All operations, to be described and not done: of subjects made of nothing."""
    import inspect

    made = [subject(*[None] * len(inspect.signature(subject).parameters)) for subject in SUBJECTS]
    return [one for subject in made for one in subject.operations()]


if __name__ == "__main__":
    sys.stdout.write(document(described()).decode())
