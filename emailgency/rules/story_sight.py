"""What of a message's story a user may see: his own copies, and how what he sent arrived (product row G3).

A list does not tell its members of each other, a recipient does not tell a sender where he forwards his mail or
whether he has read it, and a sender address proves nothing: only who has logged in to send a message has sent it.
"""

from collections.abc import Set as AbstractSet

from msgspec.structs import replace

from emailgency.model.story import Copy, Facts, Kind, Story

_HERE = frozenset({Kind.MAILBOX, Kind.CANDIDATE, Kind.UNDELIVERED})
_PRIVATE = frozenset({"read", "expunged"})


def seen_by(story: Story, mailbox: str, addresses: AbstractSet[str]) -> Story | None:
    """By the user of a mailbox (its id), whose addresses are canonical text. None: it is none of his business."""
    facts = story.facts
    sent = facts.mailbox == mailbox
    his = {index for index, address in enumerate(facts.recipients) if address.lower() in addresses}
    mine = {copy.recipient for copy in facts.copies if _is_mine(copy, mailbox)}
    if not (sent or his or mine):
        return None
    seen = [one for copy in facts.copies if (one := _seen(copy, mailbox, his, mine, sent)) is not None]
    whole = {copy.target for copy in seen if copy.recipient in his or _is_mine(copy, mailbox)}
    happenings = tuple(one for one in story.happenings if one.word not in _PRIVATE or whole.intersection(one.targets))
    if sent:
        return Story(replace(facts, copies=tuple(seen)), happenings)
    return Story(_without_others(facts, seen, his | mine), happenings)


def _seen(copy: Copy, mailbox: str, his: set[int], mine: set[int], sent: bool) -> Copy | None:
    if _is_mine(copy, mailbox):
        return copy
    if copy.recipient in his:
        return None if copy.kind is Kind.MAILBOX and not sent else _without_place(copy) if sent else copy
    if sent:
        return None if copy.kind is Kind.FORWARD else _without_place(copy)
    return copy if copy.recipient in mine and copy.kind is Kind.SERVER else None


def _without_place(copy: Copy) -> Copy:
    return Copy(copy.target, Kind.ANOTHER, copy.recipient) if copy.kind in _HERE else copy


def _is_mine(copy: Copy, mailbox: str) -> bool:
    return copy.kind is Kind.MAILBOX and copy.place == mailbox


def _without_others(facts: Facts, copies: list[Copy], recipients: set[int]) -> Facts:
    numbers = {old: new for new, old in enumerate(sorted(recipients))}
    return replace(
        facts,
        mailbox="",
        recipients=tuple(facts.recipients[old] for old in numbers),
        copies=tuple(Copy(one.target, one.kind, numbers[one.recipient], one.place) for one in copies),
    )
