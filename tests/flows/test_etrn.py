"""ETRN (RFC 1985): who may ask, and what he hears."""

from types import SimpleNamespace

import pytest
from twisted.internet.defer import ensureDeferred

from emailgency.flows.relaying.etrn import Etrn
from emailgency.flows.relaying.exchanges import Unroutable
from emailgency.model.directory import Customer, Domain, DomainKind, RelayMode
from emailgency.model.verdict import Verdict
from emailgency.rules.next_hop import Destination

ACME = Customer(id="acme", domain="mydomain.zz", alternate_domain="mydomainzz.test")
OTHER = Customer(id="other", domain="other.zz", alternate_domain="otherzz.test", smtp_transport="192.0.2.9")
HELD = Customer(id="held", domain="held.zz", alternate_domain="heldzz.test", relay=RelayMode.HOLD)


class Directory:
    async def domain(self, name):
        for customer in (ACME, OTHER, HELD):
            if name in (customer.domain, customer.alternate_domain):
                return Domain(name, customer.id, DomainKind.MAIN)
        return None

    async def customer(self, id):
        return {one.id: one for one in (ACME, OTHER, HELD)}[id]


class Exchanges:
    async def of_domain(self, name):
        if name != "mydomain.zz":
            raise Unroutable("nothing")
        return [Destination("mail.mydomain.zz", "192.0.2.1")]

    async def of_transport(self, transport):
        return [Destination(transport, transport)]


class Flush:
    def __init__(self, due):
        self.due, self.asked = due, []

    def flush(self, customer, who):
        self.asked.append(customer)
        return self.due


def turn(node, ip="192.0.2.1", user=None, due=3):
    flush = Flush(due)
    principal = SimpleNamespace(customer=user) if user else None
    answers = []
    ensureDeferred(Etrn(Directory(), Exchanges(), flush).turn(ip, principal, node)).addCallback(answers.append)
    return answers[0], flush.asked


@pytest.mark.parametrize(
    ("ip", "user", "node"),
    [
        ("192.0.2.1", None, "mydomain.zz"),
        ("192.0.2.1", None, "@MyDomain.zz"),
        ("192.0.2.1", None, "mydomainzz.test"),
        ("198.51.100.7", "acme", "mydomain.zz"),
    ],
)
def test_the_customers_server_and_his_users_may_ask_for_his_mail(ip, user, node):
    assert turn(node, ip, user) == (Verdict(253, "2.0.0", "3 pending messages started"), ["acme"])


@pytest.mark.parametrize(
    ("ip", "user", "node"),
    [
        ("198.51.100.7", None, "mydomain.zz"),
        ("192.0.2.1", "other", "other.zz2"),
        ("192.0.2.1", "acme", "other.zz"),
        ("192.0.2.1", None, "other.zz"),
        ("192.0.2.1", None, "nobody.zz"),
        ("192.0.2.1", None, "held.zz"),
    ],
)
def test_to_everybody_else_all_domains_look_the_same(ip, user, node):
    verdict, flushed = turn(node, ip, user)
    assert (verdict.code, flushed) == (459, [])


def test_what_else_may_be_answered():
    assert turn("mydomain.zz", due=0)[0].code == 251
    assert turn("mydomain.zz", due=Verdict(450, "4.7.0", "flushed a moment ago"))[0].code == 458
    assert turn("held.zz", user="held")[0].code == 458
    for node in ("#queue", "a b", "..", "@"):
        assert turn(node)[0].code == 501
