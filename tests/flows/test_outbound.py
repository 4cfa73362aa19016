"""Mail to the rest of the world: over a real spool and storer."""

from emailgency.flows.pending.pending_view import PendingView
from emailgency.model.envelope import Client, Recipient
from emailgency.model.errors import Temporary
from emailgency.store import layout
from tests.support.asynchronous import run, until
from tests.support.dns_server import servfail
from tests.support.outbound_case import HOUR, MESSAGE, SRS, OutboundCase, fields, to


class Outgoing(OutboundCase):
    @run
    async def test_submitted_mail_goes_to_the_mx_of_its_recipient(self):
        self.start()
        await self.accept(to("anna@far.zz"), to("bert@far.zz", 1))
        await until(lambda: not self.spool.live)
        ((sender, recipients, body),) = self.server.messages
        assert (len(recipients), body) == (2, MESSAGE)
        assert b"<paul@mydomain.zz>" in sender
        assert not self.stored(layout.mailbox("acme", "m1"))

    @run
    async def test_a_forward_leaves_under_an_address_whose_spf_record_is_ours(self):
        self.start()
        await self.accept(
            to("anna@far.zz", origin="forward"), sender="bert@origin.example", client=Client(ip="192.0.2.9")
        )
        await until(lambda: not self.spool.live)
        ((sender, _, body),) = self.server.messages
        reverse_path = sender[sender.index(b"<") + 1 : sender.index(b">")].decode()
        assert reverse_path.endswith("@mydomainzz.test")
        assert SRS.original(reverse_path, self.clock()) == "bert@origin.example"
        assert body == MESSAGE

    @run
    async def test_what_users_and_we_write_is_signed_and_a_forward_of_others_is_not(self):
        self.signing.signature = b"DKIM-Signature: v=1\r\n"
        self.start()
        await self.accept(to("anna@far.zz"), to("anna@far.zz", 1, "forward"), sender="bert@origin.example")
        await until(lambda: not self.spool.live)
        assert sorted(body for _, _, body in self.server.messages) == [self.signing.signature + MESSAGE, MESSAGE]

    @run
    async def test_a_forward_of_the_customers_own_mail_and_of_notifications_keeps_its_sender(self):
        self.start()
        for sender in ("paul@mydomain.zz", ""):
            await self.accept(to("anna@far.zz", origin="forward"), sender=sender)
        await until(lambda: not self.spool.live)
        kept = sorted(sender[sender.index(b"<") : sender.index(b">") + 1] for sender, _, _ in self.server.messages)
        assert kept == [b"<>", b"<paul@mydomain.zz>"]

    @run
    async def test_mail_found_in_the_spool_at_the_start_goes_too(self):
        await self.accept(to("anna@far.zz"))
        self.start()
        await until(lambda: not self.spool.live)

    @run
    async def test_a_refusal_is_final_and_told_to_the_user(self):
        self.server.behaviour["RCPT"] = b"550 5.1.1 nobody\r\n"
        self.start()
        await self.accept(to("anna@far.zz"))
        (message,) = await self.told()
        (about,) = fields(message)
        assert about["Final-Recipient"] == "rfc822; anna@far.zz"
        assert (about["Action"], about["Status"], about["Remote-MTA"]) == ("failed", "5.1.1", "dns; mx.far.zz")
        assert b"secret body" not in bytes(message)
        assert message["Return-Path"] == "<>"
        await until(lambda: not self.spool.live)

    @run
    async def test_a_domain_without_mail_or_existence_is_final_at_once(self):
        self.dns.zone[("null.zz", "MX")] = ["0 ."]
        self.dns.zone[("empty.zz", "TXT")] = ['"x"']
        self.dns.zone[("loop.zz", "MX")] = ["0 mx.emailgency.test."]
        self.start()
        await self.accept(*(to(f"a@{name}.zz", i) for i, name in enumerate(("null", "none", "empty", "loop"))))
        found = [about for message in await self.told(4) for about in fields(message)]
        assert {about["Status"] for about in found} == {"5.1.10", "5.1.2", "5.4.6"}
        await until(lambda: not self.spool.live)
        assert self.server.opened == 0

    @run
    async def test_failures_that_cannot_be_told_while_the_disk_is_full_are_told_later(self):
        self.dns.zone[("null.zz", "MX")] = ["0 ."]
        commit, full = self.spool.commit, [True]

        async def refusing(arrival, envelope):
            if envelope.sender == "" and full:
                raise Temporary("no space left")
            await commit(arrival, envelope)

        self.spool.commit = refusing
        outbound = self.start()
        for _ in range(5):
            await self.accept(to("a@null.zz"))
        await until(lambda: any(lane.health.failures for lane in outbound.lanes()))
        full.clear()
        await self.told(5)
        await until(lambda: not self.spool.live)

    @run
    async def test_a_resolver_in_trouble_is_not_final(self):
        outbound = self.start()
        for count, silent in enumerate(("MX", "A"), 1):
            self.dns.vice = lambda query, honest, _, kind=silent: (
                servfail(query, honest) if query.question[0].rdtype.name == kind else [honest.to_wire()]
            )
            await self.accept(to("anna@far.zz"))
            await until(lambda: any(lane.health.failures for lane in outbound.lanes()))
            self.dns.vice = None
            await until(lambda: not self.spool.live and not list(outbound.lanes()))
            assert len(self.server.messages) == count

    @run
    async def test_a_delay_is_told_once_after_hours_and_the_failure_after_days(self):
        await self.server.down()
        self.start()
        await self.accept(to("anna@far.zz"))
        self.ahead = 4.1 * HOUR
        (message,) = await self.told()
        assert fields(message)[0]["Action"] == "delayed"
        self.ahead = 6 * HOUR
        for _ in range(3):
            await self.outbound._look_after()
        assert len(await self.told()) == 1
        self.ahead = 121 * HOUR
        messages = await self.told(2)
        assert [fields(message)[0]["Action"] for message in messages] == ["delayed", "failed"]
        assert fields(messages[1])[0]["Status"] == "4.4.7"
        await until(lambda: not self.spool.live)

    @run
    async def test_a_delay_told_before_a_restart_is_not_told_again(self):
        await self.server.down()
        first = self.start()
        await self.accept(to("anna@far.zz"))
        self.ahead = 4.1 * HOUR
        await self.told()
        for flow in self.flows:
            flow.cut()
            await flow.stop()
        self.spool.listeners.clear()
        self.start()
        await until(lambda: any(lane.health.failures for lane in self.outbound.lanes()))
        assert first is not self.outbound
        assert len(await self.told()) == 1

    @run
    async def test_a_forward_to_an_address_of_ours_stays_here(self):
        self.start()
        await self.accept(to("paul@mydomain.zz", origin="forward"), client=Client(ip="192.0.2.66"))
        (message,) = await self.told()
        assert message["Delivered-To"] == "paul@mydomain.zz"
        assert message["Received"].endswith("+0000")
        assert "secret body" in message.get_content()
        await until(lambda: not self.spool.live)
        assert not list(self.outbound.lanes())

    @run
    async def test_stealth_hides_nobody_from_forwards_and_notifications(self):
        self.directory.stealth = True
        self.dns.zone[("null.zz", "MX")] = ["0 ."]
        self.start()
        await self.accept(to("paul@mydomain.zz", origin="forward"))
        await self.accept(to("a@null.zz"))
        assert len(await self.told(2)) == 2
        await until(lambda: not self.spool.live)

    @run
    async def test_outbound_mail_waits_while_the_directory_is_away(self):
        self.directory.away = True
        self.start()
        await self.accept(to("paul@mydomain.zz"))
        await until(lambda: self.outbound._placeless)
        self.directory.away = False
        await self.told()
        await until(lambda: not self.spool.live)

    @run
    async def test_attack_13_a_ring_of_forwards_ends_and_nobody_gets_it_twice_from_one_side(self):
        ring = ["a@mydomain.zz", "b@mydomain.zz", "c@mydomain.zz"]
        self.directory.forwards = {here: [there for there in ring if there != here] for here in ring}
        self.start()
        await self.accept(*(to(there, i, "forward") for i, there in enumerate(ring[1:])), client=Client(ip="192.0.2.6"))
        await until(lambda: not self.spool.live)
        copies = self.stored(layout.mailbox("acme", "m1"))
        assert 2 <= len(copies) <= 10
        for copy in copies:
            visited = [line for line in copy.split(b"\r\n") if line.startswith(b"Delivered-To")]
            assert len(visited) == len(set(visited))

    @run
    async def test_attack_13_two_who_forward_to_each_other_get_one_copy_each(self):
        self.directory.forwards = {"a@mydomain.zz": ["b@mydomain.zz"], "b@mydomain.zz": ["a@mydomain.zz"]}
        self.start()
        await self.accept(
            to("b@mydomain.zz", origin="forward"),
            recipients=(Recipient(as_given="a@mydomain.zz"),),
            client=Client(ip="192.0.2.6"),
        )
        await until(lambda: not self.spool.live)
        assert len(self.stored(layout.mailbox("acme", "m1"))) == 1  # his; the forwarder has had hers

    @run
    async def test_attack_13_too_many_received_fields_end_a_message(self):
        self.start()
        self.means.hops = 30  # as the settings are read again
        content = b"Received: from a by b; now\r\n" * 30 + MESSAGE
        await self.accept(to("paul@mydomain.zz", origin="forward"), content=content, client=Client(ip="192.0.2.6"))
        (kept,) = await self.undelivered()
        assert b"5.4.6" in kept
        await until(lambda: not self.spool.live)

    @run
    async def test_what_is_pending_can_be_seen(self):
        await self.server.down()
        outbound = self.start()
        id = await self.accept(to("anna@far.zz"))
        await until(lambda: next(outbound.lanes()).health.failures)
        view = PendingView(self.relay, outbound)
        (line,) = view.hops()
        assert (line.customer, line.domain, line.pending) == ("", "far.zz", 1)
        assert "refused" in line.reason
        assert view.messages()[0].recipients == ("anna@far.zz",)
        assert [line.id for line in view.show(id)] == [id]
        assert view.hops("acme") == []
