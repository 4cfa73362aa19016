"""The header of a message on its way in: held back until it is whole, put down as it shall be, then the rest follows.

What claims to be our own finding is taken off (RFC 8601 section 5), for every customer: his server may trust our name.
What we do find out about the message stands at its very top, where room is left until the body has come.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.logger import Logger

from emailgency.codec import authentication_results
from emailgency.codec.trace import HeaderScan
from emailgency.model.authentication import Findings

if TYPE_CHECKING:
    from emailgency.flows.receiving.examination import Examination
    from emailgency.store.spool.arrival import Arrival


class Heading:
    """Of one message. `rewrite` makes the header that is stored of the one that came; it is let go of afterwards, since
    it belongs to the transaction that holds this object, and cycles cost 10 times what they hold.
    """

    _log = Logger()

    def __init__(self, scan: HeaderScan, rewrite: Callable[[bytes], bytes]) -> None:
        self.examination: Examination | None = None  # not None: somebody wants to know who sent it
        self._scan = scan
        self._rewrite: Callable[[bytes], bytes] | None = rewrite  # until the header is whole
        self._beginning: list[bytes] = []  # as long

    def leave_room(self, arrival: "Arrival") -> None:
        """Here our findings will stand."""
        if self.examination is not None:
            arrival.reserve(authentication_results.LONGEST)

    def keep(self, arrival: "Arrival", octets: bytes) -> None:
        """More of the message; `scan` has seen it."""
        if self._rewrite is None:
            arrival.write(octets)
            if self.examination is not None:
                self.examination.body(octets)
            return
        self._beginning.append(octets)
        if self._scan.complete:
            self.close(arrival)

    def close(self, arrival: "Arrival") -> None:
        """The header has come, or all of a message that is nothing else."""
        rewrite, self._rewrite = self._rewrite, None
        if rewrite is None:
            return
        header, beginning = self._scan.octets, b"".join(self._beginning)
        self._beginning.clear()
        stored = rewrite(header)
        arrival.write(beginning if stored is header else stored + beginning[len(header) :])
        if self.examination is not None:
            self.examination.header(header)
            self.examination.body(beginning[len(header) + 2 :])

    async def findings(self, arrival: "Arrival") -> Findings:
        """What was found out, now also in its place in the message. Never fails, so that no mail is kept away."""
        examination, found = self.examination, Findings()
        if examination is None:
            return found
        try:
            found = await examination.findings()
        except Exception:
            self._log.failure("{id} could not be examined", id=arrival.id)
        arrival.fill(authentication_results.write(examination.name, found.checked))
        return found
