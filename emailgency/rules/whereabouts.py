"""Where each copy of a message is, as what happened to it tells (product row G3)."""

from collections.abc import Iterable
from enum import Enum

from msgspec import Struct

from emailgency.model.story import Copy, Happening, Kind, Story

HELD = 253_402_300_799.0  # as `next`: not before somebody releases it


class State(Enum):
    """Of one copy. The order is that of how much it needs somebody."""

    BOUNCED = "bounced"  # refused for good; its sender was told, or a copy kept in Undelivered
    EXPIRED = "expired"  # it waited too long
    DOUBTFUL = "doubtful"  # perhaps given: the final reply never came; it is sent again with the same Message-ID
    HELD = "held"  # until somebody releases it
    DEFERRED = "deferred"  # tried, and put off
    PENDING = "pending"  # not tried yet
    GIVEN = "given"  # its next server has taken it
    KEPT = "kept"  # here, in place of the way it waited for
    REROUTED = "rerouted"  # led to another server, as a message of its own
    DROPPED = "dropped"
    READ = "read"
    STORED = "stored"  # in its folder here
    EXPUNGED = "expunged"  # removed from there


_ENDS = {
    "relayed": State.GIVEN,
    "bounced": State.BOUNCED,
    "expired": State.EXPIRED,
    "dropped": State.DROPPED,
    "rerouted": State.REROUTED,
    "deferred": State.DEFERRED,
    "doubtful": State.DOUBTFUL,
    "read": State.READ,
    "expunged": State.EXPUNGED,
}
_LOCAL = frozenset({Kind.MAILBOX, Kind.CANDIDATE, Kind.UNDELIVERED})
_SETTLED = frozenset({"relayed", "bounced", "expired", "dropped", "delivered", "expunged", "rerouted"})


class Whereabouts(Struct, frozen=True):
    """One copy: where it was to go, how that stands, since when, and all that happened on its way."""

    copy: Copy
    state: State
    since: float
    happenings: tuple[Happening, ...]


def whereabouts(story: Story) -> list[Whereabouts]:
    """By recipient, in their order; a recipient without a copy of its own is told as well."""
    facts = story.facts
    served = {copy.recipient for copy in facts.copies}
    nowhere = [Copy(-1, Kind.NOWHERE, index) for index in range(len(facts.recipients)) if index not in served]
    copies = sorted((*facts.copies, *nowhere), key=lambda copy: (copy.recipient, copy.target))
    return [_of(copy, story) for copy in copies]


def outline(states: Iterable[State]) -> State | None:
    """The one state that says most about a message; None: it had no copies at all."""
    return min(states, key=list(State).index, default=None)


def _of(copy: Copy, story: Story) -> Whereabouts:
    if copy.kind is Kind.NOWHERE:
        return Whereabouts(copy, State.DROPPED, story.facts.at, ())
    happened = tuple(one for one in story.happenings if copy.target in one.targets)
    state, since = State.PENDING, story.facts.at
    for one in happened:
        state, since = _after(copy, one), one.at
        if one.word in _SETTLED and copy.kind not in _LOCAL:
            break
    return Whereabouts(copy, state, since, happened)


def _after(copy: Copy, happening: Happening) -> State:
    if happening.word == "delivered":
        return State.STORED if copy.kind in _LOCAL else State.GIVEN if copy.kind is Kind.ANOTHER else State.KEPT
    if happening.next >= HELD:
        return State.HELD
    if happening.word in ("held", "released"):  # it was never tried: these are the words for that
        return State.PENDING
    return _ENDS.get(happening.word, State.PENDING)
