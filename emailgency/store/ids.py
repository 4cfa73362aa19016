"""Fresh ids of messages: when and where in the spool can be read from them, nothing else."""

import secrets

_COUNT = 1 << 16


class Ids:
    """20 hex digits: seconds since the epoch (8), a counter (4), the random mark of this process (8)."""

    def __init__(self) -> None:
        self.mark = secrets.token_hex(4)
        self._counter = 0

    def fresh(self, at: float) -> str:
        """Unique among all processes and starts unless 65,536 are drawn in the same second."""
        self._counter = (self._counter + 1) % _COUNT
        return f"{int(at):08x}{self._counter:04x}{self.mark}"
