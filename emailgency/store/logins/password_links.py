"""Links that let somebody set the password of his mailbox (attack row 19).

One is worth something once, until it is too old, and while the mailbox still has the password (or none) that it had
when the link was made.
"""

from collections.abc import Callable
from typing import Annotated

from msgspec import Meta, Struct

from emailgency.store.logins.tickets import Tickets
from emailgency.store.redis.redis import Redis


class PasswordLinkSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Links in mails that let people set their password."""

    invitation: Annotated[
        int, Meta(ge=3600, le=2_592_000, description="Seconds an administrator's invitation is good.")
    ] = 604_800
    reset: Annotated[int, Meta(ge=3600, le=86_400, description="Seconds a link that a user asked for is good.")] = 3600
    per_address: Annotated[int, Meta(ge=1, description="Requests for one address in an hour.")] = 3
    per_network: Annotated[int, Meta(ge=1, description="Requests from one network (/24 or /64) in an hour.")] = 20
    total: Annotated[int, Meta(ge=1, description="Requests from everywhere in an hour.")] = 500


class PasswordLink(Struct, frozen=True):
    """What a token stands for. `generation`: the mailbox's when it was made."""

    mailbox: str
    generation: int
    until: float


class PasswordLinks(Tickets[PasswordLink]):
    """Raises Temporary while Redis is away."""

    def __init__(self, redis: Redis, clock: Callable[[], float]) -> None:
        super().__init__(redis, clock, "password link", PasswordLink)

    async def make(self, mailbox: str, generation: int, lifetime: int) -> str:
        """The token of a new one, good for `lifetime` seconds."""
        return await self.put(PasswordLink(mailbox, generation, self._clock() + lifetime), lifetime)
