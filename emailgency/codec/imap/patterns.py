"""LIST wildcards (RFC 3501 §6.3.8): `*` matches anything, `%` anything without the separator.

A pattern becomes a machine of one bit a character, moved over the name by shifts: time grows with the name and
never with what the wildcards could match (reliability row 27; `*a*a*a` costs as much as `abc`).
"""

import re

_WILDCARDS = re.compile(r"[*%]{2,}")
NAME_LIMIT = 1024  # no mailbox name is longer: a Maildir++ folder is one file name of 255 octets


def canonical(reference: str, pattern: str) -> str:
    """The pattern in the context of the reference: what Unix-like servers do, plain joining (RFC 3501 §6.3.8)."""
    return reference + pattern


class Pattern:
    """A compiled pattern: `Pattern("Sent/%", "/").matches("Sent/2026")`."""

    def __init__(self, pattern: str, separator: str) -> None:
        # A run of wildcards matches what `*` does when there is one in it, else what `%` does.
        pattern = _WILDCARDS.sub(lambda run: "*" if "*" in run.group() else "%", pattern)
        self._anything = pattern == "*"  # what most clients ask for
        self._machine = _Machine(pattern, separator)
        inbox = pattern.upper()
        self._inbox = _Machine(inbox, separator)

    def matches(self, name: str) -> bool:
        """Whether the whole name matches; INBOX without regard to case."""
        return self._anything or (self._inbox if name == "INBOX" else self._machine).accepts(name)


class _Machine:
    """Bit i is set while the first i characters of the pattern have matched what was read so far."""

    def __init__(self, pattern: str, separator: str) -> None:
        self._separator = separator
        self._least = len(pattern) - pattern.count("*") - pattern.count("%")
        if self._least > NAME_LIMIT:
            pattern = ""  # it matches no name; wide machines would make building it quadratic
        self._accepting = 1 << len(pattern)
        self._steps: dict[str, int] = {}  # character -> states it leads on from
        self._stars = self._percents = 0  # states that stay when a character is read
        for place, character in enumerate(pattern):
            if character == "*":
                self._stars |= 1 << place
            elif character == "%":
                self._percents |= 1 << place
            else:
                self._steps[character] = self._steps.get(character, 0) | 1 << place
        self._wild = self._stars | self._percents

    def accepts(self, name: str) -> bool:
        if not self._least <= len(name) <= NAME_LIMIT:
            return False
        stars, wild, steps = self._stars, self._wild, self._steps
        states = 1
        states |= (states & wild) << 1  # a wildcard may match nothing; runs are collapsed, so one step is enough
        for character in name:
            stay = states & (stars if character == self._separator else wild)
            states = (states & steps.get(character, 0)) << 1 | stay
            states |= (states & wild) << 1
            if not states:
                return False
        return bool(states & self._accepting)
