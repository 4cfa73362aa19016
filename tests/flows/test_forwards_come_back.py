"""What comes back to a forward goes on to the sender of what was forwarded, and nothing else goes that way."""

from twisted.trial.unittest import TestCase

from emailgency.codec.smtp.command import Mail, Rcpt
from emailgency.codec.srs import DAY, LIFETIME, Srs
from emailgency.flows.receiving.receive import Reception, ReceptionLimits
from emailgency.flows.receiving.resolve import Route
from emailgency.flows.relaying.reverse_path import ReversePaths
from emailgency.model.envelope import Client, Envelope, Outbound, Recipient
from emailgency.store.keys.secret import Secret
from tests.support.customers import RealCustomers
from tests.support.smtp import MemorySpool

CLIENT = Client(ip="192.0.2.9")


class ForwardsComeBack(TestCase):
    async def setUp(self) -> None:
        self.real = RealCustomers()
        await self.real.begin()
        self.customer = await self.real.customer()
        self.srs = Srs(b"tests")  # as the resolver's

    async def tearDown(self) -> None:
        await self.real.stop()

    async def reverse_path(self, sender: str) -> str:
        forward = Outbound(customer=self.customer.id, address="anna@home.zz", recipient=0, origin="forward")
        envelope = Envelope(
            id="m",
            customer=self.customer.id,
            sender=sender,
            received_at=self.real.now,
            size=1,
            return_path=0,
            recipients=(Recipient(as_given="anna@mydomain.zz"),),
            plan=(forward,),
            client=CLIENT,
        )
        return await ReversePaths(self.real.directory, self.srs).of(envelope, forward)

    async def back(self, address: str, sender: str = "") -> tuple[int, tuple[object, ...]]:
        """The answer to RCPT, and where the message goes."""
        spool = MemorySpool()
        limits = ReceptionLimits()
        reception = Reception(self.real.resolver, spool, lambda: self.real.now, "mx.test", limits)
        transaction = await reception.begin(CLIENT, Mail(sender=sender), "ESMTP", None)
        verdict = await transaction.recipient(Rcpt(address=address))
        if verdict.code == 250:
            await transaction.finish(b"Subject: not delivered\r\n\r\n")
        return verdict.code, spool.messages[0][0].plan if spool.messages else ()

    async def test_a_notification_reaches_the_sender_of_what_was_forwarded(self) -> None:
        code, plan = await self.back(await self.reverse_path("bert@origin.example"))
        back = Outbound(customer=self.customer.id, address="bert@origin.example", recipient=0, origin="return")
        assert (code, plan) == (250, (back,))

    async def test_attack_43_letters_do_not_go_that_way(self) -> None:
        address = await self.reverse_path("bert@origin.example")
        assert (await self.back(address, "spammer@x.example"))[0] == 550

    async def test_attack_43_an_address_that_is_not_of_our_writing_is_refused(self) -> None:
        alternate = self.customer.alternate_domain
        assert (await self.back(f"SRS0=aaaaaaaa=aa=victim.example=bert@{alternate}"))[0] == 550
        moved = (await self.reverse_path("bert@origin.example")).rpartition("@")[0]
        assert (await self.back(f"{moved}@mydomain.zz"))[0] == 550  # ours are in the alternate domain only
        assert (await self.back(f"{moved}@elsewhere.example"))[0] == 550
        assert (await self.back(f"{moved}@{'x' * 300}"))[0] == 553

    async def test_after_its_time_nothing_comes_back(self) -> None:
        address = await self.reverse_path("bert@origin.example")
        self.real.now += (LIFETIME + 1) * DAY
        assert (await self.back(address))[0] == 550

    async def test_a_long_sender_comes_back_too(self) -> None:
        address = await self.reverse_path(f"{'b' * 64}@origin.example")
        assert len(address.rpartition("@")[0]) > 64
        assert (await self.back(address))[0] == 250

    async def test_what_comes_back_is_no_mail_of_the_customer(self) -> None:
        route = await self.real.resolver.resolve(Recipient(as_given=await self.reverse_path("b@origin.example")), 3)
        assert isinstance(route, Route)
        assert [type(target) for target in route.targets] == [Outbound]
        assert route.targets[0].recipient == 3


def test_a_secret_stays_the_same_over_restarts_and_differs_by_purpose(tmp_path) -> None:
    first, second = Secret(str(tmp_path)), Secret(str(tmp_path))
    assert first.key("srs") == second.key("srs") != first.key("tokens")
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_a_damaged_secret_keeps_no_server_from_starting(tmp_path) -> None:
    (tmp_path / "secret").write_bytes(b"")
    made = Secret(str(tmp_path))
    assert made.key("srs") == Secret(str(tmp_path)).key("srs")
    assert (tmp_path / "secret.broken").exists()
