"""Which network an address counts as, and how often is too often."""

import pytest

from emailgency.rules.networks import is_loopback, network
from emailgency.rules.rates import Rates


@pytest.mark.parametrize(
    ("ip", "expected"),
    [
        ("192.0.2.7", "192.0.2.0/24"),
        ("::ffff:192.0.2.7", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_networks(ip, expected):
    assert network(ip) == expected


def test_loopback_is_known_in_every_dress():
    assert all(map(is_loopback, ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"]))
    assert not any(map(is_loopback, ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"]))


def test_so_many_at_once_then_so_many_a_second():
    rates = Rates(0.5, 3)
    assert [rates.take("a", 0.0) for _ in range(5)] == [True, True, True, False, False]
    assert rates.take("b", 0.0)
    assert [rates.take("a", 2.0) for _ in range(2)] == [True, False]
    assert [rates.take("a", 1e6) for _ in range(4)] == [True, True, True, False]
    assert not rates.take("a", 0.0)  # a clock that went back gives nothing


def test_keys_are_bounded():
    rates = Rates(1.0, 1)
    for number in range(30_000):
        rates.take(str(number), 0.0)
    assert len(rates._buckets) <= 10_000
