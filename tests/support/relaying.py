"""Puts the relay together over stand-ins for spool and directory, for tests that drive it by hand."""

import random

from msgspec.structs import replace

from emailgency.flows.accounts.customers import Customers
from emailgency.flows.relaying.customer_errand import Experience
from emailgency.flows.relaying.exchanges import Exchanges
from emailgency.flows.relaying.incidents import Incidents
from emailgency.flows.relaying.means import Means, Places
from emailgency.flows.relaying.relay import RelayFlow, RelaySettings
from emailgency.model.directory import STANDARD, Customer
from emailgency.net.dns import Dns, DnsSettings
from emailgency.net.egress import Egress, EgressSettings
from emailgency.net.session import CourierSettings
from emailgency.rules.guard import GuardSettings
from emailgency.rules.retry import RetrySettings
from emailgency.store.experience.history import History


class FewCustomers:
    """A directory of the customers given."""

    def __init__(self, *customers: Customer) -> None:
        self.by_id = {customer.id: customer for customer in customers}

    async def customer(self, id):
        return self.by_id[id]

    async def plan(self, name):
        return STANDARD


class RecordedBounces:
    """Remembers failures and ends them."""

    def __init__(self, spool) -> None:
        self.spool = spool
        self.failures = []
        self.resolver = None

    async def failed(self, live, failures) -> None:
        self.failures.append((live, failures))
        for target, outcome in failures.items():
            await self.spool.finished(live.envelope.id, [target], outcome)

    async def relayed(self, live, targets, outcome) -> None:
        pass


class Memory:
    """What `store.last_good.LastGood` remembers, without a Redis."""

    def __init__(self) -> None:
        self.good = {}
        self.identities = {}

    async def remember(self, hop, destinations):
        self.good[hop] = destinations

    async def recall(self, hop):
        return self.good.get(hop, [])

    async def remember_identities(self, hop, identities):
        self.identities[hop] = identities

    async def recall_identities(self, hop):
        return self.identities.get(hop, [])

    async def forget_identities(self, hop):
        self.identities.pop(hop, None)


class KnownInMemory:
    """What `store.known_recipients.KnownRecipients` knows, without a Redis."""

    def __init__(self) -> None:
        self.addresses = set()

    def accepted(self, hop, address, now):
        self.addresses.add((hop, address))

    async def write(self):
        pass

    async def among(self, hop, addresses):
        return {address for address in addresses if (hop, address) in self.addresses}

    async def forget(self, hop, addresses):
        self.addresses -= {(hop, address) for address in addresses}


GUARD = GuardSettings()
QUICK = RetrySettings(message_first=0.05, message_longest=0.2, probe_first=0.02, probe_longest=0.1, jitter=0)


def means(spool, reactor, *, ports=(), retry=QUICK, guard=GUARD, **courier) -> Means:
    return Means(
        spool=spool,
        egress=Egress(EgressSettings(networks=("127.0.0.0/8",), ports=tuple(ports)), lambda: ()),
        reactor=reactor,
        clock=reactor.seconds,
        chance=random.random,
        name="mx.emailgency.test",
        courier=CourierSettings(**{"idle": 0.05, **courier}),
        retry=retry,
        places=Places(100),
        guard=guard,
    )


def experience(clock, last_good=None, known=None, incidents=None) -> Experience:
    """Without Redis; the history is not started, and so never written."""
    return Experience(last_good or Memory(), known or KnownInMemory(), incidents or Incidents(History(None, ""), clock))


class AtPort(Exchanges):
    """An MX listens on port 25, the servers of tests where the kernel lets them."""

    port = 0

    async def of_domain(self, domain):
        return [replace(one, port=self.port) for one in await super().of_domain(domain)]


def relay(
    spool,
    reactor,
    port,
    *,
    customer=None,
    means_=None,
    resolver=None,
    last_good=None,
    known=None,
    incidents=None,
    connections=5,
    refresh=10.0,
) -> RelayFlow:
    """`flow.incidents`, `flow.known` and `flow.directory` are what it works with."""
    customer = customer or Customer(
        id="acme", domain="mydomain.zz", alternate_domain="mydomainzz.test", smtp_transport=f"127.0.0.1:{port}"
    )
    made = means_ or means(spool, reactor, ports=(port,))
    resolver = resolver or Dns(DnsSettings(addresses=("127.0.0.1:1",), timeout=0.1), reactor)
    exchanges = AtPort(resolver, made.egress, lambda name: name.endswith(".emailgency.test"))
    exchanges.port = port
    directory = FewCustomers(customer)
    flow = RelayFlow(
        Customers(directory),
        exchanges,
        RecordedBounces(spool),
        experience(made.clock, last_good, known, incidents),
        made,
        RelaySettings(connections=connections, refresh=refresh),
    )
    flow.directory = directory
    flow.incidents = flow._experience.incidents
    return flow
