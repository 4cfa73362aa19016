"""The records of the spool journal, in the order of a message's life (lines of `codec.records`).

Replaying all segments in order gives what is live. Every record may be read twice: when an old segment is given up, the
envelope of a message still live is written again, followed by what has become of its targets.
"""

import msgspec
from msgspec import Struct

from emailgency.codec import records
from emailgency.model.envelope import Envelope, Outcome

DELIVERED = Outcome(word="delivered")


class Accepted(Struct, frozen=True, tag="accepted", tag_field="record"):
    """The COMMIT of a message. A second one of the same id changes nothing."""

    envelope: Envelope


class Finished(Struct, frozen=True, tag="finished", tag_field="record"):
    """These targets (indices in the plan) are done, for good or for ill; `at` in seconds since the epoch."""

    id: str
    targets: tuple[int, ...]
    at: float
    outcome: Outcome


class Tried(Struct, frozen=True, omit_defaults=True, tag="tried", tag_field="record"):
    """An attempt that settled nothing; `next` is when the next one is due, in seconds since the epoch.

    `freed_at`: when these targets were set free after they were held, from which their term counts; 0.0: never.
    """

    id: str
    targets: tuple[int, ...]
    at: float
    next: float
    outcome: Outcome
    freed_at: float = 0.0


class Acknowledged(Struct, frozen=True, tag="acknowledged", tag_field="record"):
    """Their senders spoke again after our 250 (RFC 1047): a repetition is a new message."""

    ids: tuple[str, ...]


class Ended(Struct, frozen=True, tag="ended", tag_field="record"):
    """Nothing is left to do; the .msg may go."""

    ids: tuple[str, ...]


class Void(Struct, frozen=True, tag="void", tag_field="record"):
    """Their commit was answered with 451, yet the Accepted record may have reached the disk: it does not count."""

    ids: tuple[str, ...]


Record = Accepted | Finished | Tried | Acknowledged | Ended | Void

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)


def encode(record: Record) -> bytes:
    """The line to append."""
    return records.encode(_encoder.encode(record))


def decode(record: bytes) -> Record:
    """What `codec.records.Reader` gave. Raises msgspec.ValidationError for a record no version of ours wrote."""
    return _decoder.decode(record)
