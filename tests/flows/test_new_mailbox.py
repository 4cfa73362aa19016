"""The folders of a mailbox that nobody has opened yet."""

from twisted.trial.unittest import TestCase

from emailgency.flows.addresses.new_mailbox import furnish
from tests.support.imap import Office

NAMES = [("Sent",), ("Archive",)]


class NewMailbox(TestCase):
    async def setUp(self) -> None:
        self.office = await Office().start()

    async def tearDown(self) -> None:
        await self.office.stop()

    async def folders(self) -> set[str]:
        """What there is once the mailbox has been furnished."""
        await furnish(self.office.folders, self.office.path(), NAMES)
        return set((await self.office.folders.listing(self.office.path())).folders)

    async def test_it_gets_all_folders_and_subscriptions(self) -> None:
        assert await self.folders() == {self.office.path(), self.office.path("Sent"), self.office.path("Archive")}
        listing = await self.office.folders.listing(self.office.path())
        assert set(listing.subscriptions) == {"INBOX", "Sent", "Archive"}

    async def test_a_kill_half_way_is_made_good_at_the_next_login(self) -> None:
        await self.office.folders.create(self.office.path(), quiet=True)
        await self.office.folders.create(self.office.path("Sent"), quiet=True)
        assert self.office.path("Archive") in await self.folders()

    async def test_subscriptions_that_a_loss_of_power_left_empty_or_full_of_nothing_are_made_again(self) -> None:
        for left in (b"", b"\0" * 19):
            await self.office.folders.create(self.office.path(), quiet=True)
            with open(f"{self.office.disk()}/subscriptions", "wb") as file:
                file.write(left)
            assert self.office.path("Archive") in await self.folders()
            assert "Archive" in (await self.office.folders.listing(self.office.path())).subscriptions

    async def test_watchers_hear_of_each_folder_once(self) -> None:
        heard: list[str] = []
        self.office.folders.watchers.append(lambda path, event, before: heard.append(f"{event} {path}"))
        await self.folders()
        await self.folders()
        assert heard == [f"MAILBOXNAME {self.office.path(*name)}" for name in ((), *NAMES)]

    async def test_a_mailbox_with_folders_of_its_own_stays_as_it_is(self) -> None:
        await self.office.folders.create(self.office.path(), quiet=True)
        await self.office.folders.create(self.office.path("Projects"), quiet=True)
        assert await self.folders() == {self.office.path(), self.office.path("Projects")}

    async def test_what_its_user_has_removed_stays_away(self) -> None:
        await self.folders()
        await self.office.folders.delete(self.office.path("Archive"))
        assert await self.folders() == {self.office.path(), self.office.path("Sent")}
