"""What a courier is given and what it gives back."""

import os
from typing import BinaryIO

from msgspec import Struct
from msgspec.structs import replace

from emailgency.codec.smtp import client as smtp
from emailgency.codec.smtp.reply_reader import Reply

CHUNK = 1 << 16  # octets read and written at a time; a smaller message is read in one go


class Parcel(Struct, frozen=True):
    """A message to carry: the transaction, and the file whose octets from `offset` on are the body, behind `prefix`.

    `token` is whatever its owner knows it by.
    """

    mail: smtp.Mail
    path: str
    offset: int
    token: object = None
    prefix: bytes = b""  # header fields for this hop; `mail.size` counts them


class Unsettled(Struct, frozen=True):
    """A parcel without a result. `begun`: its turn had come, it may be the cause; `doubtful`: perhaps it was taken."""

    parcel: Parcel
    begun: bool
    doubtful: bool


class Closure(Struct, frozen=True, kw_only=True):
    """How a connection ended. `reply` is the server's refusal of the session, if that was it."""

    reason: str
    greeted: bool = False
    carried: int = 0  # messages that got a result
    reply: Reply | None = None
    tls_failed: bool = False
    unsettled: tuple[Unsettled, ...] = ()


class Opened(Struct):
    """A parcel with its file: `rest` is what is still to be read after `chunk`; None: `chunk` is all."""

    parcel: Parcel
    chunk: bytes
    rest: BinaryIO | None

    def close(self) -> None:
        if self.rest:
            self.rest.close()
            self.rest = None


def open_parcel(parcel: Parcel) -> Opened:
    """Raises OSError, also when the file is not what the envelope says."""
    file = open(parcel.path, "rb", buffering=0)  # noqa: SIM115 -- stays open while the body is sent
    try:
        if os.fstat(file.fileno()).st_size - parcel.offset + len(parcel.prefix) != parcel.mail.size:
            raise OSError("size differs from the envelope's")
        file.seek(parcel.offset)
        chunk = parcel.prefix + file.read(CHUNK)
    except OSError:
        file.close()
        raise
    if parcel.mail.smtputf8 and chunk[: chunk.find(b"\r\n\r\n") + 1 or CHUNK].isascii():
        # Asked for, but not needed by the header: a next hop without SMTPUTF8 can take it (RFC 6531 section 3.6)
        parcel = replace(parcel, mail=replace(parcel.mail, smtputf8=False))
    if len(chunk) < parcel.mail.size:
        return Opened(parcel, chunk, file)
    file.close()
    return Opened(parcel, chunk, None)
