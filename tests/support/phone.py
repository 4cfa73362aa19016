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
        """The oldest that counts and was not shown yet; three of them at any moment."""
        now = time.time() if now is None else now
        self._last = max(self._last + 1, codes.step_at(now) - codes.WINDOW)
        assert self._last <= codes.step_at(now) + codes.WINDOW, "more codes than a moment has"
        return codes.hotp(self.secret, self._last)
