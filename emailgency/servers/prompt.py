"""A TCP transport that sends a reply where it is written, and its half of the end where it is said.

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
            try:
                sent = self.socket.send(octets)
            except OSError:
                sent = 0  # it takes no more, or the connection is lost: the reactor will find which
            octets = octets[sent:]
        if octets:
            super().write(octets)

    def loseWriteConnection(self) -> None:
        if self.connected and not self.TLS and not self._waiting:
            self._writeDisconnected = True
            self._closeWriteConnection()
        else:
            super().loseWriteConnection()

    def startWriting(self) -> None:
        self._waiting = True
        super().startWriting()

    def stopWriting(self) -> None:
        self._waiting = False
        super().stopWriting()
