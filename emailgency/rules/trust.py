"""What a customer's server makes of mail that we bring: its two answers to a test, in words (product row G7)."""

from enum import Enum

from emailgency.model.words import Words


class Trust(Enum):
    """GOOD: it takes what others wrote from us."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    BAD = "bad"


def judge(own: str, foreign: str) -> tuple[Trust, Words]:
    """`own`: its answer to mail in our name, `foreign`: to mail of somebody whose SPF and DMARC forbid us to bring it,
    as every message that we give back. Both begin with a reply code, or are words why there is none.
    """
    first, second = _code(own), _code(foreign)
    if first is None or second is None:
        return Trust.DOUBTFUL, Words("There was no answer to the test. What stands below says why.")
    if first == 2 == second:
        return Trust.GOOD, Words(
            "Your server takes both. Look where they have gone: if they are in the inbox, it trusts us."
        )
    if first == 2 and second == 5:
        return Trust.BAD, Words(
            "Your server refuses what others have written when we bring it: it takes us for its sender. Set one of the "
            "things below."
        )
    if 5 in (first, second):
        return Trust.BAD, Words("Your server refuses whatever comes from us. Set one of the things below.")
    return Trust.DOUBTFUL, Words(
        "Your server puts us off for now. If it does so to strangers (greylisting), let it make an exception for us."
    )


def _code(answer: str) -> int | None:
    """The first digit of the reply."""
    return int(answer[0]) if answer[:3].isdigit() and answer[0] in "245" else None
