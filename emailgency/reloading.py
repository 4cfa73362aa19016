"""Settings read again while the server runs: which sections its parts take on at once, and how."""

from typing import TYPE_CHECKING, Protocol

from twisted.logger import Logger

from emailgency.settings import Settings
from emailgency.store.keys.certificates import Certificates, Unusable

if TYPE_CHECKING:
    from emailgency.assembly.web import PublicSite
    from emailgency.flows.domains.drift_guard import DriftGuard
    from emailgency.flows.learning.learning import RecipientLearning
    from emailgency.flows.receiving.examination import Examiner
    from emailgency.flows.receiving.receive import Reception
    from emailgency.flows.receiving.submit import Submission
    from emailgency.flows.receiving.unknown_recipients import UnknownRecipients
    from emailgency.flows.relaying.bounce import Bounces
    from emailgency.flows.relaying.flush import Flush
    from emailgency.flows.relaying.means import Means
    from emailgency.flows.relaying.outbound import OutboundFlow
    from emailgency.flows.relaying.relay import RelayFlow
    from emailgency.flows.relaying.sender_notices import SenderNotices
    from emailgency.flows.trust.protection import Protection
    from emailgency.flows.trust.signing import Signing
    from emailgency.net.egress import Egress
    from emailgency.servers.imap.server import ImapServer
    from emailgency.servers.pop3.server import Pop3Server
    from emailgency.servers.smtp_service import SmtpService

# Sections taken on while we run; all others are looked at when we start.
LIVE = {
    "tls",
    "smtp",
    "imap",
    "pop3",
    "web",
    "egress",
    "courier",
    "retry",
    "guard",
    "relay",
    "outbound",
    "bounces",
    "authentication",
    "signing",
    "protection",
    "learning",
    "sender_notices",
    "flush",
    "drift",
    "stop",
}
FIXED = set(Settings.__struct_fields__) - LIVE

_log = Logger()


class Parts(Protocol):
    """Those that take on something."""

    bounces: "Bounces"
    certificates: Certificates
    drift: "DriftGuard | None"
    egress: "Egress"
    examiner: "Examiner"
    flush: "Flush"
    imap: "ImapServer | None"
    learning: "RecipientLearning | None"
    means: "Means"
    outbound: "OutboundFlow"
    pop3: "Pop3Server | None"
    protection: "Protection"
    reception: "Reception"
    relay: "RelayFlow"
    sender_notices: "SenderNotices | None"
    signing: "Signing"
    smtp: "dict[str, SmtpService]"
    submission: "Submission"
    unknowns: "UnknownRecipients"
    web: "PublicSite | None"


def take_on(parts: Parts, settings: Settings) -> None:
    """Each part what is its own."""
    try:
        parts.certificates.load(settings.tls)
    except Unusable as error:
        _log.error("ALERT certificates stay as they were: {error}", error=str(error))
    for smtp in parts.smtp.values():
        smtp.adopt(settings.smtp)
    parts.reception.limits = parts.submission.limits = settings.smtp.reception
    parts.submission.adopt(settings.smtp.submission)
    parts.unknowns.adopt(settings.smtp.unknown)
    if parts.imap:
        parts.imap.adopt(settings.imap)
    if parts.pop3:
        parts.pop3.adopt(settings.pop3)
    if parts.web:
        parts.web.adopt(settings.web)
    parts.egress.adopt(settings.egress)
    if parts.drift:
        parts.drift.settings = settings.drift
    parts.means.courier, parts.means.retry, parts.means.guard = settings.courier, settings.retry, settings.guard
    parts.means.hops = settings.smtp.reception.received_fields
    parts.means.places.limit = settings.courier.connections
    parts.relay.settings, parts.outbound.settings = settings.relay, settings.outbound
    parts.signing.settings, parts.protection.settings = settings.signing, settings.protection
    parts.examiner.settings = settings.authentication
    parts.bounces.settings, parts.flush.settings = settings.bounces, settings.flush
    if parts.learning:
        parts.learning.settings = settings.learning
    if parts.sender_notices:
        parts.sender_notices.adopt(settings.sender_notices)
