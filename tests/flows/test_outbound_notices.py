"""What senders of mail to the rest of the world are told, and who is told nothing."""

from emailgency.flows.relaying.bounce import BounceSettings
from emailgency.model.envelope import Client, Recipient, Relay
from emailgency.model.errors import Temporary
from emailgency.store import layout
from tests.support.asynchronous import run, until
from tests.support.outbound_case import OutboundCase, but_for_good, fields, to


class Telling(OutboundCase):
    """RFC 3461, and rule C6: who hears of a failure."""

    @run
    async def test_notify_never_is_honoured(self):
        self.server.behaviour["RCPT"] = b"550 5.1.1 nobody\r\n"
        self.start()
        await self.accept(to("anna@far.zz"), recipients=(Recipient(as_given="anna@far.zz", notify=("NEVER",)),))
        await until(lambda: not self.spool.live)
        assert not self.stored(layout.mailbox("acme", "m1"))
        assert not self.stored(layout.undelivered("acme"))

    @run
    async def test_ret_full_returns_the_whole_message(self):
        self.server.behaviour["end"] = b"554 5.7.1 no\r\n"
        self.start()
        await self.accept(to("anna@far.zz"), ret="FULL", envid="QQ314")
        (message,) = await self.told()
        assert b"secret body" in bytes(message)
        assert b"Original-Envelope-Id: QQ314" in bytes(message)

    @run
    async def test_success_is_told_where_the_next_hop_does_not_tell_it(self):
        self.server.capabilities = ("PIPELINING",)
        self.start()
        await self.accept(to("anna@far.zz"), recipients=(Recipient(as_given="anna@far.zz", notify=("SUCCESS",)),))
        (message,) = await self.told()
        assert fields(message)[0]["Action"] == "relayed"
        self.server.capabilities = ("DSN",)
        await until(lambda: not self.spool.live and not self.server.connections)
        await self.accept(to("anna@far.zz"), recipients=(Recipient(as_given="anna@far.zz", notify=("SUCCESS",)),))
        await until(lambda: not self.spool.live)
        assert len(await self.told()) == 1
        assert any(b"NOTIFY=SUCCESS" in command for command in self.server.commands)

    @run
    async def test_a_message_is_not_sent_twice_because_its_success_cannot_be_told(self):
        async def failing(live, targets, outcome):
            raise Temporary("no space left")

        self.bounces.relayed = failing
        self.server.capabilities = ("PIPELINING",)
        self.start()
        await self.accept(to("anna@far.zz"), recipients=(Recipient(as_given="anna@far.zz", notify=("SUCCESS",)),))
        await until(lambda: not self.spool.live)
        assert len(self.server.messages) == 1
        assert len(self.flushLoggedErrors(Temporary)) == 1

    @run
    async def test_a_sender_whom_spf_or_a_signature_vouches_for_hears_of_it(self):
        self.server.behaviour["RCPT"] = lambda _, line: b"550 5.1.1 nobody\r\n" if b"<u@" in line else NotImplemented
        self.start()
        stranger = {"sender": "bob@far.zz", "client": Client(ip="192.0.2.9", helo="mx.far.zz")}
        await self.accept(to("u@far.zz", origin="forward"), genuine=True, **stranger)
        await until(lambda: self.server.messages)
        [(sender, recipients, _)] = self.server.messages
        assert sender.startswith(b"MAIL FROM:<>")
        assert recipients[0].startswith(b"RCPT TO:<bob@far.zz>")
        assert not self.stored(layout.undelivered("acme"))
        await self.accept(to("u@far.zz", origin="forward"), **stranger)
        await self.undelivered()
        assert len(self.server.messages) == 1

    @run
    async def test_attack_12_a_forged_sender_hears_nothing_and_the_mail_is_kept_with_the_reason(self):
        self.server.behaviour["RCPT"] = but_for_good(b"550 5.1.1 no\x1b[31m such\r\n")
        self.start()
        outside = {"client": Client(ip="192.0.2.66"), "sender": "victim@far.zz"}
        relayed = Relay(customer="acme", address="x@mydomain.zz", recipient=0)
        await self.accept(relayed, to("forward@far.zz", 1, "forward"), **outside)
        await self.takes_others()
        kept = await self.undelivered(2)
        assert all(b"secret body" in message and b"X-Undelivered-Reason: <" in message for message in kept)
        assert all(b"550 5.1.1 no?[31m such" in message for message in kept)
        await until(lambda: not self.spool.live)
        assert not any(b"RCPT TO:<victim" in command for command in self.server.commands)
        assert not self.stored(layout.mailbox("acme", "m1"))

    @run
    async def test_attack_12_a_bounce_is_never_answered(self):
        self.server.behaviour["RCPT"] = but_for_good(b"550 5.1.1 nobody\r\n")
        self.start()
        await self.accept(to("anna@far.zz", origin="bounce"), sender="", client=Client(ip="127.0.0.1"))
        await self.accept(
            Relay(customer="acme", address="x@mydomain.zz", recipient=0), sender="", client=Client(ip="192.0.2.66")
        )
        await self.takes_others()
        await self.undelivered()
        await until(lambda: not self.spool.live)
        senders = [command for command in self.server.commands if command[:4] == b"MAIL"]
        assert sum(b"MAIL FROM:<>" not in sender for sender in senders) == 1, "the one that was taken"

    @run
    async def test_attack_12_a_sender_of_endless_failures_is_told_so_many_an_hour(self):
        self.server.behaviour["RCPT"] = b"550 5.1.1 nobody\r\n"
        self.bounces.settings = BounceSettings(per_hour=3)
        self.start()
        for number in range(5):
            await self.accept(to(f"a{number}@far.zz"))
        await self.undelivered(2)
        await until(lambda: not self.spool.live)
        assert len(self.stored(layout.mailbox("acme", "m1"))) == 3
