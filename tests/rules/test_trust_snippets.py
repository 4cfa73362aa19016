"""What other servers are told of us: to trust our word, never to send for us."""

from emailgency.rules.trust_snippets import snippets

ADDRESSES = ("192.0.2.7", "2001:db8::7")


def test_each_kind_of_server_is_told_all_addresses() -> None:
    found = snippets("mx.emailgency.zz", ADDRESSES, "")
    for server in ("postfix", "exim", "exchange", "google"):
        text = "".join(one.text for one in found if one.server == server)
        assert all(address in text for address in ADDRESSES)
    assert not any("opendmarc" in one.place for one in found)


def test_seals_are_trusted_where_mail_bears_them() -> None:
    text = "".join(one.text for one in snippets("mx.emailgency.zz", ADDRESSES, "mydomain.zz"))
    assert 'Set-ArcConfig -Identity Default -ArcTrustedSealers "mydomain.zz"' in text
    assert "TrustedAuthservIDs mx.emailgency.zz" in text


def test_nobody_is_told_to_relay_for_us() -> None:
    told = snippets("mx.emailgency.zz", ADDRESSES, "mydomain.zz")
    assert not any("mynetworks =" in one.text or "relay_from_hosts" in one.text for one in told)


def test_without_an_address_nothing_is_told() -> None:
    assert snippets("mx.emailgency.zz", (), "mydomain.zz") == []
