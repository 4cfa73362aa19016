"""A message in the spool goes on as another message of its own: other targets, more header fields, the same octets."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec import structs
from twisted.internet.interfaces import IReactorTime

from emailgency.codec import trace
from emailgency.flows.relaying import octets
from emailgency.model.envelope import Envelope
from emailgency.model.errors import Temporary

if TYPE_CHECKING:
    from emailgency.store.spool.spool import Spool


async def copied(
    spool: "Spool",
    reactor: IReactorTime,
    original: Envelope,
    now: float,
    fields: Callable[[str], bytes] = lambda id: b"",
    **changes: Any,
) -> str:
    """Commit it and return its id. `fields`, given that id, come between Return-Path and the message as it was
    accepted; `changes` are what its envelope has other than `original`'s. Raises Temporary: then nothing is kept.
    """
    arrival = spool.begin(now)
    return_path = trace.return_path(original.sender)
    try:
        arrival.write(return_path + fields(arrival.id))
        async for chunk in octets.chunks(reactor, spool.path(original.id), original.return_path):
            arrival.write(chunk)
    except OSError as error:
        arrival.abort()
        raise Temporary(str(error)) from error
    except BaseException:
        arrival.abort()
        raise
    own = {"id": arrival.id, "received_at": now, "size": arrival.size, "checksum": arrival.checksum}
    its = {"return_path": len(return_path), "ret": None, "envid": None, "fingerprint": None, "about": original.id}
    await spool.commit(arrival, structs.replace(original, **(own | its | changes)))
    return arrival.id
