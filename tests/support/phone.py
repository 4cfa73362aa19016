"""A phone with an authenticator program: shows codes of a secret, each of them to one reader."""

import time
from base64 import b32decode

from emailgency.rules import one_time_codes as codes


class Phone:
    """`text`: the secret as it was shown to be typed."""

    def __init__(self, text: str) -> None:
        plain = "".join(text.split())
        self.secret = b32decode(plain + "=" * (-len(plain) % 8))
        self._last = 0

    def code(self, now: float | None = None) -> str:
        """The first that counts and was not shown yet: three of them at a moment that stands still, else two, which
        both count for as long as a slow server takes to look at them.
        """
        first = codes.step_at(time.time()) if now is None else codes.step_at(now) - codes.WINDOW
        last = codes.step_at(time.time() if now is None else now) + codes.WINDOW
        self._last = max(self._last + 1, first)
        assert self._last <= last, "more codes than a moment has"
        return codes.hotp(self.secret, self._last)
