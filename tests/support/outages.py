"""Outages in fake time: thousands of hours of servers that fail, flap and half-recover, against real rules and flows.

    PYTHONPATH=. python -m tests.support.outages [hours of each kind] [seed]

Only the connection is a stand-in (`Peer` and `Line`, in memory), and the spool records at once. Of each message it is
known whether its recipient exists and whether it is spam, so what may bounce is known; the table tells what came of it.
"""

import random
import sys
from collections import Counter
from itertools import count

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from emailgency.background import background
from emailgency.codec.smtp.client import Result, Stage
from emailgency.codec.smtp.reply_reader import Reply
from emailgency.flows.relaying.means import Places
from emailgency.model.directory import Customer
from emailgency.model.envelope import Relay
from emailgency.net.parcel import Closure, Unsettled
from emailgency.rules.guard import Identity
from emailgency.rules.retry import RetrySettings
from tests.support.null_spool import NullSpool, envelope
from tests.support.relaying import means, relay

HOUR = 3600.0
EPOCH = 1_800_000_000.0
TRIP = 0.02  # seconds to the server and back
SPAM = 0.1  # shares of the mail that comes in
NOBODY = 0.15

OK = Reply(250, ("2.0.0 taken",))
NO_SUCH_USER = Reply(550, ("5.1.1 no such user",))
IS_SPAM = Reply(554, ("5.7.1 spam",))

# What is wrong with a server for a while
DEAD, BANNER, DENIES, FORGETFUL, PARANOID, FULL, BUSY, GREY, CUTS, STRANGER = (
    "dead",
    "554 banner",
    "550 at MAIL",
    "550 to everybody",
    "554 to everything",
    "disk full",
    "421 now and then",
    "greylisting",
    "cut after the dot",
    "another server",
)
TARPIT = "says nothing for minutes"
WELL = "well"

KINDS = {
    "dead": (DEAD,),
    "flapping": (DEAD, WELL, DEAD, WELL, DEAD),
    "refuses sessions": (BANNER,),
    "refuses senders": (DENIES,),
    "back without users": (DEAD, FORGETFUL),
    "550 out of the blue": (FORGETFUL,),
    "back with a mad filter": (DEAD, PARANOID),
    "back with a full disk": (DEAD, FULL),
    "back and overloaded": (DEAD, BUSY),
    "back and greylisting": (DEAD, GREY),
    "dies under the load": (DEAD, CUTS, DEAD),
    "another server first": (DEAD, STRANGER, DEAD),
    "everything at once": (DEAD, FORGETFUL, CUTS, FULL, DENIES, BUSY, PARANOID),
}


class Peer:
    """A customer's server, and what is wrong with it now."""

    def __init__(self, clock, chance):
        self.clock = clock
        self.chance = chance
        self.trouble = WELL
        self.visits = self.busy = 0
        self.seen = {}  # greylisting: id -> when first
        self.given = Counter()  # by id
        self.doubtful = set()  # taken, and the reply lost
        self.elsewhere = set()  # taken by another server
        self.sizes = []  # visits to a server that is not well, with the number of messages given on each

    def greet(self):
        """None: nobody there."""
        self.visits += 1
        if self.trouble == DEAD:
            return None
        return Reply(554, ("go away",)) if self.trouble == BANNER else OK

    def judge(self, id, recipient):
        """Stage and reply for a message, or None: the line is cut under it."""
        trouble = self.trouble
        if trouble == DEAD:
            return None
        if trouble == DENIES:
            return Stage.MAIL, Reply(550, ("5.7.1 you are on a list",))
        if trouble == FULL:
            return Stage.MAIL, Reply(452, ("4.3.1 insufficient system storage",))
        if trouble == BUSY and self.chance.random() < 0.3:
            return Stage.MAIL, Reply(451, ("4.3.2 system not accepting messages now",))
        if trouble == FORGETFUL or (recipient.startswith("nobody") and trouble != STRANGER):
            return Stage.RCPT, NO_SUCH_USER
        if trouble == GREY and self.clock.seconds() - self.seen.setdefault(id, self.clock.seconds()) < 300:
            return Stage.RCPT, Reply(450, ("4.2.0 greylisted",))
        if trouble == PARANOID or (recipient.startswith("spam") and trouble != STRANGER):
            return Stage.BODY, IS_SPAM
        if trouble == STRANGER:
            self.elsewhere.add(id)
        self.given[id] += 1
        if trouble == CUTS and self.chance.random() < 0.2:
            self.doubtful.add(id)
            return None
        return Stage.BODY, OK


class Line:
    """Stands in for net.courier.Courier: one connection to the peer."""

    def __init__(self, peer, cargo, clock):
        self.client = self
        self.extensions = {"DSN": ""}
        self.secure = False
        self.peer = "mail.mydomain.zz[192.0.2.1]:25"
        self.greeted = False
        self.waited = TRIP
        self._peer, self._cargo, self._clock = peer, cargo, clock
        self._over = Deferred()
        self._parcel = None
        self._working = self._closing = False
        self._carried = 0
        self._idle_call = None

    @property
    def identity(self):
        return Identity("other.example" if self._peer.trouble == STRANGER else "mail.mydomain.zz")

    @property
    def idle(self):
        return self.greeted and not (self._working or self._closing)

    def visit(self, destination):
        self.destination = destination
        self._clock.callLater(TRIP, self._arrive)
        return self._over

    def _arrive(self):
        reply = self._peer.greet()
        if self._over.called:
            return
        if reply is None:
            self._end("connection refused")
        elif reply.code >= 300:
            self._end(f"banner refused: {reply.code} {reply.text}", reply=reply)
        else:
            self.greeted = True
            self._next()

    def _next(self):
        if self._idle_call and self._idle_call.active():
            self._idle_call.cancel()
        parcel = None if self._closing else self._cargo.take(self)
        if parcel is None:
            if self._closing:
                self._end("left")
            else:
                self._idle_call = self._clock.callLater(2.0, self.leave)
            return
        self._working, self._parcel = True, parcel
        self._clock.callLater(TRIP, self._answer)

    def _answer(self):
        if self._over.called:
            return
        if self._peer.trouble == TARPIT:
            self._clock.callLater(300.0, self._end, "timeout waiting for end of data")
            return
        parcel = self._parcel
        envelope = parcel.token.waiting.live.envelope
        verdict = self._peer.judge(envelope.id, parcel.mail.recipients[0].address)
        if verdict is None:
            self._end("connection lost")
            return
        stage, reply = verdict
        self._parcel = None
        self._carried += 1
        background("recording", self._settle(parcel, (Result(stage, reply),)))

    async def _settle(self, parcel, results):
        await self._cargo.settle(self, parcel, results)
        self._cargo.recorded(TRIP)
        self._working = False
        if not self._over.called:
            self._next()

    def more(self):
        if self.idle:
            self._next()

    def leave(self):
        self._closing = True
        if self.greeted and not self._working:
            self._end("left")

    def abort(self, reason):
        self._end(reason)

    retreat = leave

    def _end(self, reason, reply=None):
        if self._over.called:
            return
        greeted, self.greeted, self._closing = self.greeted, False, True
        left = ()
        if self._parcel:
            doubtful = self._parcel.token.waiting.live.envelope.id in self._peer.doubtful
            left = (Unsettled(self._parcel, begun=True, doubtful=doubtful),)
        if self._idle_call and self._idle_call.active():
            self._idle_call.cancel()
        self._over.callback(Closure(reason=reason, greeted=greeted, carried=self._carried, reply=reply, unsettled=left))


class Story:
    """One customer through so many hours of one kind of trouble; `run` and then look at `row`."""

    def __init__(self, kind, hours, seed):
        self.kind, self.hours = kind, hours
        self.chance = random.Random(f"{kind} {seed}")
        self.clock = Clock()
        self.clock.rightNow = EPOCH
        self.peer = Peer(self.clock, self.chance)
        self.spool = NullSpool("/dev/null", self.clock.seconds)
        self.numbers = count()
        self.recipients = {}
        self.outages = 0
        made = means(self.spool, self.clock, ports=(25,), retry=RetrySettings())
        made.chance = self.chance.random
        made.places = Places(50)
        made.couriers = lambda cargo, *_: Line(self.peer, cargo, self.clock)
        customer = Customer(
            id="acme", domain="mydomain.zz", alternate_domain="mydomainzz.test", smtp_transport="127.0.0.1:25"
        )
        self.flow = relay(self.spool, self.clock, 25, customer=customer, means_=made, connections=10)
        self.incidents = self.flow.incidents

    def run(self):
        self.flow.start()
        end = EPOCH + self.hours * HOUR
        self._mail(3 * HOUR)  # what it is when all is well
        while self.clock.seconds() < end:
            self.outages += 1
            for trouble in KINDS[self.kind]:
                self.peer.trouble = trouble
                self._mail(self.chance.choice((0.05, 0.5, 2.0, 12.0)) * HOUR)
            self.peer.trouble = WELL
            self._mail(self.chance.choice((1.0, 6.0, 24.0)) * HOUR)
        self._mail(12 * HOUR)  # time for what was put off, and for refusals to be believed
        return self

    def _mail(self, seconds):
        """Mail comes in, and time goes by."""
        until = self.clock.seconds() + seconds
        while (now := self.clock.seconds()) < until:
            if self.chance.random() < 0.3:
                lot = self.chance.random()
                who = "spam" if lot < SPAM else "nobody" if lot < SPAM + NOBODY else "user"
                id = f"m{next(self.numbers)}"
                self.recipients[id] = address = f"{who}{self.chance.randrange(20)}@mydomain.zz"
                plan = (Relay(customer="acme", address=address, recipient=0),)
                self.spool.accept(envelope(id, plan, received_at=now))
            self._advance(self.chance.expovariate(1 / 60.0))

    def _advance(self, seconds):
        """As far as the next event each time: what an event starts must not wait for the end of the step."""
        until = self.clock.seconds() + seconds
        while calls := self.clock.getDelayedCalls():
            at = min(call.getTime() for call in calls)
            if at > until:
                break
            self.clock.advance(max(0.0, at - self.clock.seconds()))
        self.clock.advance(max(0.0, until - self.clock.seconds()))

    # ---- what became of it -------------------------------------------------------------------------------

    def bounced(self):
        return {live.envelope.id for live, _ in self.flow._bounces.failures}

    def wrongly_bounced(self):
        return {id for id in self.bounced() if self.recipients[id].startswith("user")}

    def lost(self):
        """Neither given, nor bounced, nor here."""
        there = self.peer.given.keys() | self.bounced() | self.spool.live.keys()
        return self.recipients.keys() - there

    def twice(self):
        """Given more often than a reply was lost."""
        return {id for id, times in self.peer.given.items() if times > 1 and id not in self.peer.doubtful}

    def waiting(self):
        """For a user who exists, after hours of a server that is well."""
        return {id for id in self.spool.live if self.recipients[id].startswith("user")}

    def row(self):
        incidents = self.incidents.history.incidents("acme")
        return (
            self.kind,
            round((self.clock.seconds() - EPOCH) / HOUR),
            self.outages,
            len(self.recipients),
            len(self.peer.given),
            len(self.twice()),
            len(self.peer.doubtful),
            len(self.bounced()),
            len(self.wrongly_bounced()),
            len(self.lost()),
            len(self.waiting()),
            len(incidents),
            sum(one.ended_at is None for one in incidents),
            self.peer.visits,
        )


HEAD = (
    *("kind", "hours", "outages", "messages", "given", "twice", "reply lost", "bounced", "wrongly", "lost"),
    *("waiting", "incidents", "open", "visits"),
)


def table(stories):
    """For people."""
    rows = [HEAD, *(tuple(map(str, story.row())) for story in stories)]
    totals = [str(sum(int(row[column]) for row in rows[1:])) for column in range(1, len(HEAD))]
    rows.append(("all", *totals))
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    return "\n".join(
        "  ".join(
            text.ljust(width) if not column else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def main():
    hours = float(sys.argv[1]) if len(sys.argv) > 1 else 1000.0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 30)
    print(f"seed {seed}")
    print(table([Story(kind, hours, seed).run() for kind in KINDS]))


if __name__ == "__main__":
    main()
