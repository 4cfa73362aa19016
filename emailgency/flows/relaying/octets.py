"""The octets of a message of ours on their way into another one."""

from collections.abc import AsyncIterator

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

CHUNK = 1 << 16  # octets read at a time; so much of a header is looked at


async def chunks(reactor: IReactorTime, path: str, offset: int) -> AsyncIterator[bytes]:
    """From `offset` to the end; the reactor gets its turn between the chunks. Raises OSError."""
    with open(path, "rb", buffering=0) as file:
        file.seek(offset)
        while chunk := file.read(CHUNK):
            yield chunk
            await deferLater(reactor, 0)


def header(path: str, offset: int) -> bytes:
    """The fields with their CRLFs, without the empty line; of a very long header the whole fields that fit."""
    with open(path, "rb", buffering=0) as file:
        file.seek(offset)
        start = file.read(CHUNK)
    end = start.find(b"\r\n\r\n")
    return start[: end + 2] if end >= 0 else start[: start.rfind(b"\r\n") + 2]
