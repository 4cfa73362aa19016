"""A promotion is undone: no message that was taken is lost, whenever it comes, and none that is another's goes."""

import os
import shutil
import time
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from emailgency.codec.address import parse
from emailgency.flows.addresses.broken_off import BrokenOff
from emailgency.flows.addresses.bulk import Bulk
from emailgency.flows.addresses.candidates import CandidateFlow
from emailgency.flows.addresses.forget_mail import ForgetMail
from emailgency.flows.addresses.mail_back import MailBack
from emailgency.flows.addresses.turning_back import TurningBack
from emailgency.model.bulk import Results
from emailgency.model.errors import Temporary
from emailgency.model.words import Words
from emailgency.store import layout
from emailgency.store.directory.audit import Audit
from emailgency.store.directory.changes import Author
from emailgency.store.experience.bulk_results import BulkResults
from emailgency.store.mailboxes.folder import Folder
from emailgency.store.mailboxes.folders import Folders
from emailgency.store.storing.line import Storer
from tests.support.customers import AUTHOR, RealCustomers

ANNA = parse("anna@mydomain.zz")
PAUL = parse("paul@mydomain.zz")


class CalmDays:
    """No incident, nothing pending."""

    def current(self, customer: str) -> None:
        return None

    def waiting(self, customer: str) -> tuple[str, ...]:
        return ()


class MailComes(Folders):
    """A message comes to a folder that is about to be removed."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.comes: dict[str, int] = {}  # messages still to come, by folder
        self.trouble = 0  # removals that fail

    async def fill(self, path: str, address: str | None = None) -> None:
        folder = await self.create(path, quiet=True, address=address)
        assert isinstance(folder, Folder)
        arrival = self.begin_append(time.time())
        arrival.write(b"Subject: hello\r\n\r\nDear you\r\n")
        assert isinstance(await self.append(folder, arrival, "", time.time()), int)

    async def delete(self, path: str, *arguments: Any, **keywords: Any) -> Any:
        if self.trouble:
            self.trouble -= 1
            raise Temporary("no disk")
        if self.comes.get(path):
            self.comes[path] -= 1
            await self.fill(path)
        return await super().delete(path, *arguments, **keywords)

    async def count(self, path: str) -> int:
        folder = await self.open(path)
        return len(folder) if isinstance(folder, Folder) else 0


class Undone(TestCase):
    async def setUp(self) -> None:
        self.real = RealCustomers()
        await self.real.begin()
        self.customer = (await self.real.customer("mydomain.zz")).id
        self.now = time.time()
        root = os.path.join(self.real.folder, "mail")
        os.mkdir(root)
        self.storer = Storer(reactor, root)
        await self.storer.start()
        self.folders = MailComes(self.storer, root)
        self.catchall = layout.catchall(self.customer, ANNA)
        directory, calm = self.real.directory, CalmDays()
        self.candidates = CandidateFlow(
            reactor,
            lambda: self.now,
            directory,
            self.real.addresses,
            self.folders,
            calm,
            calm,
            lambda: [("Sent",)],
        )
        self.forget = ForgetMail(reactor, self.folders, lambda: [("Sent",)])
        mail = MailBack(directory, self.folders, self.forget)
        turning_back = TurningBack(directory, mail)
        broken_off = BrokenOff(Audit(reactor, os.path.join(self.real.folder, "journal")), turning_back)
        self.bulk = Bulk(reactor, turning_back, broken_off, BulkResults(self.real.connection), time.time)

    async def tearDown(self) -> None:
        await self.storer.stop()
        await self.real.stop()
        shutil.rmtree(self.real.folder, ignore_errors=True)

    async def promoted(self, alias: bool = False) -> str:
        """The id of the results. Anna had one message."""
        await self.folders.fill(self.catchall, str(ANNA))

        async def deed(author: Author, subject: str) -> Any:
            if alias:
                return await self.candidates.to_alias(author, ANNA, PAUL)
            return await self.candidates.to_mailbox(author, ANNA)

        id = await self.bulk.begin(AUTHOR, self.customer, [str(ANNA)], deed, Words("Mailbox"), "/candidates")
        results = await self.bulk.find(self.customer, id)
        assert results is not None
        assert (results.done, results.finished) == (1, True)
        return id

    async def undo(self, id: str) -> Results:
        assert await self.bulk.turn_back(AUTHOR, self.customer, id)
        results = await self.bulk.find(self.customer, id)
        assert results is not None
        return results

    async def inbox(self, local: str) -> str:
        mailbox = await self.real.directory.entry(self.customer, local)
        return layout.mailbox(self.customer, mailbox.id)

    async def test_mail_that_comes_while_its_mailbox_is_removed_comes_back_too(self) -> None:
        id = await self.promoted()
        inbox = await self.inbox("anna")
        self.folders.comes = {inbox: 2, f"{inbox}/.Sent": 1}
        results = await self.undo(id)
        assert results.rows[0].turned_back
        assert await self.folders.count(self.catchall) == 4
        assert not os.path.exists(os.path.join(self.folders.root, inbox))

    async def test_a_mailbox_that_does_not_become_empty_stays_until_it_is_undone_again(self) -> None:
        id = await self.promoted()
        inbox = await self.inbox("anna")
        self.folders.comes = {inbox: 1000}
        assert not (await self.undo(id)).rows[0].turned_back
        came = 1 + 1000 - self.folders.comes.pop(inbox)
        assert await self.folders.count(self.catchall) + await self.folders.count(inbox) == came
        assert (await self.undo(id)).rows[0].turned_back
        assert await self.folders.count(self.catchall) == came
        assert not os.path.exists(os.path.join(self.folders.root, inbox))

    async def test_trouble_once_the_directory_has_followed_leaves_an_undo_that_can_be_done_again(self) -> None:
        id = await self.promoted()
        inbox = await self.inbox("anna")
        self.folders.trouble = 1
        assert not (await self.undo(id)).rows[0].turned_back
        assert await self.real.directory.entry(self.customer, "anna") is None
        assert (await self.undo(id)).rows[0].turned_back
        assert not os.path.exists(os.path.join(self.folders.root, inbox))

    async def test_mail_that_comes_to_a_candidate_while_it_is_promoted_is_not_lost(self) -> None:
        self.folders.comes = {self.catchall: 1}
        await self.promoted()
        assert await self.folders.count(self.catchall) == 1
        await self.candidates.tidy(self.customer)
        assert await self.folders.count(await self.inbox("anna")) == 2

    async def test_mail_that_comes_to_an_old_candidate_while_it_is_dropped_keeps_it(self) -> None:
        await self.folders.fill(self.catchall, str(ANNA))
        self.now += 365 * 86_400
        self.folders.comes = {self.catchall: 1}
        await self.candidates.tidy(self.customer)
        assert await self.folders.count(self.catchall) == 2
        await self.candidates.tidy(self.customer)
        assert await self.folders.count(self.catchall) == 0

    async def test_other_mail_under_the_same_numbers_stays_where_it_is(self) -> None:
        paul = await self.real.mailbox(str(PAUL))
        id = await self.promoted(alias=True)
        inbox = await self.inbox("paul")
        assert await self.folders.count(inbox) == 1
        await self.forget.wipe(paul, lambda what, done, of: None)
        await self.folders.fill(inbox)
        (row,) = (await self.undo(id)).rows
        assert (row.turned_back, str(row.back)) == (
            False,
            "The mailbox was begun anew since: its mail stays where it is.",
        )
        assert (await self.folders.count(inbox), await self.folders.count(self.catchall)) == (1, 0)
        assert await self.real.directory.entry(self.customer, "anna") is not None

    async def test_what_came_along_to_another_mailbox_goes_back_and_nothing_else(self) -> None:
        await self.real.mailbox(str(PAUL))
        inbox = await self.inbox("paul")
        await self.folders.fill(inbox)
        id = await self.promoted(alias=True)
        await self.folders.fill(inbox)
        assert (await self.undo(id)).rows[0].turned_back
        assert (await self.folders.count(inbox), await self.folders.count(self.catchall)) == (2, 1)
