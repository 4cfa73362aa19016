"""Who is told of an incident and of a month, how often, and in which words (product row E4)."""

import calendar
import email
import email.policy
from typing import Any

from msgspec.structs import replace
from twisted.trial.unittest import TestCase

from emailgency.flows.accounts.monthly_report import MonthlyReport
from emailgency.flows.accounts.notices import Notices
from emailgency.flows.relaying.incidents import Incidents
from emailgency.flows.relaying.own_mail import OwnMail
from emailgency.model.directory import Contact, Customer, Notice
from emailgency.model.domain_check import DnsChange, Standing
from emailgency.model.envelope import Outbound
from emailgency.model.incident import Incident
from emailgency.model.words import Words
from emailgency.rules.contacts import reachable
from emailgency.servers.web.console.letters import NoticeLetters
from emailgency.servers.web.console.pages import Pages
from emailgency.store.experience.tallies import DAY, Bucket, Tally
from tests.support.smtp import MemorySpool

SEEN = Contact(address="friend@far.example", verified_at=1.0)
CUSTOMER = Customer(
    id="c1",
    domain="mydomain.zz",
    alternate_domain="mydomainzz.emailgency.zz",
    contacts=(
        SEEN,
        Contact(address="typed@far.example"),
        Contact(address="deaf@far.example", verified_at=1.0, wants=(Notice.QUOTA,)),
    ),
)
MARCH = float(calendar.timegm((2027, 3, 2, 12, 0, 0)))


class World:
    """Directory, counts, history of incidents and what was told, at once."""

    def __init__(self) -> None:
        self.customer_ = CUSTOMER
        self.told: set[str] = set()
        self.incidents_: list[Incident] = []

    async def customers(self) -> list[Customer]:
        return [self.customer_]

    async def customer(self, id: str) -> Customer:
        return self.customer_

    async def first(self, what: str, seconds: float) -> bool:
        new = what not in self.told
        self.told.add(what)
        return new

    async def series(self, customer: str, what: Tally, span: int, count: int) -> list[Bucket]:
        today = int(MARCH) // DAY * DAY
        return [Bucket(today - ago * DAY, 10 if what is Tally.RECEIVED else 1) for ago in reversed(range(count))]

    def incidents(self, customer: str) -> list[Incident]:
        return self.incidents_

    def add(self, event: Any) -> None:
        self.incidents_ = [one for one in self.incidents_ if one.id != event.id] + [event]


class NoticeTests(TestCase):
    def setUp(self) -> None:
        self.world: Any = World()
        self.now = MARCH
        self.spool: Any = MemorySpool()
        own_mail = OwnMail(self.spool, lambda: self.now, "mx.emailgency.zz")
        letters = NoticeLetters(Pages("Emailgency"), "/eg", 443)
        self.notices = Notices(self.world, own_mail, self.world, letters.notice)
        self.incidents = Incidents(self.world, lambda: self.now)
        self.incidents.watchers.append(self.notices.of_incident)
        self.report = MonthlyReport(
            self.world,
            self.world,
            Incidents(self.world, lambda: self.now),
            self.notices,
            self.world,
            lambda: self.now,
        )

    def letters(self) -> list[Any]:
        return [email.message_from_bytes(octets, policy=email.policy.default) for _, octets in self.spool.messages]

    async def test_contacts_who_want_to_know_hear_that_the_server_is_down_and_back(self) -> None:
        self.incidents._open("c1", "mydomain.zz", "connection refused")
        (letter,) = self.letters()
        assert letter["Subject"] == "The mail server of mydomain.zz does not answer"
        assert "connection refused" in letter.get_body(("plain",)).get_content()
        (envelope, _) = self.spool.messages[0]
        assert envelope.plan == (Outbound(customer="c1", address="friend@far.example", recipient=0, origin="notice"),)
        self.now += 7200
        self.incidents.close("c1")
        assert self.letters()[1]["Subject"] == "The mail server of mydomain.zz is back"
        assert "2027-03-02 14:00 UTC" in self.letters()[1].get_body(("html",)).get_content()

    async def test_a_server_that_comes_and_goes_is_told_of_once_an_hour(self) -> None:
        for _ in range(5):
            self.incidents._open("c1", "mydomain.zz", "x")
            self.incidents.close("c1")
        assert len(self.letters()) == 2

    def drift(self, **changes: Any) -> DnsChange:
        change = DnsChange(
            customer="c1",
            domain="alias.zz",
            kind="mx",
            at=MARCH,
            before=("20 mydomainzz.emailgency.zz",),
            after=("5 <elsewhere>.zz",),
            standing=Standing.WRONG,
            words=Words("We are not among the MX records: nothing reaches us while your server is down."),
            worse=True,
        )
        return replace(change, **changes)

    async def test_contacts_hear_once_that_a_record_has_changed_for_the_worse(self) -> None:
        self.notices.of_drift(self.drift(worse=False))
        for _ in range(3):
            self.notices.of_drift(self.drift())
        (letter,) = self.letters()
        assert letter["Subject"] == "A DNS record of alias.zz is no longer in order"
        text, html = (letter.get_body((kind,)).get_content() for kind in ("plain", "html"))
        for words in ("Where mail goes", "We are not among the MX records", "2027-03-02 12:00 UTC", "/eg/domain/dns"):
            assert words in text
            assert words in html
        assert "  5 <elsewhere>.zz" in text.splitlines()
        assert "5 &lt;elsewhere&gt;.zz" in html
        self.notices.of_drift(self.drift(kind="spf"))
        self.world.customer_ = replace(CUSTOMER, language="fr")
        self.notices.of_drift(self.drift(domain="mydomain.zz"))
        assert self.letters()[2]["Subject"] == "Un enregistrement DNS de mydomain.zz n'est plus en ordre"

    async def test_of_a_suspended_customer_nobody_is_told(self) -> None:
        self.world.customer_ = replace(CUSTOMER, suspended=True)
        self.incidents._open("c1", "mydomain.zz", "x")
        assert self.letters() == []

    async def test_a_month_is_told_once_in_the_first_days_of_the_next(self) -> None:
        self.world.incidents_ = [
            Incident(id="1", customer="c1", began_at=MARCH - 10 * DAY, reason="x", ended_at=MARCH - 9 * DAY),
            Incident(id="2", customer="c1", began_at=MARCH - DAY / 2, reason="x"),
        ]
        for _ in range(3):
            await self.report.turn()
        (letter,) = self.letters()
        assert letter["Subject"] == "mydomain.zz in 2027-02"
        text = letter.get_body(("plain",)).get_content()
        assert "Mail in: 280\r\n" in text
        assert "Recipients refused: 28\r\n" in text
        assert "Times that your server was down: 1\r\n" in text
        self.world.told.clear()
        self.now += 10 * DAY
        await self.report.turn()
        assert len(self.letters()) == 1

    async def test_a_year_ends_with_its_december(self) -> None:
        self.now = float(calendar.timegm((2028, 1, 1, 0, 0, 1)))
        await self.report.turn()
        assert self.letters()[0]["Subject"] == "mydomain.zz in 2027-12"

    async def test_it_is_told_in_the_customers_language(self) -> None:
        self.world.customer_ = replace(CUSTOMER, language="fr")
        self.incidents._open("c1", "mydomain.zz", "connection refused")
        assert self.letters()[0]["Content-Language"] == "fr"
        assert "serveur" in self.letters()[0]["Subject"]


def test_somebody_is_reachable_who_is_outside_verified_and_wants_to_know() -> None:
    def of(*contacts: Contact) -> bool:
        return reachable(replace(CUSTOMER, contacts=contacts))

    assert of(SEEN)
    assert not of()
    assert not of(replace(SEEN, verified_at=None))
    assert not of(replace(SEEN, wants=(Notice.REPORT,)))
    for inside in ("x@mydomain.zz", "X@MYDOMAIN.ZZ", "x@mydomainzz.emailgency.zz"):
        assert not of(replace(SEEN, address=inside))
