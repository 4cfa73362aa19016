"""How much may still be put into a place that has a limit, while several put things there at once (attack row 29)."""

from msgspec import Struct

UNLIMITED = 1 << 62


class Count(Struct, frozen=True):
    """Messages, and their octets."""

    messages: int = 0
    octets: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(self.messages + other.messages, self.octets + other.octets)

    def __sub__(self, other: "Count") -> "Count":
        return Count(self.messages - other.messages, self.octets - other.octets)

    def within(self, limit: "Count") -> bool:
        return self.messages <= limit.messages and self.octets <= limit.octets


class Room(Struct):
    """What is there, as counted at `at` and known since. What is granted counts beside it until it is settled, so that
    two never share the same room.
    """

    held: Count = Count()
    at: float = float("-inf")
    granted: Count = Count()
    added: Count = Count()  # by what was settled, ever

    def taken(self) -> Count:
        return self.held + self.granted

    def recounted(self, counted: Count, added_before: Count, now: float) -> None:
        """`added_before` is `added` when counting began: what was settled since may have been counted or not."""
        self.held = counted + (self.added - added_before)
        self.at = now

    def grant(self, more: Count, limit: Count) -> bool:
        """Whether there is room for `more`; then it is taken until `settle`."""
        if not (self.taken() + more).within(limit):
            return False
        self.granted += more
        return True

    def settle(self, granted: Count, stored: Count) -> None:
        """`stored` of what was `granted` is there now."""
        self.granted -= granted
        self.held += stored
        self.added += stored


def near(taken: Count, limit: Count) -> bool:
    """Whether it is time to look closely: nine tenths are taken."""
    return not taken.within(Count(limit.messages * 9 // 10, limit.octets * 9 // 10))
