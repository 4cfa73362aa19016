"""Mail in our own and our users' name is signed once the DNS shows the key, and is never late for it."""

import os
import shutil
import tempfile

import dkim as dkimpy
from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from emailgency.flows.trust.signing import DAY, Signing, SigningSettings
from emailgency.model.directory import OPERATOR
from emailgency.model.errors import Invalid
from emailgency.net.dns import Dns, DnsSettings
from emailgency.store.keys.signing_keys import SigningKeys
from tests.support.customers import RealCustomers
from tests.support.dns_server import DnsServer, servfail

MESSAGE = b"From: Paul <Paul@MyDomain.zz>\r\nTo: anna@far.example\r\nSubject: hello\r\n\r\nbody\r\n"
RETURN_PATH = b"Return-Path: <paul@mydomain.zz>\r\n"


class SigningTests(TestCase):
    async def setUp(self) -> None:
        self.folder = tempfile.mkdtemp()
        self.now = 1_700_000_000.0
        self.addCleanup(shutil.rmtree, self.folder)
        self.real = RealCustomers()
        await self.real.begin()
        self.customer = await self.real.customer()
        self.dns = DnsServer()
        asking = Dns(DnsSettings(addresses=(self.dns.address,), timeout=20, ipv6=False), reactor)
        self.signing = Signing(
            reactor,
            lambda: self.now,
            self.real.directory,
            SigningKeys(self.folder),
            asking,
            "mx.emailgency.example",
            SigningSettings(),
        )

    async def tearDown(self) -> None:
        await self.dns.stop()
        await self.real.stop()

    async def publish(self, owner: str, domain: str) -> str:
        """Make a key and put its record into the DNS."""
        key = await self.signing.make(owner)
        [announced] = [one for one in await self.signing.show(owner, [domain]) if one.selector == key.selector]
        self.dns.zone[announced.name, "TXT"] = [f'"{announced.record[:200]}" "{announced.record[200:]}"']
        self.signing._dns = Dns(DnsSettings(addresses=(self.dns.address,), timeout=20, ipv6=False), reactor)
        return key.selector

    async def field(self, message: bytes = MESSAGE) -> bytes:
        path = os.path.join(self.folder, "message")
        with open(path, "wb") as file:
            file.write(RETURN_PATH + message)
        return await self.signing.field("id", path, len(RETURN_PATH))

    def good(self, message: bytes) -> bool:
        def look_up(name: bytes, timeout: int = 5) -> bytes:
            texts = self.dns.zone.get((name.decode().rstrip("."), "TXT"), [""])
            return texts[0].replace('" "', "").strip('"').encode()

        return bool(dkimpy.verify(message, dnsfunc=look_up))

    async def test_a_users_mail_is_signed_for_his_domain(self) -> None:
        await self.publish(self.customer.id, "mydomain.zz")
        field = await self.field()
        assert b"d=mydomain.zz;" in field
        assert self.good(field + MESSAGE)

    async def test_what_the_server_writes_is_signed_for_its_own_name(self) -> None:
        await self.publish(OPERATOR, "mx.emailgency.example")
        message = MESSAGE.replace(b"Paul@MyDomain.zz", b"MAILER-DAEMON@mx.emailgency.example")
        assert self.good(await self.field(message) + message)

    async def test_without_a_record_in_the_dns_nothing_is_signed(self) -> None:
        assert await self.field() == b""
        await self.signing.make(self.customer.id)
        assert await self.field() == b""

    async def test_the_newest_key_that_is_published_signs(self) -> None:
        first = await self.publish(self.customer.id, "mydomain.zz")
        second = await self.publish(self.customer.id, "mydomain.zz")
        await self.signing.make(self.customer.id)
        assert f"s={second};".encode() in await self.field()
        await self.signing.remove(self.customer.id, second)
        assert f"s={first};".encode() in await self.field()
        with self.assertRaises(Invalid):
            await self.signing.remove(self.customer.id, second)

    async def test_attack_43_nothing_is_signed_for_a_domain_of_somebody_else(self) -> None:
        await self.publish(self.customer.id, "mydomain.zz")
        for author in (b"ceo@elsewhere.example", b"paul@mydomain.zz, ceo@elsewhere.example", b"<paul@mydomain.zz"):
            assert await self.field(MESSAGE.replace(b"Paul <Paul@MyDomain.zz>", author)) == b""
        assert await self.field(b"From: ceo@elsewhere.example\r\n" + MESSAGE) == b""

    async def test_a_dns_in_trouble_delays_nothing(self) -> None:
        await self.publish(self.customer.id, "mydomain.zz")
        self.dns.vice = servfail
        assert await self.field() == b""
        [one] = await self.signing.show(self.customer.id, ["mydomain.zz"])
        assert one.status == "unknown"

    async def test_a_record_that_is_not_ours_is_told_as_different(self) -> None:
        await self.publish(self.customer.id, "mydomain.zz")
        [one] = await self.signing.show(self.customer.id, ["mydomain.zz"])
        assert one.status == "found"
        key = await self.signing.make(self.customer.id)
        self.dns.zone[f"{key.selector}._domainkey.mydomain.zz", "TXT"] = ['"v=DKIM1; p=AAAA"']
        newest, _ = await self.signing.show(self.customer.id, ["mydomain.zz"])
        assert newest.status == "different"


def test_private_keys_are_for_nobody_elses_eyes(tmp_path) -> None:
    SigningKeys(str(tmp_path)).make("acme", "20261122")
    [name] = os.listdir(tmp_path / "signing")
    assert (tmp_path / "signing" / name).stat().st_mode & 0o777 == 0o600
    assert SigningKeys(str(tmp_path)).selectors("acme") == ["eg20261122x00"]
    assert SigningKeys(str(tmp_path)).selectors("ac") == []

    async def test_an_invitation_is_signed_by_the_server_for_its_alternate_domain(self) -> None:
        await self.publish(OPERATOR, "mx.emailgency.example")
        message = MESSAGE.replace(b"Paul@MyDomain.zz", b"postmaster@" + self.customer.alternate_domain.encode())
        sign = await self.signing.signer(self.customer.alternate_domain)
        assert b"d=mx.emailgency.example;" in sign(message)
        assert self.good(sign(message) + message)
        assert self.good(await self.field(message) + message)
        assert (await self.signing.signer("mydomain.zz"))(MESSAGE) == b""

    async def test_an_old_key_goes_two_weeks_after_a_newer_one_has_begun_to_sign(self) -> None:
        old = await self.publish(self.customer.id, "mydomain.zz")
        self.now += DAY
        new = await self.signing.make(self.customer.id)
        assert f"s={old};".encode() in await self.field()  # the new one is not in the DNS
        self.now += 30 * DAY
        await self.signing.remove_old()
        [newer, older] = await self.signing.show(self.customer.id, ["mydomain.zz"])
        assert (newer.selector, older.selector, older.unused_since) == (new.selector, old, None)
        self.dns.zone[newer.name, "TXT"] = [f'"{newer.record[:200]}" "{newer.record[200:]}"']
        self.signing._dns = Dns(DnsSettings(addresses=(self.dns.address,), timeout=20, ipv6=False), reactor)
        await self.signing.show(self.customer.id, ["mydomain.zz"])
        assert f"s={new.selector};".encode() in await self.field()
        self.now += 13 * DAY
        await self.signing.remove_old()
        assert [one.unused_since for one in await self.signing.show(self.customer.id, ["mydomain.zz"])] == [
            None,
            self.now - 13 * DAY,
        ]
        self.now += 2 * DAY
        await self.signing.remove_old()
        assert [one.selector for one in await self.signing.show(self.customer.id, ["mydomain.zz"])] == [new.selector]

    async def test_an_old_key_that_must_sign_again_stays(self) -> None:
        old = await self.publish(self.customer.id, "mydomain.zz")
        self.now += DAY
        new = await self.publish(self.customer.id, "mydomain.zz")
        assert f"s={new};".encode() in await self.field()
        del self.dns.zone[f"{new}._domainkey.mydomain.zz", "TXT"]
        self.signing._dns = Dns(DnsSettings(addresses=(self.dns.address,), timeout=20, ipv6=False), reactor)
        await self.signing.show(self.customer.id, ["mydomain.zz"])
        assert f"s={old};".encode() in await self.field()
        self.now += 30 * DAY
        await self.signing.remove_old()
        assert len(await self.signing.show(self.customer.id, ["mydomain.zz"])) == 2
