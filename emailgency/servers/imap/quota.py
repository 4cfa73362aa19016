"""How much a mailbox may hold: hard for APPEND and COPY (product row B12), told by GETQUOTA (RFC 9208).

Between two counts what was granted is added; while a mailbox is far from its quota it is counted only once a minute.
What a running command was granted counts beside that until the command has ended, so that commands of several
sessions never share the same room (attack row 29).
"""

from emailgency.codec.imap import quotas, responses
from emailgency.codec.imap.quotas import Resource
from emailgency.model.directory import Plan
from emailgency.servers.imap import names
from emailgency.servers.imap.session import Completed, Session, Usage, no
from emailgency.store.counts import Count

_FRESH = 60.0  # seconds
_NEAR = 0.9  # of the quota
_KEPT = 10_000  # mailboxes
_UNIT = 1024  # octets of STORAGE (RFC 9208 section 5.1)
MAILBOX, UNDELIVERED = "mailbox", "undelivered"  # the two quota roots


async def room_for(session: Session, octets: int) -> bool:
    """Whether the plan leaves room for so many octets more; if so they are granted to the command under way."""
    limit = await _limit(session)
    server = session.server
    usage = server.usage.get(session.mailbox)
    if usage is None:
        usage = server.usage[session.mailbox] = Usage()
        _trim(server.usage)
    now = server.reactor.seconds()
    if now > usage.at + _FRESH or usage.octets + usage.granted + octets > limit * _NEAR:
        before = usage.added
        counted = await _count(session)
        usage.octets = counted.octets + usage.added - before  # what ended meanwhile may have been counted or not
        usage.at = now
    if usage.octets + usage.granted + octets > limit:
        return False
    usage.granted += octets
    session.granted += octets
    return True


def settle(session: Session, stored: bool) -> None:
    """The command has ended; `stored`: what it was granted room for is there now."""
    if session.granted:
        octets, session.granted = session.granted, 0
        usage = session.server.usage[session.mailbox]
        usage.granted -= octets
        if stored:
            usage.octets += octets
            usage.added += octets


async def get_quota(session: Session, command: quotas.GetQuota) -> Completed:
    shared = session.is_shared(session.place(names.UNDELIVERED))
    if command.root != MAILBOX and not (command.root == UNDELIVERED and shared):
        return no("There is no such quota.", b"NONEXISTENT")
    session.line.write(quotas.quota(command.root, await _resources(session, command.root)))
    return Completed("That is your quota.")


async def get_quota_root(session: Session, command: quotas.GetQuotaRoot) -> Completed:
    """Of a name that is no folder too: what would count if it were (RFC 9208 section 4.1.2)."""
    root = UNDELIVERED if session.is_shared(session.path(command.name)) else MAILBOX
    session.line.write(quotas.quota_root(responses.mailbox(command.name), [root]))
    session.line.write(quotas.quota(root, await _resources(session, root)))
    return Completed("That is your quota.")


async def set_quota(session: Session, command: quotas.SetQuota) -> Completed:
    return no("Quotas are set by the plan.", b"NOPERM")


async def _resources(session: Session, root: str) -> list[Resource]:
    """As they are now."""
    plan, vip = await _plan(session)
    if root == UNDELIVERED:
        used = await session.server.counts.of([session.place(names.UNDELIVERED)])
        return [
            _storage(used.octets, plan.undelivered_quota),
            Resource("MESSAGE", used.messages, plan.undelivered_messages),
        ]
    used = await _count(session)
    tree = await session.server.trees.of(session.mailbox, session.line.breathe)
    return [
        _storage(used.octets, plan.vip_quota if vip else plan.mailbox_quota),
        Resource("MAILBOX", tree.count, session.server.settings.folder_limit),
    ]


def _storage(used: int, limit: int) -> Resource:
    return Resource("STORAGE", -(-used // _UNIT), limit // _UNIT)


async def _limit(session: Session) -> int:
    plan, vip = await _plan(session)
    return plan.vip_quota if vip else plan.mailbox_quota


async def _plan(session: Session) -> tuple[Plan, bool]:
    """The plan, and whether the mailbox is a VIP's."""
    principal, directory = session.principal, session.server.directory
    assert principal is not None
    mailbox = await directory.mailbox(principal.mailbox)
    plan = await directory.plan((await directory.customer(principal.customer)).plan)
    return plan, mailbox is not None and mailbox.vip


async def _count(session: Session) -> Count:
    listing = (await session.server.trees.of(session.mailbox, session.line.breathe)).listing
    return await session.server.counts.of(listing.folders)


def _trim(known: dict[str, Usage]) -> None:
    """Forget mailboxes that nothing is granted to, the oldest first."""
    if len(known) > _KEPT:
        for mailbox in [mailbox for mailbox, usage in known.items() if not usage.granted][: len(known) - _KEPT]:
            del known[mailbox]
