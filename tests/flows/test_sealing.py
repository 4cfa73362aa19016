"""What goes on is sealed as it travels, so that another program finds it good; and is never kept back for it."""

import dkim as dkimpy
from cryptography.hazmat.primitives.asymmetric import rsa
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from emailgency.codec.dkim import record
from emailgency.flows.trust.sealing import Sealing
from emailgency.flows.trust.signing import Signing, SigningSettings
from emailgency.model.directory import Customer
from emailgency.model.envelope import Client
from emailgency.model.errors import Temporary
from emailgency.store.keys.signing_keys import SigningKey
from tests.support.asynchronous import until
from tests.support.outbound_case import OutboundCase, to
from tests.support.relay_case import RelayCase

KEY = rsa.generate_private_key(65537, 2048)
RESULTS = b"Authentication-Results: mx.emailgency.test;\r\n\tspf=pass smtp.mailfrom=a@far.zz;\r\n\tarc=none  \r\n"
BODY = (
    b"Received: from x by mx.emailgency.test; now\r\nFrom: a@far.zz\r\nSubject: hello\r\n\r\n"
    b".dot\r\n..two\r\n\r\n \r\nend\r\n"
)


class OneKey(Signing):
    """The key of these domains, whatever the DNS says."""

    def __init__(self, *domains):
        super().__init__(reactor, lambda: 1_700_000_000.0, None, None, None, "mx.emailgency.test", SigningSettings())
        self.domains = domains
        self.trouble = None

    async def key_for(self, domain):
        if self.trouble:
            raise self.trouble
        return SigningKey("acme", "eg1", KEY) if domain in self.domains else None

    async def in_thread(self, work, *arguments):
        return await deferToThread(work, *arguments)


def look_up(name, timeout=5):
    return record(KEY).encode()


class SealingTests(RelayCase):
    def go(self, server, body=RESULTS + BODY, domains=("mydomain.zz",), authentication=True, **more):
        self.write(body)
        customer = Customer(
            id="acme",
            domain="mydomain.zz",
            alternate_domain="mydomainzz.test",
            smtp_transport=f"127.0.0.1:{server.port}",
            authentication=authentication,
        )
        flow = self.start(server, customer=customer, **more)
        self.signing = OneKey(*domains)
        flow.sealing = Sealing(self.signing)
        return flow

    async def given(self, server, count=1):
        await until(lambda: len(server.messages) >= count)
        return [octets for _, _, octets in server.messages]

    def good(self, message):
        verdict, _, reason = dkimpy.arc_verify(message, dnsfunc=look_up)
        return verdict == b"pass", reason

    async def test_what_is_relayed_is_sealed_as_it_travels(self):
        server = self.server()
        self.go(server)
        self.accept()
        [message] = await self.given(server)
        assert self.good(message) == (True, "success")
        assert message.endswith(RESULTS + BODY)
        assert b"ARC-Authentication-Results: i=1; mx.emailgency.test;\r\n\tspf=pass" in message
        assert b"d=mydomain.zz" in message

    async def test_a_second_stop_adds_to_the_chain(self):
        stops = ((b"pass", b"cv=pass", True), (b"fail", b"cv=fail", False), (b"temperror", b"cv=fail", False))
        for found, verdict, good in stops:
            first = self.server()
            self.go(first)
            self.accept()
            [message] = await self.given(first)
            second = self.server()
            self.go(second, RESULTS.replace(b"arc=none", b"arc=" + found) + message)
            self.accept(number=1)
            [message] = await self.given(second)
            assert message.startswith(b"ARC-Seal: i=2;")
            assert verdict in message[:300]
            assert self.good(message)[0] is good

    async def test_a_key_of_the_servers_own_stands_in(self):
        server = self.server()
        self.go(server, domains=("mx.emailgency.test",))
        self.accept()
        [message] = await self.given(server)
        assert self.good(message)[0]
        assert b"d=mx.emailgency.test" in message

    async def test_what_we_have_not_looked_at_is_not_sealed(self):
        """Results further down are somebody else's, whatever name they bear."""
        for number, (body, more) in enumerate(
            [
                (BODY, {}),
                (BODY.replace(b"From:", RESULTS + b"From:"), {}),
                (RESULTS + BODY, {"authentication": False}),
                (RESULTS + BODY, {"domains": ()}),
                (RESULTS + b"X: " + b"y" * 300_000 + b"\r\n" + BODY, {}),
            ]
        ):
            server = self.server()
            self.go(server, body, **more)
            self.accept(number=number)
            assert await self.given(server) == [body]

    async def test_trouble_with_keys_keeps_no_mail_back(self):
        server = self.server()
        self.go(server)
        self.signing.trouble = Temporary("Redis is away")
        self.accept()
        assert await self.given(server) == [RESULTS + BODY]

    async def test_a_large_message_is_sealed_whole(self):
        body = RESULTS + BODY + b"line  with \t blanks \r\n" * 20_000
        server = self.server()
        self.go(server, body)
        self.accept()
        [message] = await self.given(server)
        assert self.good(message)[0]

    async def test_many_messages_are_sealed_each_and_a_deferred_one_anew(self):
        answers = iter([b"451 4.0.0 later\r\n"])
        server = self.server(behaviour={"end": lambda _, line: next(answers, NotImplemented)})
        flow = self.go(server)
        for number in range(30):
            self.accept(number=number)
        messages = await self.given(server, 30)
        assert all(self.good(message)[0] for message in messages)
        await until(lambda: not flow.pending("acme"))
        assert len(self.spool.ended) == 30

    async def test_mail_of_our_users_is_signed_and_not_sealed(self):
        server = self.server()
        body = BODY.replace(b"a@far.zz", b"paul@mydomain.zz")
        self.go(server, body, authentication=False)
        self.accept(client=Client(ip="192.0.2.1", mailbox="m1"))
        self.accept(number=1, client=Client(ip="127.0.0.1"), sender="")
        for message in await self.given(server, 2):
            assert dkimpy.verify(message, dnsfunc=look_up)
            assert b"ARC-Seal" not in message


class OneCustomer:
    """A directory that knows Acme, who wants to know who sent his mail or not."""

    def __init__(self, authentication):
        self.authentication = authentication

    async def customer(self, id):
        return Customer(
            id=id, domain="mydomain.zz", alternate_domain="mydomainzz.test", authentication=self.authentication
        )


class ForwardTests(OutboundCase):
    async def forwarded(self, authentication, **more):
        flow = self.start()
        signing = OneKey("mydomain.zz")
        signing.directory = OneCustomer(authentication)
        flow._signing, flow.sealing = signing, Sealing(signing)
        stranger = {"sender": "a@far.zz", "client": Client(ip="192.0.2.9", helo="mx.far.zz"), **more}
        await self.accept(to("u@far.zz", origin="forward"), content=RESULTS + BODY, **stranger)
        await until(lambda: self.server.messages)
        return self.server.messages[0][2]

    async def test_a_forward_is_sealed_and_leaves_under_another_sender(self):
        message = await self.forwarded(authentication=True)
        assert dkimpy.arc_verify(message, dnsfunc=look_up)[0] == b"pass"
        assert message.endswith(RESULTS + BODY)
        assert b"SRS0=" in self.server.commands[1]

    async def test_a_forward_of_a_customer_who_does_not_look_is_not_sealed(self):
        assert await self.forwarded(authentication=False) == RESULTS + BODY
