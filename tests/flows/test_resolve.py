"""What recipients mean, against a real directory; the matrix of relaying attempts (attack row 9)."""

from twisted.trial.unittest import TestCase

from emailgency.codec.address import parse, wire
from emailgency.flows.receiving.resolve import Route
from emailgency.model.directory import Alias, Mailbox, RelayMode
from emailgency.model.envelope import Catchall, Deliver, Outbound, Recipient, Relay
from emailgency.model.errors import Temporary
from emailgency.model.verdict import Verdict
from emailgency.store.directory.directory import Gone
from tests.support.customers import AUTHOR, RealCustomers

OURS = {"mydomain.zz", "mydomain.yy", "xn--exmple-cua.zz"}
FOREIGN = "victim.example"

RELAY_ATTEMPTS = [
    *(f"eve@{FOREIGN}", f"EVE@{FOREIGN.upper()}", f'"eve"@{FOREIGN}', f"eve@mydomain.zz.{FOREIGN}", f"eve@x{FOREIGN}"),
    *(f"eve%{FOREIGN}@mydomain.zz", f"eve%{FOREIGN}", f"{FOREIGN}!eve@mydomain.zz", f"{FOREIGN}!eve"),
    *(f"@mydomain.zz:eve@{FOREIGN}", f"@{FOREIGN}:eve@mydomain.zz", f"@a.zz,@mydomain.zz:eve@{FOREIGN}"),
    *(f"eve@{FOREIGN}@mydomain.zz", f'"eve@{FOREIGN}"@mydomain.zz', f"eve@mydomain.zz@{FOREIGN}"),
    *(f'"eve@mydomain.zz"@{FOREIGN}', f'"eve@{FOREIGN}>"@mydomain.zz', f"<eve@{FOREIGN}>@mydomain.zz"),
    *("eve@[192.0.2.1]", "eve@[IPv6:2001:db8::1]", "eve@192.0.2.1", "eve@[127.0.0.1]", "eve@localhost", "eve@"),
    *("eve", "@", "", f"eve @{FOREIGN}", f"eve@ {FOREIGN}", f"eve@{FOREIGN} ", f"eve@{FOREIGN}.", "eve@mydomain.zz."),
    *(f"eve@mydomain.zz\x00@{FOREIGN}", f"eve\r\nRCPT TO:<eve@{FOREIGN}>@mydomain.zz", f"eve@{FOREIGN}\u3002"),
    *(f"eve＠{FOREIGN}@mydomain.zz", f"eve@mydomain.zz＠{FOREIGN}", f"eve@{FOREIGN},mydomain.zz", f"eve;x@{FOREIGN}"),
    *(
        f"(eve@{FOREIGN})eve@mydomain.zz",
        f"eve@(mydomain.zz){FOREIGN}",
        f'"eve@{FOREIGN}"',
        f"eve@{FOREIGN}/mydomain.zz",
    ),
    *(
        f'"\\"eve@{FOREIGN}\\""@mydomain.yy',
        f"eve%{FOREIGN}@mydomain.yy",
        f"eve%{FOREIGN}@mydomainzz.emailgency.example",
    ),
    *(f'"eve@{FOREIGN}"@mydomainzz.emailgency.example', "eve@emailgency.example", "eve@other.emailgency.example"),
]


class ResolveTests(TestCase):
    async def setUp(self) -> None:
        self.real = RealCustomers()
        await self.real.begin()
        self.customer = await self.real.customer(domain_aliases=("mydomain.yy", "exämple.zz"))
        self.paul = await self.real.mailbox("paul@mydomain.zz")
        self.directory = self.real.directory

    async def tearDown(self) -> None:
        await self.real.stop()

    async def route(self, text: str, index: int = 0) -> Route | Verdict:
        return await self.real.resolver.resolve(Recipient(as_given=text), index)

    async def relayed(self, text: str) -> str:
        (address,) = [target.address for target in (await self.route(text)).targets if isinstance(target, Relay)]
        return str(address)

    async def test_the_server_gets_its_own_domains_as_addressed_and_the_alternate_as_the_main(self) -> None:
        self.assertEqual(await self.relayed("Paul@MyDomain.zz"), "Paul@mydomain.zz")
        self.assertEqual(await self.relayed("Paul@mydomain.yy"), "Paul@mydomain.yy")
        self.assertEqual(await self.relayed("Paul@Exämple.zz"), "Paul@xn--exmple-cua.zz")
        self.assertEqual(await self.relayed("PAUL@mydomainzz.emailgency.example"), "PAUL@mydomain.zz")
        self.assertEqual(await self.relayed('"No Body"@mydomain.zz'), '"No Body"@mydomain.zz')

    async def test_an_unknown_address_is_one_candidate_in_all_domains(self) -> None:
        found = set()
        for domain in ("mydomain.zz", "mydomain.yy", "mydomainzz.emailgency.example"):
            (catchall,) = [
                target for target in (await self.route(f"No.Body@{domain}")).targets if isinstance(target, Catchall)
            ]
            found.add(catchall.address)
        self.assertEqual(found, {"no.body@mydomain.zz"})

    async def test_aliases_lists_and_forwards_are_looked_up(self) -> None:
        anna = await self.real.mailbox("anna@mydomain.zz", forwards=["Anna@home.zz"])
        await self.real.addresses.add_alias(AUTHOR, parse("boss@mydomain.zz"), anna.address)
        await self.real.addresses.add_list(AUTHOR, parse("all@mydomain.zz"), [self.paul.address, anna.address])
        targets = (await self.route("boss@mydomain.yy", 5)).targets
        self.assertEqual(targets[0], Deliver(customer=self.customer.id, mailbox=anna.id, recipient=5))
        self.assertEqual([t.address for t in targets if isinstance(t, Outbound)], ["Anna@home.zz"])
        targets = (await self.route("all@mydomain.zz")).targets
        self.assertEqual([t.mailbox for t in targets if isinstance(t, Deliver)], [self.paul.id, anna.id])

    async def test_settings_of_the_customer_count_at_once(self) -> None:
        await self.real.accounts.set(AUTHOR, self.customer.id, stealth=True, relay=RelayMode.NONE)
        self.assertEqual((await self.route("paul@mydomain.zz")).verdict.code, 451)
        self.assertIsNone((await self.route("paul@mydomainzz.emailgency.example")).verdict)
        self.assertIsNone((await self.route("postmaster@mydomain.zz")).verdict)
        targets = (await self.route("postmaster@mydomain.yy")).targets
        self.assertFalse([target for target in targets if isinstance(target, Relay)])

    async def test_attack_09_nothing_unauthenticated_reaches_a_foreign_domain(self) -> None:
        self.assertGreaterEqual(len(RELAY_ATTEMPTS), 40)
        for text in RELAY_ATTEMPTS:
            answer = await self.route(text)
            if isinstance(answer, Verdict):
                self.assertFalse(answer.accepts, text)
                continue
            self.assertIsNone(answer.verdict, text)
            for target in answer.targets:
                self.assertFalse(isinstance(target, Outbound), text)
                if isinstance(target, Relay):
                    relayed = parse(target.address)
                    self.assertIn(relayed.domain, OURS, text)
                    self.assertEqual(wire(relayed).rpartition("@")[2], target.address.rpartition("@")[2])

    async def test_attack_09_a_foreign_domain_is_550(self) -> None:
        for text in (f"eve@{FOREIGN}", "eve@[192.0.2.1]", f"@mydomain.zz:eve@{FOREIGN}"):
            self.assertEqual(await self.route(text), Verdict(550, "5.7.1", "relaying denied"))

    async def test_attack_32_names_like_keys_do_not_cross_customers(self) -> None:
        other = await self.real.customer("other.zz")
        for local in (f"directory:entry:{other.id}", f"{other.id}/postmaster", "*", "a:b", "postmaster*", "{a}", "$1"):
            address = f'"{local}"@mydomain.zz'
            mailbox = await self.real.mailbox(address)
            self.directory.forget()
            (deliver, _) = (await self.route(address)).targets
            self.assertEqual(deliver, Deliver(customer=self.customer.id, mailbox=mailbox.id, recipient=0))
            foreign = (await self.route(f'"{local}"@other.zz')).targets[0]
            self.assertIsInstance(foreign, Catchall)
            self.assertEqual(foreign.customer, other.id)
        self.assertEqual(len(await self.directory.entries(other.id)), 1)

    async def test_who_is_known_is_resolved_without_redis_and_nobody_else_is_refused(self) -> None:
        await self.route("paul@mydomain.zz")
        self.real.redis.kill()
        self.assertIsInstance(await self.route("paul@mydomain.zz"), Route)
        for text in ("unknown@mydomain.zz", "eve@new.example"):
            with self.assertRaises(Temporary):
                await self.route(text)
        self.real.redis.start()

    async def test_a_mailbox_is_found_by_id_until_it_goes(self) -> None:
        self.assertEqual(await self.directory.mailbox(self.paul.id), self.paul)
        await self.real.addresses.remove(AUTHOR, self.paul.address)
        self.assertIsNone(await self.directory.mailbox(self.paul.id))
        again = await self.real.mailbox("paul@mydomain.zz")
        self.assertIsNone(await self.directory.mailbox(self.paul.id))
        self.assertIsInstance(await self.directory.mailbox(again.id), Mailbox)
        await self.assertFailure_gone()

    async def assertFailure_gone(self) -> None:
        with self.assertRaises(Gone):
            await self.directory.customer("nobody")
        self.assertNotIsInstance(await self.directory.entry("nobody", "x"), Alias)
