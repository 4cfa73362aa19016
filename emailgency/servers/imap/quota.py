"""How much a mailbox may hold: hard for APPEND and COPY (product row B12), told by GETQUOTA (RFC 9208).

Between two counts what was granted is added; while a mailbox is far from its quota it is counted only once a minute.
What a running command was granted counts beside that until the command has ended, so that commands of several
sessions never share the same room (attack row 29).
"""

from emailgency.codec.imap import quotas, responses
from emailgency.codec.imap.quotas import Resource
from emailgency.model.directory import Plan
from emailgency.rules.expiry import quota_of
from emailgency.rules.room import UNLIMITED, Count, Room, near
from emailgency.servers.imap import names
from emailgency.servers.imap.session import Completed, Session, no

_FRESH = 60.0  # seconds
_KEPT = 10_000  # mailboxes
_UNIT = 1024  # octets of STORAGE (RFC 9208 section 5.1)
MAILBOX, UNDELIVERED = "mailbox", "undelivered"  # the two quota roots


async def room_for(session: Session, octets: int) -> bool:
    """Whether the plan leaves room for so many octets more; if so they are granted to the command under way."""
    limit = Count(UNLIMITED, (await _plan(session))[1])
    server, more = session.server, Count(1, octets)
    if session.mailbox not in server.rooms and len(server.rooms) >= _KEPT:
        server.rooms = {mailbox: room for mailbox, room in server.rooms.items() if room.granted != Count()}
    room = server.rooms.setdefault(session.mailbox, Room())
    now = server.reactor.seconds()
    if now > room.at + _FRESH or near(room.taken() + more, limit):
        before = room.added
        room.recounted(await _count(session), before, now)
    if not room.grant(more, limit):
        return False
    session.granted += more
    return True


def settle(session: Session, stored: bool) -> None:
    """The command has ended; `stored`: what it was granted room for is there now."""
    if session.granted != Count():
        granted, session.granted = session.granted, Count()
        session.server.rooms[session.mailbox].settle(granted, granted if stored else Count())


async def get_quota(session: Session, command: quotas.GetQuota) -> Completed:
    shared = session.is_shared(session.place(names.UNDELIVERED))
    if command.root != MAILBOX and not (command.root == UNDELIVERED and shared):
        return no("There is no such quota.", b"NONEXISTENT")
    session.line.write(quotas.quota(command.root, await _resources(session, command.root)))
    return Completed("That is your quota.")


async def get_quota_root(session: Session, command: quotas.GetQuotaRoot) -> Completed:
    """Of a name that is no folder too: what would count if it were (RFC 9208 section 4.1.2)."""
    root = UNDELIVERED if session.is_shared(session.path(command.name)) else MAILBOX
    session.line.write(quotas.quota_root(responses.mailbox(command.name, session.utf8), [root]))
    session.line.write(quotas.quota(root, await _resources(session, root)))
    return Completed("That is your quota.")


async def set_quota(session: Session, command: quotas.SetQuota) -> Completed:
    return no("Quotas are set by the plan.", b"NOPERM")


async def _resources(session: Session, root: str) -> list[Resource]:
    """As they are now."""
    plan, quota = await _plan(session)
    if root == UNDELIVERED:
        used = await session.server.counts.of([session.place(names.UNDELIVERED)])
        return [
            _storage(used.octets, plan.undelivered_quota),
            Resource("MESSAGE", used.messages, plan.undelivered_messages),
        ]
    used = await _count(session)
    tree = await session.server.trees.of(session.mailbox, session.line.breathe)
    return [
        _storage(used.octets, quota),
        Resource("MAILBOX", tree.count, session.server.settings.folder_limit),
    ]


def _storage(used: int, limit: int) -> Resource:
    return Resource("STORAGE", -(-used // _UNIT), limit // _UNIT)


async def _plan(session: Session) -> tuple[Plan, int]:
    """The plan, and the quota of the mailbox; nobody's that has just gone."""
    principal, directory = session.principal, session.server.directory
    assert principal is not None
    mailbox = await directory.mailbox(principal.mailbox)
    plan = await directory.plan((await directory.customer(principal.customer)).plan)
    return plan, quota_of(mailbox, plan) if mailbox is not None else 0


async def _count(session: Session) -> Count:
    listing = (await session.server.trees.of(session.mailbox, session.line.breathe)).listing
    return await session.server.counts.of(listing.folders)
