"""Mail that we write to people, on its usual way: to whatever an address of ours means, else to its own MX."""

import secrets
from collections.abc import Callable

from emailgency.codec import trace
from emailgency.codec.mime.compose import Letterhead, Written, compose
from emailgency.model.directory import Customer
from emailgency.model.envelope import Client, Envelope, Outbound, Recipient
from emailgency.rules.routing import POSTMASTER
from emailgency.store.spool.spool import Spool


class OwnMail:
    """Nobody answers it and nothing comes back from it: its reverse-path is null."""

    def __init__(self, spool: Spool, clock: Callable[[], float], host_name: str) -> None:
        self._spool = spool
        self._clock = clock
        self._host_name = host_name

    async def send(self, customer: Customer, recipient: str, written: Written, answers: str = "") -> str:
        """The id of the message, which is on stable storage. `recipient` in wire form; `answers` is the Message-ID of
        what this is the automatic answer to. Raises Temporary.
        """
        now = self._clock()
        head = Letterhead(
            author=customer.domain,
            sender=f"{POSTMASTER}@{customer.alternate_domain}",
            recipient=recipient,
            message_id=f"{secrets.token_hex(16)}@{self._host_name}",
            at=now,
            answers=answers,
        )
        arrival = self._spool.begin(now)
        return_path = trace.return_path("")
        octets = compose(head, written)
        arrival.write(return_path + octets)
        await self._spool.commit(
            arrival,
            Envelope(
                id=arrival.id,
                customer=customer.id,
                sender="",
                received_at=now,
                size=arrival.size,
                return_path=len(return_path),
                recipients=(Recipient(as_given=recipient, notify=("NEVER",)),),
                plan=(Outbound(customer=customer.id, address=recipient, recipient=0, origin="notice"),),
                client=Client(ip="127.0.0.1"),
                body="7bit" if octets.isascii() else "8bitmime",
                smtputf8=not recipient.isascii(),
            ),
        )
        return arrival.id
