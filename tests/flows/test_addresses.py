"""Addresses, customers and imports: what is kept, what is refused, and in which words."""

from twisted.internet.defer import Deferred, DeferredList
from twisted.trial.unittest import TestCase

from emailgency.codec.address import parse
from emailgency.flows.accounts.customer_accounts import CustomerAccounts, OperatorLimits
from emailgency.flows.addresses.addresses import Addresses
from emailgency.flows.addresses.import_addresses import ImportAddresses, Imported
from emailgency.flows.addresses.import_rows import Row, WrongFile
from emailgency.model.address import Address
from emailgency.model.directory import DomainKind, Plan, Role
from emailgency.model.errors import Invalid
from emailgency.store.directory.changes import edit
from tests.support.customers import AUTHOR, PASSWORD, RealCustomers


def silent(what: str, done: int, of: int) -> None:
    """Progress nobody looks at."""


class CustomersCase(TestCase):
    async def setUp(self) -> None:
        self.real = RealCustomers()
        await self.real.begin()
        self.directory = self.real.directory

    async def tearDown(self) -> None:
        await self.real.stop()

    async def refused(self, work: object, words: str) -> None:
        try:
            await work
        except Invalid as error:
            self.assertIn(words, str(error))
        else:
            self.fail("not refused")


class CustomerAccountsTests(CustomersCase):
    async def test_a_customer_comes_with_postmaster_and_three_kinds_of_domain(self) -> None:
        customer = await self.real.customer(domain_aliases=("mydomain.yy",))
        self.assertEqual(customer.alternate_domain, "mydomainzz.emailgency.example")
        postmaster = await self.directory.entry(customer.id, "postmaster")
        self.assertTrue(postmaster.administrator)
        kinds = [
            (await self.directory.domain(name)).kind
            for name in ("mydomain.zz", "mydomain.yy", "mydomainzz.emailgency.example")
        ]
        self.assertEqual(kinds, [DomainKind.MAIN, DomainKind.ALIAS, DomainKind.ALTERNATE])

    async def test_alternate_labels_that_collide_get_a_suffix(self) -> None:
        labels = [(await self.real.customer(name)).alternate_domain.split(".")[0] for name in ("a.bc", "ab.c", "a.b.c")]
        self.assertEqual(labels, ["abc", "abc-2", "abc-3"])

    async def test_a_domain_belongs_to_one_customer(self) -> None:
        await self.real.customer("a.zz", domain_aliases=("b.zz",))
        for name in ("a.zz", "B.ZZ", "azz.emailgency.example", "emailgency.example"):
            await self.refused(self.real.customer(name), "")
        await self.refused(self.real.customer("c.zz", domain_aliases=("a.zz",)), "here already")

    async def test_of_two_customers_racing_for_a_domain_one_comes_in(self) -> None:
        work = [Deferred.fromCoroutine(self.real.customer("a.zz")) for _ in range(3)]
        came = [success for success, _ in await DeferredList(work, consumeErrors=True)]
        self.assertEqual(came.count(True), 1)
        self.assertEqual(len(await self.directory.customers()), 1)

    async def test_primary_needs_a_plan_that_allows_it(self) -> None:
        await self.refused(self.real.customer(role=Role.PRIMARY), "primary")
        customer = await self.real.customer(role=Role.PRIMARY, plan="premium")
        await self.refused(self.real.accounts.set(AUTHOR, customer.id, plan="standard"), "primary")

    async def test_setting_aliases_moves_the_domains(self) -> None:
        customer = await self.real.customer(domain_aliases=("b.zz", "c.zz"))
        after = await self.real.accounts.set(AUTHOR, customer.id, domain_aliases=("c.zz", "d.zz"), stealth=True)
        self.assertTrue(after.stealth)
        self.assertIsNone(await self.directory.domain("b.zz"))
        self.assertEqual((await self.directory.domain("d.zz")).customer, customer.id)

    async def test_a_removed_customer_leaves_nothing(self) -> None:
        customer = await self.real.customer()
        mailbox = await self.real.mailbox("paul@mydomain.zz")
        await self.real.accounts.remove(AUTHOR, customer.id)
        self.assertIsNone(await self.directory.domain("mydomain.zz"))
        self.assertIsNone(await self.directory.mailbox(mailbox.id))
        self.assertEqual(await self.directory.customers(), [])
        self.assertEqual(await self.directory.entries(customer.id), [])

    async def test_a_customer_is_found_by_any_of_his_domains_and_by_his_id(self) -> None:
        customer = await self.real.customer(domain_aliases=("mydomain.yy",))
        for name in ("MyDomain.zz", "mydomain.yy", "mydomainzz.emailgency.example", customer.id):
            self.assertEqual(await self.real.accounts.find(name), customer)
        for name in ("other.zz", "", "../x", "x" * 300):
            await self.refused(self.real.accounts.find(name), "no customer")

    async def test_the_operator_bounds_customers_and_their_domains(self) -> None:
        limits = OperatorLimits(customers=1, domain_aliases=1)
        accounts = CustomerAccounts(self.directory, "emailgency.example", limits)
        await self.refused(accounts.add(AUTHOR, "a.zz", domain_aliases=("b.zz", "c.zz")), "at most 1 domain aliases")
        await self.refused(accounts.add(AUTHOR, "a.zz", domain_aliases=("a.zz",)), "alias of itself")
        await accounts.add(AUTHOR, "a.zz")
        await self.refused(accounts.add(AUTHOR, "b.zz"), "room for 1 customers")

    async def test_bad_values_are_refused_in_words(self) -> None:
        await self.refused(self.real.customer("localhost"), "full domain name")
        await self.refused(self.real.customer(plan="gold"), "premium, standard")
        await self.refused(self.real.customer(smtp_transport="mail"), "")
        await self.refused(self.real.customer(pending_lifetime=0), "days")
        customer = await self.real.customer()
        await self.refused(self.real.accounts.set(AUTHOR, customer.id, domain="x.zz"), "cannot be changed")


class AddressesTests(CustomersCase):
    async def setUp(self) -> None:
        await super().setUp()
        self.customer = await self.real.customer(domain_aliases=("mydomain.yy",))
        self.paul = await self.real.mailbox("paul@mydomain.zz")
        self.anna = await self.real.mailbox("anna@mydomain.yy")
        self.addresses = self.real.addresses

    async def test_an_address_is_one_in_all_domains(self) -> None:
        self.assertEqual(self.anna.address, Address("anna", "mydomain.zz"))
        for name in ("Paul@mydomain.zz", "paul@mydomain.yy", "PAUL@mydomainzz.emailgency.example"):
            await self.refused(self.real.mailbox(name), "already")
        await self.refused(self.real.mailbox("paul@elsewhere.zz"), "no domain of a customer")

    async def test_postmaster_stays(self) -> None:
        postmaster = parse("Postmaster@mydomain.yy")
        await self.refused(self.addresses.banish(AUTHOR, postmaster), "cannot be banished")
        await self.refused(self.addresses.remove(AUTHOR, postmaster), "cannot be removed")
        await self.refused(self.addresses.set_mailbox(AUTHOR, postmaster, administrator=False), "keeps")

    async def test_aliases_and_members_are_mailboxes_of_the_same_customer(self) -> None:
        await self.real.customer("other.zz")
        foreign = (await self.real.mailbox("eve@other.zz")).address
        await self.addresses.add_list(AUTHOR, parse("all@mydomain.zz"), [self.paul.address, self.anna.address])
        for target in (foreign, parse("all@mydomain.zz"), parse("nobody@mydomain.zz")):
            await self.refused(self.addresses.add_alias(AUTHOR, parse("x@mydomain.zz"), target), "")
            await self.refused(self.addresses.add_list(AUTHOR, parse("y@mydomain.zz"), [target]), "")

    async def test_attack_14_a_member_named_twice_is_one(self) -> None:
        members = [self.paul.address, parse("paul@mydomain.yy"), self.anna.address, self.paul.address]
        found = await self.addresses.add_list(AUTHOR, parse("all@mydomain.zz"), members)
        self.assertEqual(found.members, (self.paul.id, self.anna.id))

    async def test_with_a_mailbox_go_its_aliases_and_memberships(self) -> None:
        await self.addresses.add_alias(AUTHOR, parse("boss@mydomain.zz"), self.paul.address)
        await self.addresses.add_list(AUTHOR, parse("all@mydomain.zz"), [self.paul.address, self.anna.address])
        await self.addresses.remove(AUTHOR, self.paul.address)
        self.assertIsNone(await self.directory.mailbox(self.paul.id))
        self.assertIsNone(await self.directory.entry(self.customer.id, "boss"))
        self.assertEqual((await self.directory.entry(self.customer.id, "all")).members, (self.anna.id,))

    async def test_an_alias_turns_to_another_mailbox_in_one_change_or_stays_as_it_was(self) -> None:
        boss = parse("boss@mydomain.zz")
        few = Addresses(self.directory, OperatorLimits(aliases=1))
        before = await few.add_alias(AUTHOR, boss, self.paul.address)
        await few.add_alias(AUTHOR, parse("a@mydomain.zz"), self.anna.address)
        await self.refused(few.set_alias(AUTHOR, boss, self.anna.address), "at most 1 aliases")
        await self.refused(few.set_alias(AUTHOR, boss, parse("nobody@mydomain.zz")), "no address")
        await self.refused(few.set_alias(AUTHOR, self.paul.address, self.anna.address), "a mailbox")
        self.assertEqual(await few.set_alias(AUTHOR, boss, self.paul.address), before)
        self.assertEqual(await self.directory.entry(self.customer.id, "boss"), before)
        after = await self.addresses.set_alias(AUTHOR, boss, self.anna.address)
        self.assertEqual(after.mailbox, self.anna.id)
        self.assertEqual(await self.directory.entry(self.customer.id, "boss"), after)

    async def test_the_members_of_a_list_can_be_changed(self) -> None:
        everybody = parse("all@mydomain.zz")
        await self.addresses.add_list(AUTHOR, everybody, [self.paul.address])
        after = await self.addresses.set_list(AUTHOR, everybody, [self.anna.address])
        self.assertEqual(after.members, (self.anna.id,))
        await self.refused(self.addresses.set_list(AUTHOR, everybody, []), "from 1 to")
        await self.refused(self.addresses.set_list(AUTHOR, self.paul.address, [self.anna.address]), "a mailbox")

    async def test_the_operator_bounds_aliases_members_and_forwards(self) -> None:
        few = Addresses(self.directory, OperatorLimits(aliases=1, list_members=1, forwards=1))
        await few.add_alias(AUTHOR, parse("a1@mydomain.zz"), self.paul.address)
        await self.refused(few.add_alias(AUTHOR, parse("a2@mydomain.zz"), self.paul.address), "at most 1 aliases")
        both = [self.paul.address, self.anna.address]
        await self.refused(few.add_list(AUTHOR, parse("l@mydomain.zz"), both), "from 1 to 1")
        await self.refused(few.set_mailbox(AUTHOR, self.paul.address, forwards=("a@b.zz", "c@d.zz")), "at most 1")

    async def test_banished_takes_the_place_of_an_alias_and_goes_again(self) -> None:
        await self.addresses.add_alias(AUTHOR, parse("boss@mydomain.zz"), self.paul.address)
        await self.addresses.banish(AUTHOR, parse("boss@mydomain.zz"))
        await self.refused(self.addresses.banish(AUTHOR, self.paul.address), "is a mailbox")
        await self.addresses.remove(AUTHOR, parse("boss@mydomain.zz"))
        self.assertIsNone(await self.directory.entry(self.customer.id, "boss"))

    async def test_forwards_are_addresses_and_never_the_mailbox_itself(self) -> None:
        change = self.addresses.set_mailbox
        after = await change(AUTHOR, self.paul.address, forwards=("P@elsewhere.zz", "p@ELSEWHERE.zz"), keep_copy=False)
        self.assertEqual(after.forwards, ("P@elsewhere.zz",))
        await self.refused(change(AUTHOR, self.paul.address, forwards=("Paul@mydomain.yy",)), "itself")
        await self.refused(change(AUTHOR, self.paul.address, forwards=("x\r\nRCPT TO:<y>@z.zz",)), "control")

    async def test_only_rights_and_passwords_move_the_generation(self) -> None:
        change = self.addresses.set_mailbox
        self.assertEqual((await change(AUTHOR, self.paul.address, smtp_denied=True)).generation, 0)
        self.assertEqual((await change(AUTHOR, self.paul.address, administrator=True)).generation, 1)
        self.assertEqual((await self.real.passwords.set(AUTHOR, self.paul.address, PASSWORD)).generation, 2)
        await self.refused(self.real.passwords.set(AUTHOR, self.paul.address, "short"), "8 characters")

    async def test_the_plan_bounds_mailboxes_even_when_they_race(self) -> None:
        small = Plan(name="small", mailboxes=4, vip_mailboxes=0, distribution_lists=0)
        await self.directory.change(AUTHOR, "plan", [edit("plan", "small", None, small)])
        await self.real.accounts.set(AUTHOR, self.customer.id, plan="small")
        work = [Deferred.fromCoroutine(self.real.mailbox(f"user{n}@mydomain.zz")) for n in range(4)]
        made = [success for success, _ in await DeferredList(work, consumeErrors=True)]
        self.assertEqual(made.count(True), 1)
        await self.refused(self.addresses.set_mailbox(AUTHOR, self.paul.address, vip=True), "VIP")
        await self.refused(self.addresses.add_list(AUTHOR, parse("l@mydomain.zz"), [self.paul.address]), "lists")

    async def test_a_plan_too_small_for_what_is_there_is_refused(self) -> None:
        tiny = Plan(name="tiny", mailboxes=1)
        await self.directory.change(AUTHOR, "plan", [edit("plan", "tiny", None, tiny)])
        await self.refused(self.real.accounts.set(AUTHOR, self.customer.id, plan="tiny"), "room for 1 mailboxes")


class ImportTests(CustomersCase):
    async def setUp(self) -> None:
        await super().setUp()
        self.customer = await self.real.customer(domain_aliases=("mydomain.yy",))
        self.importing = ImportAddresses(self.directory, self.real.addresses, self.real.passwords, OperatorLimits())

    async def test_a_file_becomes_one_change(self) -> None:
        changes = []
        self.directory.listeners.append(changes.append)
        rows = [
            Row(line=1, type="list", address=parse("all@mydomain.zz"), target=(parse("u1@mydomain.yy"),)),
            Row(line=2, type="alias", address=parse("one@mydomain.zz"), target=(parse("u1@mydomain.zz"),)),
            *(
                Row(line=n, type="mailbox", address=parse(f"u{n - 2}@mydomain.zz"), password=PASSWORD)
                for n in range(3, 53)
            ),
            Row(line=53, type="banished", address=parse("spam@mydomain.zz")),
        ]
        self.assertEqual(await self.importing.run(AUTHOR, rows, silent), Imported(50, 1, 1, 1))
        self.assertEqual(len(changes), 1)
        self.assertEqual(len(await self.directory.entries(self.customer.id)), 54)

    async def test_one_mistake_and_nothing_is_imported(self) -> None:
        rows = [
            Row(line=2, type="mailbox", address=parse("paul@mydomain.zz")),
            Row(line=3, type="mailbox", address=parse("paul@mydomain.yy")),
            Row(line=4, type="alias", address=parse("x@mydomain.zz"), target=(parse("nobody@mydomain.zz"),)),
            Row(line=5, type="mailbox", address=parse("eve@elsewhere.zz")),
        ]
        try:
            await self.importing.run(AUTHOR, rows, silent)
        except WrongFile as wrong:
            self.assertEqual([line.split(":")[0] for line in wrong.lines], ["line 3", "line 4", "line 5"])
        else:
            self.fail("imported")
        self.assertEqual(len(await self.directory.entries(self.customer.id)), 1)
