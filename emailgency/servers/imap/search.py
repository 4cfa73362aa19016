"""SEARCH: what is found, told in the form the client asked for, and kept for `$` (RFC 4731, RFC 5182, RFC 9394)."""

from collections.abc import Sequence

from emailgency.codec.imap import commands, found, responses
from emailgency.codec.imap.return_options import Returns
from emailgency.servers.imap import marks, modseqs
from emailgency.servers.imap.searcher import Searcher
from emailgency.servers.imap.selected import Selected
from emailgency.servers.imap.session import Completed, Session, bad

_ALL = Returns(frozenset({"ALL"}))


async def search(session: Session, command: commands.Search) -> Completed:
    """SEARCH and UID SEARCH; numbers are those of this session's view, whatever happens to the folder meanwhile."""
    if command.charset and "UTF8=ACCEPT" in session.enabled:
        return bad("All strings are UTF-8 now.")  # RFC 6855 section 3
    view = session.view()
    with Saving(view, command.returns) as saving:
        positions = marks.positions(await Searcher(session, view).find(command.key))
        saving.keep(positions)
    numbers = numbered(view, positions, command.uid)
    returns = command.returns
    if returns is None and "IMAP4REV2" in session.enabled:
        returns = _ALL  # RFC 9051 section 6.4.4: the untagged SEARCH response is gone
    modseq = highest(session, view, command, positions)
    if returns is None:
        await session.line.say(responses.search(numbers, modseq))
    else:
        await tell(session, command.uid, returns, numbers, modseq)
    return Completed("That is what I found.")


def highest(session: Session, view: Selected, command: commands.Search | commands.Sort, positions: list[int]) -> int:
    """The highest mod-sequence of what is told, when the client asked for mod-sequences (RFC 7162 section 3.1.5)."""
    if not modseqs.asked_for(command.key):
        return 0
    told = positions if command.returns is None else kept(command.returns, positions)
    return modseqs.highest_found(session, view, told)


async def tell(session: Session, uid: bool, returns: Returns, numbers: Sequence[int], modseq: int = 0) -> None:
    """The ESEARCH response of numbers in the order of the answer; `modseq` is the highest of them (RFC 7162)."""
    if not returns.only_save:
        more = b" MODSEQ %d" % modseq if modseq else b""
        await session.line.say(found.extended(session.tag, uid, returns, numbers, more))


def numbered(view: Selected, positions: Sequence[int], uid: bool) -> list[int]:
    return view.uids(positions) if uid else [position + 1 for position in positions]


class Saving:
    """What SAVE does to `$` (RFC 5182 section 2.1): a command that fails inside this context leaves it empty."""

    def __init__(self, view: Selected, returns: Returns | None) -> None:
        self._view = view
        self._returns = returns if returns is not None and "SAVE" in returns.words else None

    def __enter__(self) -> "Saving":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and self._returns is not None:
            self._view.saved = ()

    def keep(self, positions: Sequence[int]) -> None:
        """Of positions in the order of the answer: those that were asked for."""
        if self._returns is not None:
            self._view.saved = tuple(sorted(self._view.uids(kept(self._returns, list(positions)))))


def kept(returns: Returns, positions: list[int]) -> list[int]:
    """RFC 5182 section 2.4 and RFC 9394 section 3.2: MIN, MAX and PARTIAL alone save only what they tell."""
    if returns.all or "COUNT" in returns.words or returns.only_save:
        return positions
    some: list[int] = []
    if "MIN" in returns.words:
        some += positions[:1]
    if "MAX" in returns.words:
        some += positions[-1:]
    if returns.partial is not None:
        some += returns.partial.cut(positions)
    return list(dict.fromkeys(some))
