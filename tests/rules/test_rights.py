"""Row B10 and attack row 10: users send under their own addresses only."""

from emailgency.codec.address import parse
from emailgency.model.address import Address
from emailgency.model.directory import Alias, Customer, DistributionList, Entry, Mailbox
from emailgency.rules.rights import may_submit_as, sending_denied

CUSTOMER = Customer(id="c", domain="my.zz", alternate_domain="myzz.e.zz", domain_aliases=("my.yy",))
PAUL = Mailbox(id="m1", customer="c", address=Address("paul", "my.zz"))
ENTRIES: dict[str, Entry] = {
    "paul": PAUL,
    "boss": Alias(customer="c", address=Address("boss", "my.zz"), mailbox="m1"),
    "anna": Mailbox(id="m2", customer="c", address=Address("anna", "my.zz")),
    "chief": Alias(customer="c", address=Address("chief", "my.zz"), mailbox="m2"),
    "all": DistributionList(customer="c", address=Address("all", "my.zz"), members=("m1", "m2")),
}


def may(text: str) -> bool:
    sender = parse(text)
    return may_submit_as(sender, PAUL, CUSTOMER, ENTRIES.get(sender.local))


def test_own_address_and_aliases_in_every_domain_of_the_customer() -> None:
    for domain in ("my.zz", "MY.yy", "myzz.e.zz"):
        assert may(f"Paul@{domain}")
        assert may(f"boss@{domain}")


def test_attack_10_nobody_elses() -> None:
    for text in (
        *("anna@my.zz", "chief@my.zz", "all@my.zz", "nobody@my.zz", "postmaster@my.zz"),
        *("paul@other.zz", "paul@my.zz.other.zz", "paul@[192.0.2.1]", '"paul@my.zz"@other.zz', "@my.zz:paul@other.zz"),
        *('"paul "@my.zz', "paul+x@my.zz", "pаul@my.zz", "paul@e.zz", "paul%my.zz@other.zz"),
    ):
        assert not may(text), text


def test_attack_10_not_the_namesake_at_another_customer() -> None:
    other = Customer(id="d", domain="other.zz", alternate_domain="otherzz.e.zz")
    assert not may_submit_as(parse("paul@other.zz"), PAUL, other, None)


def test_sending_is_denied_one_by_one_or_all_at_once() -> None:
    assert not sending_denied(PAUL, CUSTOMER)
    assert sending_denied(Mailbox(id="m", customer="c", address=PAUL.address, smtp_denied=True), CUSTOMER)
    assert sending_denied(PAUL, Customer(id="c", domain="my.zz", alternate_domain="a.zz", smtp_denied=True))
