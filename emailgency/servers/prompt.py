"""A TCP transport that sends a reply where it is written.

The reactor's own would wait for the next turn to hear that the socket takes octets, which it nearly always does: two
calls of epoll_ctl and one event for each of the seven replies of a message, 10 % of what a small message costs.
"""

from twisted.internet.tcp import Server


class Prompt(Server):
    """What the socket does not take at once goes the usual way, and so does everything behind it.

    For protocols that write once for what they have read. Octets under STARTTLS go the usual way.
    """

    _waiting = False  # for the reactor to say that the socket takes more

    def write(self, octets: bytes) -> None:
        if self.connected and not self.TLS and not self._waiting:
            sent = self.writeSomeData(octets)
            if isinstance(sent, int):  # else the connection is lost, as the reactor will find
                octets = octets[sent:]
        if octets:
            super().write(octets)

    def startWriting(self) -> None:
        self._waiting = True
        super().startWriting()

    def stopWriting(self) -> None:
        self._waiting = False
        super().stopWriting()
