"""Puts the parts together, wakes them up in order and puts them to sleep in the opposite one.

`App.__init__` composes what mail comes and goes by, top to bottom, and opens nothing. `listen` lets the first banner
go out; then `start` loads the rest (mailboxes and commands: a third of all code) and wakes everything up. Until a
part is awake whoever needs it gets `Temporary`, which peers see as 451.
"""

import os
import random
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import deferLater
from twisted.internet.tcp import Server
from twisted.logger import Logger, globalLogPublisher

from emailgency.assembly.ledger import ledger
from emailgency.assembly.outward import outward
from emailgency.background import background
from emailgency.codec.srs import Srs
from emailgency.flows.accounts.customers import Customers
from emailgency.flows.accounts.login import Login
from emailgency.flows.pending.holds import Holds
from emailgency.flows.receiving.examination import Examiner
from emailgency.flows.receiving.receive import Reception
from emailgency.flows.receiving.relocate import Relocation
from emailgency.flows.receiving.resolve import Resolver
from emailgency.flows.receiving.submit import Submission
from emailgency.flows.receiving.unknown_recipients import UnknownRecipients
from emailgency.flows.relaying.bounce import Bounces
from emailgency.flows.relaying.customer_errand import Experience
from emailgency.flows.relaying.etrn import Etrn
from emailgency.flows.relaying.exchanges import Exchanges
from emailgency.flows.relaying.flush import Flush
from emailgency.flows.relaying.incidents import Incidents
from emailgency.flows.relaying.means import Means, Places
from emailgency.flows.relaying.outbound import OutboundFlow
from emailgency.flows.relaying.relay import RelayFlow
from emailgency.flows.relaying.reverse_path import ReversePaths
from emailgency.flows.trust.sealing import Sealing
from emailgency.flows.trust.signing import Signing
from emailgency.flows.upkeep.overflow import Overflow
from emailgency.listening import Bound
from emailgency.net.dns import Dns
from emailgency.net.egress import Egress
from emailgency.reloading import FIXED, take_on
from emailgency.servers.control.listening import Control
from emailgency.servers.periodic import Lasting, Periodic
from emailgency.servers.prompt import Prompt
from emailgency.servers.smtp import SmtpFactory
from emailgency.servers.smtp_service import SmtpService
from emailgency.servers.stall import Stall
from emailgency.settings import Settings
from emailgency.store.directory.directory import Directory
from emailgency.store.directory.journal import Journal
from emailgency.store.experience.history import History
from emailgency.store.experience.known_recipients import KnownRecipients
from emailgency.store.experience.last_good import LastGood
from emailgency.store.experience.recent_errors import RecentErrors
from emailgency.store.experience.tallies import Tallies
from emailgency.store.keys.certificates import Certificates, TlsSettings, Unusable
from emailgency.store.keys.secret import Secret
from emailgency.store.keys.signing_keys import SigningKeys
from emailgency.store.logins.credentials import Credentials
from emailgency.store.logins.failures import Failures
from emailgency.store.logins.last_logins import LastLogins
from emailgency.store.logins.uses import Uses
from emailgency.store.mailboxes.candidates import Candidates
from emailgency.store.mailboxes.counts import Counts
from emailgency.store.mailboxes.folders import Folders
from emailgency.store.redis.redis import Redis, locate
from emailgency.store.redis.server import RedisServer
from emailgency.store.spool.spool import Spool
from emailgency.store.storing.line import Storer

if TYPE_CHECKING:
    from emailgency.assembly.shared_deeds import SharedDeeds
    from emailgency.assembly.web import PublicSite
    from emailgency.flows.addresses.bulk import Bulk
    from emailgency.flows.addresses.candidates import CandidateFlow
    from emailgency.flows.domains.domain_look import DomainLook
    from emailgency.flows.domains.drift_guard import DriftGuard
    from emailgency.flows.learning.learning import RecipientLearning
    from emailgency.flows.relaying.sender_notices import SenderNotices
    from emailgency.servers.imap.server import ImapServer
    from emailgency.servers.pop3.server import Pop3Server

HOUR = 3600.0
DAY = 86_400.0
BANNER_FIRST = 0.02  # seconds in which clients that wait already get their banner, before more is loaded


class App:
    """One server, made of its parts."""

    _log = Logger()

    def __init__(self, reactor: Any, clock: Callable[[], float], settings: Settings, bound: dict[str, Bound]) -> None:
        self.clock = clock
        self._reactor = reactor
        self._settings = settings
        self._bound = bound
        self._ports: list[IListeningPort] = []
        self.killed = False  # whoever ran before us had no time to end; set before the start
        self._stopping = False
        self._asleep = {"directory", "spool", "mailboxes"}  # what still wakes up
        name, data = settings.host_name, settings.data

        # What we remember
        self.certificates = Certificates(
            settings.tls,
            os.path.join(data, "certificates"),
            (name, settings.service_domain, f"*.{settings.service_domain}"),
            clock,
        )
        self.redis_server = None if settings.redis.url else RedisServer(reactor, f"{data}/redis", settings.redis)
        place = f"unix://{self.redis_server.path}" if self.redis_server else settings.redis.url
        self.redis = Redis(reactor, locate(place), settings.redis.reply_timeout)
        journal = Journal(os.path.join(data, "journal"))
        self.directory = Directory(reactor, journal, self.redis, clock, settings.directory)
        self.storer = Storer(reactor, data, settings.storer)
        relocation = Relocation(self.directory)
        self.spool = Spool(reactor, self.storer, data, clock, settings.disk, relocation.relocate)
        self.folders = Folders(self.storer, data)
        self.storer.on_event = self.folders.event

        # Mail comes in
        srs = Srs(Secret(data).key("srs"))
        candidates = Candidates(reactor, data)
        resolver = Resolver(self.directory, srs, clock, candidates)
        self.credentials = Credentials(reactor, settings.credentials)
        self.failures = Failures(self.redis, clock, settings.login_failures)
        self.login = Login(self.directory, self.credentials, self.failures, reactor, settings.login)
        self.login.logins = LastLogins(self.redis, clock)
        self.login.uses = self.uses = Uses(self.redis, clock)
        smtp, service_domain = settings.smtp, settings.service_domain
        self.reception = Reception(resolver, self.spool, clock, name, smtp.reception, service_domain)
        self.submission = Submission(
            resolver, self.spool, clock, name, smtp.reception, self.directory, smtp.submission, service_domain
        )
        self.counts = Counts(reactor, data)
        self.tallies = Tallies(reactor, os.path.join(data, "tallies"), clock)
        self.unknowns = UnknownRecipients(candidates, self.counts, self.directory, reactor.seconds, smtp.unknown)
        self.overflow = Overflow(self.directory, data)
        self.storer.listeners.append(self.overflow.delivered)
        self.directory.listeners.append(self.overflow.changed)
        self.reception.rooms = self.submission.rooms = (self.unknowns, self.overflow)
        self.ledger = ledger(self, reactor, settings)

        # Mail goes out
        self.egress = Egress(settings.egress, self._listening)
        self.dns = dns = Dns(settings.dns, reactor)
        self.examiner = self.reception.examiner = Examiner(reactor, clock, dns, name, settings.authentication)
        self.exchanges = Exchanges(dns, self.egress, self.is_ours)
        self.bounces = Bounces(self.spool, resolver, reactor, clock, name, settings.bounces)
        self.means = Means(
            spool=self.spool,
            egress=self.egress,
            reactor=reactor,
            clock=clock,
            chance=random.random,
            name=name,
            courier=settings.courier,
            retry=settings.retry,
            places=Places(settings.courier.connections),
            guard=settings.guard,
            holds=Holds(self.directory),
            hops=settings.smtp.reception.received_fields,
        )
        self.errors = RecentErrors()
        self.incidents = Incidents(History(reactor, data), clock)
        experience = Experience(LastGood(self.redis), KnownRecipients(self.redis), self.incidents)
        self.relay = RelayFlow(
            Customers(self.directory), self.exchanges, self.bounces, experience, self.means, settings.relay
        )
        self.flush = Flush(self.relay, clock, settings.flush)
        self.signing = Signing(reactor, clock, self.directory, SigningKeys(data), dns, name, settings.signing)
        reverse_paths = ReversePaths(self.directory, srs)
        self.outbound = OutboundFlow(
            self.exchanges, reverse_paths, self.signing, self.bounces, self.means, settings.outbound
        )
        self.relay.sealing = self.outbound.sealing = Sealing(self.signing)
        self.protection, self.tls_reports = outward(self, reactor, settings)
        self.tls_reports.stopping = self.stopping

        # Who talks to us
        take_mail: dict[str, Any] = {"reactor": reactor, "storer": self.storer, "settings": settings.smtp}
        tls = self.certificates
        self.smtp = {
            "smtp": SmtpService(reception=self.reception, certificates=tls, **take_mail),
            "submission": SmtpService(reception=self.submission, certificates=tls, login=self.login, **take_mail),
            "submissions": SmtpService(
                reception=self.submission, certificates=tls, login=self.login, implicit_tls=True, **take_mail
            ),
        }
        etrn = Etrn(self.directory, self.exchanges, self.flush)
        for service in self.smtp.values():
            service.etrn = etrn
        self.imap: ImapServer | None = None
        self.pop3: Pop3Server | None = None
        self.web: PublicSite | None = None
        self.candidates: CandidateFlow | None = None
        self.bulk: Bulk | None = None
        self.learning: RecipientLearning | None = None
        self.sender_notices: SenderNotices | None = None
        self.look: DomainLook | None = None
        self.drift: DriftGuard | None = None
        self.control = Control(data, {})
        self.stall = Stall(reactor)
        self.loops: list[Lasting] = [Periodic(reactor, "looking at certificates", DAY, self.certificates.warn)]
        self.loops.append(Periodic(reactor, "removing old keys", DAY, self.signing.remove_old))
        self.loops.append(Periodic(reactor, "writing TLS reports", HOUR, self.tls_reports.turn))

    # ---- start ---------------------------------------------------------------------------------------------

    def listen(self) -> None:
        """Accept connections of mail from now on."""
        for service, smtp in self.smtp.items():
            self._serve(service, SmtpFactory(smtp), Prompt)

    async def start(self) -> None:
        """Wake up; raises what keeps the server from its work (a broken journal, say)."""
        globalLogPublisher.addObserver(self.errors)
        self.stall.start()
        waking = (self._wake_spool(), self._wake_directory(), self._open_mailboxes())
        await gatherResults(list(map(Deferred.fromCoroutine, waking)), consumeErrors=True)
        self.incidents.history.start()
        self.relay.start(killed=self.killed)  # what waits finds its customer at once when the directory is awake
        parts: tuple[Any, ...] = (self.outbound, self.ledger, *self.loops)
        for part in parts:
            part.start()
        background("loading what hashes passwords", self.credentials.prepare())
        background("loading what was counted of TLS", self.tls_reports.start())
        self._log.info("ready")

    async def _open_mailboxes(self) -> None:
        """What is not needed for the first banner, loaded while the storer and Redis load as well."""
        await deferLater(self._reactor, BANNER_FIRST)
        if self._stopping:
            return
        self._load_certificates()
        self._watch()
        from emailgency.assembly.catchall import TIDY, candidate_flow
        from emailgency.assembly.commands import commands
        from emailgency.assembly.domains import TURN, domain_look, drift_guard
        from emailgency.assembly.mailboxes import ImapFactory, Pop3Factory, imap_server, pop3_server
        from emailgency.assembly.shared_deeds import shared_deeds

        self.look = domain_look(self, self._reactor, self._settings)
        self.drift = drift_guard(self, self.look, self._reactor, self._settings)
        self.drift.stopping = self.stopping
        self.loops.append(Periodic(self._reactor, "watching the DNS of customers", TURN, self.drift.turn))
        self.candidates = candidate_flow(self, self._reactor, self._settings)
        self.loops.append(Periodic(self._reactor, "tidying the catchall", TIDY, self.candidates.tidy_all))
        shared = shared_deeds(self, self._reactor, self._settings)
        self.bulk = shared.bulk
        self.control.commands.update(commands(self, self._reactor, self._settings, shared))
        self.control.start(self._reactor)
        self.imap = imap_server(self, self._reactor, self._settings)
        for service, secure in (("imap", False), ("imaps", True)):
            self._serve(service, ImapFactory(self.imap, secure))
        self.pop3 = pop3_server(self, self._reactor, self._settings)
        for service, secure in (("pop3", False), ("pop3s", True)):
            self._serve(service, Pop3Factory(self.pop3, secure))
        from emailgency.assembly.counting import counting
        from emailgency.assembly.expiry import expiry_loops
        from emailgency.assembly.learning import LOOK, recipient_learning
        from emailgency.assembly.sender_notices import sender_notices

        self.learning = recipient_learning(self, self._settings)
        self.loops.append(Periodic(self._reactor, "learning recipients", LOOK, self.learning.look))
        self.sender_notices = sender_notices(self, self._settings)
        self.loops.append(Periodic(self._reactor, "telling senders", LOOK, self.sender_notices.look))
        self._open_web(shared)
        self.loops.append(counting(self, self._reactor))
        self.loops += expiry_loops(self, self._reactor, self._settings, self._bound["https"])
        self._asleep.discard("mailboxes")

    def _open_web(self, shared: "SharedDeeds") -> None:
        if self._bound["http"].sockets or self._bound["https"].sockets:
            from emailgency.assembly.web import preparation, public_site, under_tls
            from emailgency.servers.web.proxied import ProxiedFactory

            self.web = public_site(self, self._reactor, self._settings, shared, self._bound)
            self.loops.append(preparation(self._reactor))
            for service, factory in (("http", self.web), ("https", under_tls(self.web, self.certificates))):
                self._serve(service, ProxiedFactory(factory, self.web, self._reactor))

    def _load_certificates(self) -> None:
        """Mail goes on with a certificate that nobody knows; without one it would go in clear."""
        try:
            self.certificates.load()
        except Unusable as error:
            self._log.error("ALERT a self-signed certificate stands in: {error}", error=str(error))
            self.certificates.load(TlsSettings())

    async def _wake_directory(self) -> None:
        if self.redis_server is not None:
            await self.redis_server.start()
        await self.directory.start()
        self.redis.start()
        await self.directory.when_ready()
        self._asleep.discard("directory")

    async def _wake_spool(self) -> None:
        await self.storer.start()
        await self.spool.start()
        self._asleep.discard("spool")

    # ---- stop ----------------------------------------------------------------------------------------------

    async def stop(self) -> None:
        """No transaction is cut within `stop.grace` seconds, no other work either; what others rest on goes last."""
        self._stopping = True
        self._asleep |= {"everything: the server stops"}
        grace = self._settings.stop.grace
        for port in self._ports:
            stopped = port.stopListening()
            if isinstance(stopped, Deferred):
                await stopped
        await self.control.stop()
        cut = self._reactor.callLater(grace, self._cut)
        await gatherResults(
            [
                *(smtp.drain(grace) for smtp in self.smtp.values()),
                *(Deferred.fromCoroutine(server.drain(grace)) for server in (self.imap, self.pop3) if server),
                Deferred.fromCoroutine(self.relay.stop()),
                Deferred.fromCoroutine(self.outbound.stop()),
                *(Deferred.fromCoroutine(one.stop(grace)) for one in (*self.loops, self.bulk) if one),
            ],
            consumeErrors=True,
        )
        if cut.active():
            cut.cancel()
        parts: tuple[Any, ...] = (
            self.tls_reports,
            self.tallies,
            self.storer,
            self.ledger,
            self.directory,
            self.redis,
            self.redis_server,
        )
        for part in filter(None, parts):
            await part.stop()
        self.stall.stop()

    def _cut(self) -> None:
        self.relay.cut()
        self.outbound.cut()

    # ---- between -------------------------------------------------------------------------------------------

    def reload(self, settings: Settings) -> None:
        """Take on what can change while we run; the log names what waits for the next start."""
        take_on(self, settings)
        waiting = sorted(name for name in FIXED if getattr(settings, name) != getattr(self._settings, name))
        if waiting:
            self._log.warn("settings read again; for the next start: {waiting}", waiting=", ".join(waiting))
        else:
            self._log.info("settings read again")
        kept = {name: getattr(self._settings, name) for name in FIXED}
        self._settings = msgspec.structs.replace(settings, **kept)

    def _listening(self) -> Iterator[tuple[str, int]]:
        return (address for bound in self._bound.values() for address in bound.addresses)

    def stopping(self) -> bool:
        """Whether whoever goes through a long list should leave the rest of it for the next start."""
        return self._stopping

    def is_ours(self, host: str) -> bool:
        """Whether a name belongs to us."""
        host = host.rstrip(".").lower()
        domain = self._settings.service_domain
        return host in (self._settings.host_name, domain) or host.endswith(f".{domain}")

    def _serve(self, service: str, factory: Any, transport: type[Server] = Server) -> None:
        """TLS from the first octet is the factory's to start: a proxy's header comes before it, in clear."""
        self._ports += self._bound[service].serve(self._reactor, factory, transport)

    def _watch(self) -> None:
        from emailgency.assembly.figures import figures
        from emailgency.servers.web.local import site

        self._ports += self._bound["local"].serve(self._reactor, site(figures(self), self._not_ready))

    def _not_ready(self) -> list[str]:
        reasons = [f"not awake: {part}" for part in sorted(self._asleep)]
        if self.storer.hung:
            reasons.append(f"the storer has not answered for {self.storer.waited:.0f} s")
        if self.storer.failing:
            reasons.append("the storer dies again and again")
        return reasons
