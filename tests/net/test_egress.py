"""The gate for outgoing connections."""

import pytest

from emailgency.net.egress import Egress, EgressSettings

INTERNAL = [
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("169.254.169.254", "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "::ffff:0:127.0.0.1", "fe80::1", "fc00::1"),
    *("fd12:3456::1", "fec0::1", "ff02::1", "2002:7f00:1::1", "2002:a00:1::", "2002:808:808::1", "64:ff9b::127.0.0.1"),
    *("64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808", "2001::1", "2001:db8::1", "192.88.99.1", "not an address", ""),
]
PUBLIC = ["8.8.8.8", "192.1.2.3", "2a00:1450:4001::1", "64:ff9b::808:808"]


def egress(*networks, listening=()):
    return Egress(EgressSettings(networks=networks), lambda: listening)


@pytest.mark.parametrize("ip", INTERNAL)
def test_attack_15_addresses_that_are_not_public_are_refused(ip):
    assert egress().check(ip, 25)


@pytest.mark.parametrize("ip", PUBLIC)
def test_public_addresses_are_allowed(ip):
    assert egress().check(ip, 25) is None


def test_attack_15_ports_are_a_short_list():
    assert [port for port in range(65536) if egress().check("8.8.8.8", port) is None] == [25, 465, 587, 2525]


def test_the_operator_opens_networks_and_ports():
    lab = Egress(EgressSettings(networks=("127.0.0.0/8", "fd00::/8"), ports=(25, 10025)), lambda: ())
    assert lab.check("127.0.0.1", 10025) is None
    assert lab.check("::ffff:127.0.0.1", 25) is None
    assert lab.check("fd00::1", 25) is None
    assert lab.check("10.0.0.1", 25)
    assert lab.check("8.8.8.8", 2525)


@pytest.mark.parametrize("listener", ["127.0.0.1", "0.0.0.0", "::", ""])
def test_attack_13_our_own_listeners_are_refused_whatever_the_operator_opens(listener):
    gate = egress("0.0.0.0/0", "::/0", listening=[(listener, 25)])
    assert "ourselves" in gate.check("127.0.0.1", 25)
    assert "ourselves" in gate.check("::ffff:127.0.0.1", 25)
    assert gate.check("127.0.0.1", 587) is None
    assert gate.check("8.8.8.8", 25) is None
