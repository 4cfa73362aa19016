"""Which servers are tried, and how they may be written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailgency.model.errors import Invalid
from emailgency.rules.next_hop import Exchange, Lack, Transport, choose, parse_transport

WELL_FORMED = {
    "mail.mydomain.zz": Transport("mail.mydomain.zz"),
    " Mail.MyDomain.ZZ.:2525 ": Transport("mail.mydomain.zz", 2525),
    "192.0.2.1": Transport("192.0.2.1", literal=True),
    "192.0.2.1:587": Transport("192.0.2.1", 587, literal=True),
    "[2001:db8::1]": Transport("2001:db8::1", literal=True),
    "[2001:db8::1]:465": Transport("2001:db8::1", 465, literal=True),
    "2001:db8::1": Transport("2001:db8::1", literal=True),
    "[192.0.2.1]:26": Transport("192.0.2.1", 26, literal=True),
    "xn--bcher-kva.zz": Transport("xn--bcher-kva.zz"),
}


@pytest.mark.parametrize(("text", "transport"), WELL_FORMED.items())
def test_a_transport_is_an_address_or_a_full_name_with_a_port(text, transport):
    assert parse_transport(text) == transport


@pytest.mark.parametrize(
    "text",
    [
        *("2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0", "127.0.0.1.", "0x7f.1", "1.2.3.4.5", "mail.0x7f"),
        *("localhost", "localhost.", "", ":25", "mail", "-a.b", "a-.b", "a..b", "a b.c", "mail.zz:0", "mail.zz:65536"),
        *("mail.zz:smtp", "mail.zz:", "mail.zz:025", "[::1", "[mail.zz]:25", "[::1]25", "fe80::1%eth0", "user@mail.zz"),
        *("http://mail.zz", "mail.zz/x", "a\0.b", "ⓛocal.zz", "127。0。0。1", "x" * 64 + ".zz", "256.1.1.1"),
    ],
)
def test_nothing_else_is_a_transport(text):
    with pytest.raises(Invalid):
        parse_transport(text)


@given(st.text(max_size=40))
def test_any_text_is_a_transport_or_invalid(text):
    try:
        transport = parse_transport(text)
    except Invalid:
        return
    assert 0 < transport.port < 65536
    assert transport.host == transport.host.lower().strip()


def exchange(preference, host, *addresses):
    return Exchange(preference, host, addresses)


OURS = "mydomainzz.eg.test"


def hosts(*exchanges):
    return [e.host for e in choose(list(exchanges), lambda e: e.host == OURS).hosts]


def test_hosts_are_tried_in_order_of_preference():
    assert hosts(exchange(20, "b", "192.0.2.2"), exchange(10, "a", "192.0.2.1")) == ["a", "b"]


def test_only_hosts_strictly_better_than_ours_are_tried():
    best, same, worse = (exchange(p, n, "192.0.2.1") for p, n in ((10, "a"), (20, "b"), (30, "c")))
    assert hosts(best, same, exchange(20, OURS, "192.0.2.9"), worse) == ["a"]
    assert hosts(same, exchange(20, OURS), worse) == []
    assert hosts(exchange(0, OURS, "192.0.2.9")) == []


def test_null_mx_and_hosts_without_address_are_told_apart():
    assert choose([exchange(0, "")], lambda _: False).lack is Lack.NULL_MX
    assert choose([exchange(10, "a")], lambda _: False).lack is Lack.NO_ADDRESS
    assert choose([exchange(10, OURS)], lambda _: True).lack is Lack.OURS
