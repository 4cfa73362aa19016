"""What panels of the console and operations of the API have in common, beyond the command line, made once for both."""

from collections.abc import Callable
from typing import Any, Protocol

from msgspec import Struct

from emailgency.assembly.live_web import SERVICE
from emailgency.assembly.notices import contacts
from emailgency.assembly.shared_deeds import SharedDeeds
from emailgency.flows.accounts.contacts import Contacts
from emailgency.flows.accounts.plans import Plans
from emailgency.flows.domains.dns_assistant import DnsAssistant
from emailgency.flows.domains.domain_look import DomainLook
from emailgency.flows.domains.drift_guard import DriftGuard
from emailgency.flows.domains.own_records import OwnRecords
from emailgency.flows.pending.at_a_glance import AtAGlance
from emailgency.flows.relaying.exchanges import Exchanges
from emailgency.flows.relaying.hand_over import HandOver
from emailgency.flows.relaying.means import Means
from emailgency.flows.relaying.relay import RelayFlow
from emailgency.flows.trust.signing import Signing
from emailgency.flows.trust.trust_letters import TrustLetters
from emailgency.flows.upkeep.server_state import ServerState
from emailgency.servers.web.console.pages import Pages
from emailgency.settings import Settings
from emailgency.store.directory.directory import Directory
from emailgency.store.disk import room
from emailgency.store.experience.recent_errors import RecentErrors
from emailgency.store.experience.tallies import Tallies
from emailgency.store.keys.certificates import Certificates
from emailgency.store.redis.redis import Redis
from emailgency.store.spool.spool import Spool


class Parts(Protocol):
    """What they work on."""

    certificates: Certificates
    clock: Callable[[], float]
    directory: Directory
    drift: DriftGuard | None
    errors: RecentErrors
    exchanges: Exchanges
    look: DomainLook | None
    means: Means
    redis: Redis
    relay: RelayFlow
    signing: Signing
    spool: Spool
    tallies: Tallies


class WebDeeds(Struct, frozen=True, kw_only=True):
    """Of customers and their domains, then of operators."""

    assistant: DnsAssistant
    contacts: Contacts
    glance: AtAGlance
    records: OwnRecords
    trust: TrustLetters
    plans: Plans
    server: ServerState


def web_deeds(parts: Parts, reactor: Any, settings: Settings, shared: SharedDeeds, https_port: int) -> WebDeeds:
    assert parts.drift is not None
    assert parts.look is not None  # awake before the web
    records = OwnRecords(parts.drift, parts.signing)
    hand_over = HandOver(parts.exchanges, parts.relay, parts.means, parts.signing)
    return WebDeeds(
        assistant=DnsAssistant(parts.look, settings.service_domain, reactor, settings.assistant),
        contacts=contacts(parts, shared.accounts, Pages(SERVICE), settings, https_port),
        glance=AtAGlance(parts.directory, shared.view, records, parts.tallies),
        records=records,
        trust=TrustLetters(parts.look, hand_over, parts.signing, parts.clock, reactor),
        plans=Plans(parts.directory),
        server=ServerState(
            parts.spool,
            parts.redis,
            parts.certificates,
            parts.errors,
            settings.data,
            lambda: room(settings.data, settings.disk),
            parts.clock,
        ),
    )
