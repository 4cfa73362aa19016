"""Sessions of the console in Redis: what has ended does not come back."""

from twisted.trial.unittest import TestCase

from emailgency.model.address import Address
from emailgency.store.logins.web_sessions import WebSessions, WebSessionSettings
from tests.support.directory import RealDirectory


class WebSessionTests(TestCase):
    async def setUp(self) -> None:
        self.real = RealDirectory()
        await self.real.start()
        self.sessions = WebSessions(self.real.connection, lambda: 1_800_000_000.0, WebSessionSettings())

    async def tearDown(self) -> None:
        await self.real.stop()

    async def begun(self) -> str:
        return await self.sessions.begin(
            customer="c1",
            mailbox="m1",
            address=Address("paul", "mydomain.zz"),
            administrator=False,
            generation=1,
            language="",
        )

    async def test_attack_39_a_request_that_was_under_way_at_the_logout_brings_no_session_back(self) -> None:
        token = await self.begun()
        session = await self.sessions.find(token)
        assert session is not None
        session.told.append(("success", "saved"))
        await self.sessions.keep(token, session)
        self.assertIsNotNone(await self.sessions.find(token))
        self.assertTrue(await self.sessions.end(token))
        await self.sessions.keep(token, session)
        self.assertIsNone(await self.sessions.find(token))
        self.assertEqual(await self.sessions.rename(token, session), "")
        self.assertFalse(await self.sessions.end(token))
