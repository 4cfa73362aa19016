"""`pending list` while the directory is away, which is when mail without a lane is to be seen."""

from types import SimpleNamespace

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from emailgency.flows.pending.pending_letters import PendingLetters
from emailgency.flows.pending.pending_view import HopLine
from emailgency.model.errors import Temporary
from emailgency.servers.control.command import Asker
from emailgency.servers.control.pending_commands import ListPending, PendingCommands

UNKNOWN = HopLine(
    customer="acme",
    domain=None,
    pending=3,
    carrying=0,
    oldest=1e9,
    state="unknown",
    since=1e9,
    next_probe=None,
    reason="why",
    expires_at=None,
)


class DirectoryAway:
    async def customer(self, id):
        raise Temporary("Redis is away")


class ListingTests(SynchronousTestCase):
    def test_mail_without_a_lane_is_listed_under_the_customers_id(self):
        view = SimpleNamespace(hops=lambda customer: [UNKNOWN], messages=lambda customer, limit, wanted: [])
        letters = PendingLetters(None, None, view)
        commands = PendingCommands(DirectoryAway(), None, view, letters, None, None)
        asker = Asker("anna", lambda what, done, of: None)
        answer = self.successResultOf(Deferred.fromCoroutine(commands.list(ListPending(), asker)))
        (hop,) = answer["hops"]
        assert (hop["customer"], hop["next_hop"], hop["state"], hop["pending"]) == ("acme", "unknown", "unknown", 3)
