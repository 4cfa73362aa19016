"""Mail that a crash left on its way to a mailbox, against a real directory."""

import os
import time

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from emailgency.codec.address import parse
from emailgency.flows.receiving.relocate import Relocation
from emailgency.model.envelope import Catchall, Deliver, Target, Undelivered
from emailgency.store.directory.directory import Directory, DirectorySettings
from emailgency.store.directory.journal import Journal
from emailgency.store.redis.redis import Redis, locate
from tests.support.customers import AUTHOR, RealCustomers
from tests.support.null_spool import envelope


class RelocateTests(TestCase):
    async def setUp(self) -> None:
        self.real = RealCustomers()
        await self.real.begin()
        self.customer = (await self.real.customer()).id
        self.paul = (await self.real.mailbox("paul@mydomain.zz")).id
        self.relocation = Relocation(self.real.directory)

    async def tearDown(self) -> None:
        await self.real.stop()

    async def place(self, target: Target) -> Target:
        return await self.relocation.relocate(envelope("m", (target,)), target)

    async def test_a_mailbox_that_is_there_gets_its_mail(self) -> None:
        target = Deliver(customer=self.customer, mailbox=self.paul, recipient=0)
        self.assertEqual(await self.place(target), target)

    async def test_mail_of_a_removed_mailbox_goes_to_undelivered(self) -> None:
        await self.real.addresses.remove(AUTHOR, parse("paul@mydomain.zz"))
        target = Deliver(customer=self.customer, mailbox=self.paul, recipient=2)
        self.assertEqual(await self.place(target), Undelivered(customer=self.customer, recipient=2))

    async def test_a_mailbox_of_another_customer_is_none_of_his(self) -> None:
        target = Deliver(customer="other", mailbox=self.paul, recipient=0)
        self.assertEqual(await self.place(target), Undelivered(customer="other", recipient=0))

    async def test_catchall_and_undelivered_stay_where_they_are(self) -> None:
        for target in (
            Catchall(customer=self.customer, address="x@mydomain.zz", recipient=0),
            Undelivered(customer=self.customer, recipient=0),
        ):
            self.assertEqual(await self.place(target), target)

    async def test_nothing_is_decided_before_the_directory_is_awake(self) -> None:
        target = Deliver(customer=self.customer, mailbox=self.paul, recipient=0)
        await self.real.close()
        redis = self.real.connection = Redis(reactor, locate(self.real.redis.url))
        journal = Journal(os.path.join(self.real.folder, "journal"))
        directory = self.real.directory = Directory(reactor, journal, redis, time.time, DirectorySettings())
        placed = Deferred.fromCoroutine(Relocation(directory).relocate(envelope("m", (target,)), target))
        await directory.start()
        self.assertFalse(placed.called)
        redis.start()
        self.assertEqual(await placed, target)
