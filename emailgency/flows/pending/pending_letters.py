"""What stands in pending messages: one for somebody to look at, or those that hold some words."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from emailgency.background import in_thread
from emailgency.codec.mime.letter import READ, Letter, letter
from emailgency.flows.pending.pending_view import MessageLine, PendingView
from emailgency.flows.progress import Progress
from emailgency.model.envelope import Envelope, Outbound, Relay
from emailgency.model.errors import Busy, Invalid

if TYPE_CHECKING:
    from emailgency.store.spool.pending import Waiting
    from emailgency.store.spool.spool import Spool

MOST_READ = 10_000  # messages in one search
SEARCHES = 3  # for words, of customers, at once; a thread of the pool each
_AT_ONCE = 50  # messages; 10 ms if they have 10 KiB each


class Search(Struct, frozen=True):
    """Parts of what is searched for, in any case; "" finds all, and "<>" as `sender` the null reverse-path."""

    sender: str = ""
    recipient: str = ""
    text: str = ""  # in the header, or in the text as somebody reads it


class PendingLetters:
    """Reads files of the spool in a thread, the beginning of each."""

    def __init__(self, reactor: Any, spool: "Spool", view: PendingView) -> None:
        self._reactor = reactor
        self._spool = spool
        self._view = view
        self._searching: set[str] = set()  # customers

    async def look(self, id: str) -> tuple[Envelope, Letter]:
        """Also while it is on its way. Raises Invalid when it is not pending any more."""
        live = self._spool.live.get(id)
        if live is None or not any(isinstance(live.envelope.plan[index], Relay | Outbound) for index in live.remaining):
            raise Invalid("no message %(id)s is pending", id=id)
        (found,) = await self._read([live.envelope])
        if found is None:
            raise Invalid("no message %(id)s is pending any more, or its file cannot be read", id=id)
        return live.envelope, found

    async def search(self, customer: str | None, search: Search, limit: int, progress: Progress) -> list[MessageLine]:
        """Oldest first, at most `limit`. For a text the oldest `MOST_READ` that fit otherwise are read, no more.

        Raises Busy: one search for words of a customer at a time, and a few of all; the operator (None) is not counted.
        """
        wanted = _wanted(search)
        if not search.text:
            return self._view.messages(customer, limit, wanted)
        if customer is None:
            return await self._holding(None, wanted, search.text, limit, progress)
        if customer in self._searching or len(self._searching) >= SEARCHES:
            raise Busy("Another search is under way. Try again in a moment.")
        self._searching.add(customer)
        try:
            return await self._holding(customer, wanted, search.text, limit, progress)
        finally:
            self._searching.discard(customer)

    async def _holding(
        self, customer: str | None, wanted: "Callable[[Waiting], bool]", text: str, limit: int, progress: Progress
    ) -> list[MessageLine]:
        """Those of the wanted messages in which the text is."""
        lines = self._view.messages(customer, MOST_READ, wanted)
        words, found = text.casefold(), list[MessageLine]()
        for start in range(0, len(lines), _AT_ONCE):
            if len(found) >= limit:
                break
            some = [line for line in lines[start : start + _AT_ONCE] if line.id in self._spool.live]
            letters = await self._read([self._spool.live[line.id].envelope for line in some])
            found += [line for line, one in zip(some, letters, strict=True) if one and _holds(one, words)]
            progress("messages read", min(start + _AT_ONCE, len(lines)), len(lines))
        return found[:limit]

    async def _read(self, envelopes: Sequence[Envelope]) -> list[Letter | None]:
        """None: the file has just gone."""
        files = [(self._spool.path(envelope.id), envelope.return_path) for envelope in envelopes]
        return await in_thread(self._reactor, lambda: [_letter(path, start) for path, start in files])


def _letter(path: str, start: int) -> Letter | None:
    """Blocks."""
    try:
        with open(path, "rb") as file:
            file.seek(start)
            return letter(file.read(READ))
    except OSError:
        return None


def _holds(one: Letter, words: str) -> bool:
    return any(words in text.casefold() for text in (one.sender, one.to, one.subject, one.head, one.text))


def _wanted(search: Search) -> "Callable[[Waiting], bool]":
    sender, recipient = search.sender.casefold(), search.recipient.casefold()

    def wanted(waiting: "Waiting") -> bool:
        envelope = waiting.live.envelope
        if sender not in (envelope.sender.casefold() or "<>"):
            return False
        targets = (envelope.plan[index] for index in waiting.targets) if recipient else ()
        addresses = (target.address for target in targets if isinstance(target, Relay | Outbound))
        return not recipient or any(recipient in address.casefold() for address in addresses)

    return wanted
