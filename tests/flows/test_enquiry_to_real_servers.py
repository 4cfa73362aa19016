"""A real Postfix and a real Exim are asked which addresses they have; neither gets a message."""

import os
import shutil
import tempfile

import pytest
from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from emailgency.flows.learning.enquiry import Enquiries
from emailgency.flows.relaying.exchanges import Exchanges
from emailgency.model.directory import Customer
from emailgency.net.dns import Dns, DnsSettings
from tests.support.asynchronous import run
from tests.support.exim import Exim
from tests.support.null_spool import NullSpool
from tests.support.postfix import Postfix
from tests.support.relaying import means

USERS = ("anna", "paul", "postmaster")


class RealServers(TestCase):
    timeout = 60

    def server(self, kind, **more):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        server = kind(os.path.join(folder, "server"), **more)
        self.addCleanup(lambda: deferToThread(server.stop))
        return deferToThread(server.start)

    async def lesson(self, server, *locals_):
        transport = f"127.0.0.1:{server.port}"
        customer = Customer(id="acme", domain="mydomain.zz", alternate_domain="m.test", smtp_transport=transport)
        made = means(NullSpool("no file"), reactor, ports=(server.port,))
        dns = Dns(DnsSettings(addresses=("127.0.0.1:1",), timeout=0.1), reactor)
        enquiry = await Enquiries(Exchanges(dns, made.egress, lambda name: False), made).ask(customer, locals_)
        assert not enquiry.trouble
        assert not server.received()
        return enquiry.lesson

    @pytest.mark.peer("postfix")
    @run
    async def test_postfix_tells_who_is_there_over_tls(self):
        server = await self.server(Postfix, tls=True, users=USERS)
        lesson = await self.lesson(server, "anna", "nobody", "paul", "Nobody.Else")
        assert lesson.selective
        assert lesson.existing == {"anna", "paul", "postmaster"}
        assert lesson.missing == {"nobody", "Nobody.Else"}
        assert "TLS connection established" in server.log()

    @pytest.mark.peer("postfix")
    @run
    async def test_a_postfix_that_takes_everybody_teaches_nothing(self):
        lesson = await self.lesson(await self.server(Postfix), "anna", "nobody")
        assert (lesson.selective, lesson.existing, lesson.missing) == (False, frozenset(), frozenset())

    @pytest.mark.peer("exim4")
    @run
    async def test_exim_tells_who_is_there(self):
        lesson = await self.lesson(await self.server(Exim, users=USERS), "anna", "nobody", "paul")
        assert lesson.selective
        assert (lesson.existing, lesson.missing) == ({"anna", "paul", "postmaster"}, {"nobody"})
