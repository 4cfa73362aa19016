"""What SEARCH, SORT and THREAD answer, as bytes (RFC 4731 section 3, RFC 5256 section 4, RFC 5267, RFC 9394)."""

from collections.abc import Iterable, Iterator, Sequence

from emailgency.codec.imap import responses
from emailgency.codec.imap.return_options import Returns
from emailgency.codec.imap.sets import compress
from emailgency.model.threads import Thread


def sorted_numbers(numbers: Sequence[int], modseq: int = 0) -> bytes:
    """`* SORT 2 84 882`; `modseq`: the highest of them (RFC 7162 section 3.1.6)."""
    return responses.search(numbers, modseq, b"SORT")


def extended(tag: bytes, uid: bool, returns: Returns, numbers: Sequence[int], more: bytes = b"") -> bytes:
    """`* ESEARCH (TAG "A1") UID COUNT 2 ALL 4:5`. `numbers` are in the order of the answer: for SORT the sorted one.

    MIN and MAX are the first and the last of them (RFC 5267 section 4.2). `more` stands at the end.
    """
    told = b'* ESEARCH (TAG "%b")%b' % (tag, b" UID" if uid else b"")
    if "MIN" in returns.words and numbers:
        told += b" MIN %d" % numbers[0]
    if "MAX" in returns.words and numbers:
        told += b" MAX %d" % numbers[-1]
    if "COUNT" in returns.words:
        told += b" COUNT %d" % len(numbers)
    if returns.all and numbers:
        told += b" ALL " + compress(numbers)
    if returns.partial is not None:
        page = returns.partial.cut(list(numbers))
        told += b" PARTIAL (%b %b)" % (returns.page, compress(page) if page else b"NIL")
    return told + more + b"\r\n"


def threads(forest: Iterable[Thread], numbers: Sequence[int]) -> Iterator[bytes]:
    """`* THREAD (2)(3 6 (4 23)(44 7 96))` in pieces; `numbers` are those of the messages that were threaded."""
    yield b"* THREAD"
    space = b" "
    for thread in forest:
        yield space + b"".join(_thread(thread, numbers))
        space = b""
    yield b"\r\n"


def _thread(thread: Thread, numbers: Sequence[int]) -> Iterator[bytes]:
    """An only child follows its parent, siblings stand in parentheses. Any depth."""
    waiting: list[Thread | bytes] = [b")", thread, b"("]
    while waiting:
        one = waiting.pop()
        if isinstance(one, bytes):
            yield one
            continue
        if one.message is not None:
            yield b"%d" % numbers[one.message]
            if one.children:
                yield b" "
        if len(one.children) == 1:
            waiting.append(one.children[0])
        else:
            for child in reversed(one.children):
                waiting += (b")", child, b"(")
