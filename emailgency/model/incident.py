"""The story of customers' servers: each change of health, and the incidents made of them (product rows G8, G10)."""

from msgspec import Struct


class Turn(Struct, frozen=True, kw_only=True, tag="turn"):
    """A next hop's health changed. `domain` "": the customer's SMTP transport; `state` as rules.health says it.

    `recovered_at`: when it had last come back from being down; None: never.
    """

    customer: str
    domain: str
    at: float  # seconds since the epoch
    state: str
    reason: str = ""
    recovered_at: float | None = None


class Incident(Struct, frozen=True, kw_only=True, tag="incident"):
    """From a customer's server going down until what waited for it is given back. `ended_at` None: it is open."""

    id: str
    customer: str
    began_at: float
    reason: str
    ended_at: float | None = None


Event = Turn | Incident
