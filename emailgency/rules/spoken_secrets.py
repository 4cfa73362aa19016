"""Secrets that we make up and people type: app passwords and recovery codes.

Nobody guesses them, so their SHA-256 is kept where a password needs a slow hash: a login tries all of a mailbox's in
some microseconds.
"""

import hmac
from collections.abc import Iterable
from hashlib import sha256

_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"  # 32, without l, o, 0 and 1
_GROUP = 4
APP_PASSWORD = 20  # letters: 100 bits
RECOVERY_CODE = 16  # letters: 80 bits
_LONGEST = 100  # characters of what somebody types


def spelled(chance: bytes) -> str:
    """ "k7mn-…": a letter of each random octet, which gives five bits."""
    text = "".join(_LETTERS[octet & 31] for octet in chance)
    return "-".join(text[place : place + _GROUP] for place in range(0, len(text), _GROUP))


def hashed(secret: str, whose: str) -> str:
    """In hex. `whose` it is keeps a hash from being compared with those of others at once."""
    return sha256(f"{whose}\0{_plain(secret)}".encode("utf-8", "surrogatepass")).hexdigest()


def found(secret: str, whose: str, hashes: Iterable[str]) -> int | None:
    """Which of the hashes is this one's; takes the same time wherever it stands."""
    if not 0 < len(secret) <= _LONGEST:
        return None
    given, place = hashed(secret, whose), None
    for number, kept in enumerate(hashes):
        if hmac.compare_digest(kept, given):
            place = number
    return place


def _plain(secret: str) -> str:
    """As it was meant: without what stands between groups, in small letters."""
    return "".join(secret.replace("-", "").split()).lower()
