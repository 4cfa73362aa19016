"""Asking a server whether it has an address: MAIL FROM:<>, RCPT, RSET, and QUIT in the end; never DATA (row G5).

One address a transaction, one after the other, each when the one before is answered.
"""

from collections.abc import Callable

from twisted.internet.interfaces import IOpenSSLClientConnectionCreator

from emailgency.codec.smtp import client as smtp
from emailgency.net.reactor import NetReactor
from emailgency.net.session import CourierSettings, Session

Next = Callable[[smtp.Result | None], smtp.Path | None]


class Callout(Session):
    """`next` gets the last answer (None: there was none yet) and gives what to ask now; None: nothing more."""

    def __init__(
        self,
        next: Next,
        settings: CourierSettings,
        reactor: NetReactor,
        name: str,
        tls_options: IOpenSSLClientConnectionCreator | None,
    ) -> None:
        super().__init__(settings, reactor, name, tls_options)
        self._next = next

    def _happened(self, event: smtp.Event) -> None:
        if isinstance(event, smtp.Ended):
            self._ask(event.results[0])
            return
        super()._happened(event)
        if isinstance(event, smtp.Ready) and self.greeted:
            self._ask(None)

    def _ask(self, answered: smtp.Result | None) -> None:
        while self.greeted:
            path = self._next(answered)
            if path is None:
                self._quit()
            elif refused := self.client.ask(path):
                answered = refused.results[0]
            else:
                return
