"""The routing table, row by row (product.md, section A)."""

from itertools import product

import pytest

from emailgency.model.address import Address
from emailgency.model.directory import (
    HARD_MESSAGE_LIMIT,
    STANDARD,
    Alias,
    Banished,
    Customer,
    DistributionList,
    Domain,
    DomainKind,
    Entry,
    Mailbox,
    RelayMode,
)
from emailgency.model.envelope import Catchall, Deliver, Outbound, Relay, Undelivered
from emailgency.rules.routing import BANISHED, STEALTH, Facts, Route, route

ADDRESS = Address("paul", "mydomain.zz")
CUSTOMER = Customer(id="c", domain="mydomain.zz", alternate_domain="mydomainzz.e.zz")
PAUL = Mailbox(id="m1", customer="c", address=ADDRESS)
ANNA = Mailbox(id="m2", customer="c", address=Address("anna", "mydomain.zz"))
FORWARDING = Mailbox(id="m3", customer="c", address=ADDRESS, forwards=("x@y.zz", "z@y.zz"))
ALIAS = Alias(customer="c", address=ADDRESS, mailbox="m3")
LIST = DistributionList(customer="c", address=ADDRESS, members=("m1", "m2", "m1"))
OUT = Banished(customer="c", address=ADDRESS)
RELAY = Relay(customer="c", address="Paul@mydomain.zz", recipient=3)
BOXES = {box.id: box for box in (PAUL, ANNA, FORWARDING)}


def routed(entry: Entry | None, kind: DomainKind = DomainKind.MAIN, candidates: int = 0, **customer: object) -> Route:
    given = {field: getattr(CUSTOMER, field) for field in CUSTOMER.__struct_fields__} | customer
    facts = Facts(
        customer=Customer(**given),
        plan=STANDARD,
        domain=Domain("mydomain.zz", "c", kind),
        entry=entry,
        address=getattr(entry, "address", ADDRESS),
        relay_to="Paul@mydomain.zz",
        mailboxes=BOXES,
        candidates=candidates,
    )
    return route(facts, 3)


def deliver(id: str) -> Deliver:
    return Deliver(customer="c", mailbox=id, recipient=3)


def forward(address: str) -> Outbound:
    return Outbound(customer="c", address=address, recipient=3, origin="forward")


def test_a_mailbox_gets_its_mail_and_the_server_too() -> None:
    assert routed(PAUL).targets == (deliver("m1"), RELAY)


def test_an_alias_means_its_mailbox_and_the_mailbox_forwards() -> None:
    assert routed(ALIAS).targets == (deliver("m3"), forward("x@y.zz"), forward("z@y.zz"), RELAY)


def test_a_forward_without_copy_is_still_relayed() -> None:
    box = Mailbox(id="m3", customer="c", address=ADDRESS, forwards=("x@y.zz",), keep_copy=False)
    assert routed(box).targets == (forward("x@y.zz"), RELAY)


def test_keeping_no_copy_without_a_forward_keeps_it() -> None:
    box = Mailbox(id="m3", customer="c", address=ADDRESS, keep_copy=False)
    assert routed(box).targets == (deliver("m3"), RELAY)


def test_attack_14_a_list_delivers_to_each_member_once_and_relays_once() -> None:
    assert routed(LIST).targets == (deliver("m1"), deliver("m2"), RELAY)


def test_members_of_other_customers_get_nothing() -> None:
    foreign = Mailbox(id="m1", customer="other", address=Address("eve", "other.zz"))
    facts = Facts(
        customer=CUSTOMER,
        plan=STANDARD,
        domain=Domain("mydomain.zz", "c", DomainKind.MAIN),
        entry=LIST,
        address=ADDRESS,
        relay_to="Paul@mydomain.zz",
        mailboxes={"m1": foreign, "m2": ANNA},
    )
    assert route(facts, 3).targets == (deliver("m2"), RELAY)


def test_an_unknown_address_goes_to_the_catchall() -> None:
    assert routed(None).targets == (Catchall(customer="c", address="paul@mydomain.zz", recipient=3), RELAY)


def test_when_the_candidates_are_spent_it_goes_to_undelivered() -> None:
    spent = routed(None, candidates=STANDARD.candidates)
    assert spent.targets == (Undelivered(customer="c", recipient=3), RELAY)


def test_a_banished_address_is_dropped_or_refused() -> None:
    dropped = routed(OUT)
    assert (dropped.targets, dropped.verdict, dropped.dropped) == ((), None, True)
    assert routed(OUT, banished_refused=True).verdict == BANISHED


@pytest.mark.parametrize(
    "entry",
    [
        Alias(customer="c", address=ADDRESS, mailbox="gone"),
        DistributionList(customer="c", address=ADDRESS, members=()),
        DistributionList(customer="c", address=ADDRESS, members=("gone",)),
    ],
)
def test_an_entry_that_leads_nowhere_loses_nothing(entry: Entry) -> None:
    assert routed(entry).targets == (Undelivered(customer="c", recipient=3), RELAY)


@pytest.mark.parametrize("entry", [PAUL, ALIAS, LIST, None])
def test_relay_none_keeps_our_copy_only_and_hold_waits(entry: Entry | None) -> None:
    assert RELAY not in routed(entry, relay=RelayMode.NONE).targets
    assert routed(entry, relay=RelayMode.NONE).targets
    assert RELAY in routed(entry, relay=RelayMode.HOLD).targets


def test_stealth_refuses_all_but_the_alternate_domain_and_postmaster() -> None:
    for kind, entry in product(DomainKind, (PAUL, ALIAS, LIST, OUT, None)):
        answer = routed(entry, kind, stealth=True)
        assert (answer.verdict == STEALTH) == (kind is not DomainKind.ALTERNATE)
    postmaster = Mailbox(id="m1", customer="c", address=Address("postmaster", "mydomain.zz"))
    assert routed(postmaster, stealth=True).targets == (deliver("m1"), RELAY)


def test_size_limits_follow_plan_and_vip() -> None:
    vip = Mailbox(id="m9", customer="c", address=ADDRESS, vip=True)
    assert routed(PAUL).size_limit == STANDARD.message_size
    assert routed(vip).size_limit == HARD_MESSAGE_LIMIT
    assert routed(LIST).size_limit == STANDARD.message_size


def test_every_route_has_exactly_one_meaning() -> None:
    entries = (PAUL, ANNA, FORWARDING, ALIAS, LIST, OUT, None)
    for entry, kind, stealth, refused, mode in product(entries, DomainKind, (0, 1), (0, 1), RelayMode):
        answer = routed(entry, kind, stealth=bool(stealth), banished_refused=bool(refused), relay=mode)
        assert sum((bool(answer.targets), answer.verdict is not None, answer.dropped)) == 1
