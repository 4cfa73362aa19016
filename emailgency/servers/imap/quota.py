"""How much a mailbox may still take by APPEND and COPY: there the quota is hard (product row B12).

The space in use is counted over all folders and then kept by adding what was granted since; while it is far from
the quota it is counted only once a minute, near it each time.
"""

from emailgency.servers.imap.session import Session, Usage
from emailgency.store.storing.messages import Refused

_FRESH = 60.0  # seconds
_NEAR = 0.9  # of the quota


async def room_for(session: Session, octets: int) -> bool:
    """Whether the plan leaves room for so many octets more; if so they count as used."""
    quota = await _quota(session)
    server = session.server
    usage = server.usage.get(session.mailbox)
    now = server.reactor.seconds()
    if usage is None or now > usage.at + _FRESH or usage.octets + octets > quota * _NEAR:
        usage = server.usage[session.mailbox] = Usage(await _count(session), now)
    if usage.octets + octets > quota:
        return False
    usage.octets += octets
    return True


async def _quota(session: Session) -> int:
    principal, directory = session.principal, session.server.directory
    assert principal is not None
    mailbox = await directory.mailbox(principal.mailbox)
    if mailbox is None:
        return 0
    plan = await directory.plan((await directory.customer(mailbox.customer)).plan)
    return plan.vip_quota if mailbox.vip else plan.mailbox_quota


async def _count(session: Session) -> int:
    server = session.server
    total = 0
    for path in (await server.folders.listing(session.mailbox)).folders:
        folder = await server.folders.open(path)
        if not isinstance(folder, Refused):
            total += folder.octets()
            await session.line.breathe()
    return total
