"""Which limits a plan may set (product row B11), and how people write sizes."""

import re
from typing import Any

from emailgency.model.directory import HARD_MESSAGE_LIMIT, Plan
from emailgency.model.errors import Invalid
from emailgency.model.words import Words

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_SIZE = re.compile(r"([0-9]{1,15})(?:[.,]([0-9]{1,3}))?\s*([KMGTkmgt]?)(?:i?[Bb]|o)?")
_UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
_PIB = 1 << 50

SIZES = {  # octets
    "mailbox_quota": (1 << 20, _PIB),
    "vip_quota": (1 << 20, _PIB),
    "message_size": (64 << 10, HARD_MESSAGE_LIMIT),
    "undelivered_quota": (1 << 20, _PIB),
    "reserve": (0, _PIB),
}
COUNTS = {
    "mailboxes": (1, 1_000_000),
    "vip_mailboxes": (0, 1_000_000),
    "candidates": (0, 1_000_000),
    "distribution_lists": (0, 1_000_000),
    "undelivered_messages": (0, 10_000_000),
}
DAYS = {"expiration_delay": (1, 3650), "expiration_delay_max": (1, 3650), "pending_lifetime": (1, 365)}
SWITCHES = ("sms", "primary")
_TITLES = {
    "mailbox_quota": Words("Room of a mailbox"),
    "vip_quota": Words("Room of a VIP mailbox"),
    "message_size": Words("Largest message"),
    "undelivered_quota": Words("Room of Undelivered"),
    "reserve": Words("Reserve of all mailboxes together"),
    "mailboxes": Words("Mailboxes"),
    "vip_mailboxes": Words("VIP mailboxes"),
    "candidates": Words("Candidates"),
    "distribution_lists": Words("Distribution lists"),
    "undelivered_messages": Words("Messages in Undelivered"),
    "expiration_delay": Words("Days that mail is kept"),
    "expiration_delay_max": Words("Most days a user may choose"),
    "pending_lifetime": Words("Days that pending mail waits"),
    "sms": Words("Alerts by SMS"),
    "primary": Words("May be primary MX"),
}


def check(plan: Plan) -> None:
    """Raises Invalid, in words for the operator."""
    if not _NAME.fullmatch(plan.name):
        raise Invalid("a plan's name is made of up to 32 small letters, digits and hyphens")
    for limits, shown in ((SIZES, written), (COUNTS, str), (DAYS, str)):
        for name, (least, most) in limits.items():
            if not least <= getattr(plan, name) <= most:
                raise Invalid(
                    "%(limit)s: from %(least)s to %(most)s", limit=title(name), least=shown(least), most=shown(most)
                )
    if plan.expiration_delay > plan.expiration_delay_max:
        raise Invalid("the expiration delay of new mailboxes cannot be longer than the longest one")
    if plan.vip_quota < plan.mailbox_quota:
        raise Invalid("a VIP mailbox has at least the room of any other")
    if plan.mailbox_quota < plan.message_size:
        raise Invalid("a mailbox must have room for one message")


def title(name: str) -> Words:
    """The name of a limit."""
    return _TITLES[name]


def octets(text: str) -> int:
    """ "5 GiB", "5G", "1.5 M" or plain octets; units are powers of 1024. Raises Invalid."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise Invalid("%(given)s is no size: write 500 MiB, or 2 GiB", given=repr(text[:50]))
    whole, part, unit = match[1], match[2] or "", match[3].upper()
    size: int = (int(whole + part) << _UNITS[unit]) // 10 ** len(part)
    return size


def written(size: int) -> str:
    """Octets as `octets` reads them, exactly."""
    for unit, bits in (("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if size and size % (1 << bits) == 0:
            return f"{size >> bits} {unit}"
    return str(size)


def limits(plan: Plan) -> dict[str, Any]:
    """By name, without the plan's own."""
    return {name: getattr(plan, name) for name in plan.__struct_fields__ if name != "name"}
