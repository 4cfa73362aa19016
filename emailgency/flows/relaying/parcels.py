"""A waiting message as what a courier carries, and what the courier says as what the spool records."""

from emailgency.codec.smtp.client import Mail, Path, Result
from emailgency.model.envelope import Outbound, Outcome, Relay
from emailgency.net.courier import Courier
from emailgency.net.parcel import Parcel
from emailgency.store.spool.pending import Waiting

REPLY_LENGTH = 500  # characters of a remote's words that are kept


def parcel_of(waiting: Waiting, path: str, token: object) -> Parcel:
    """Relay and forward leave out the Return-Path field; relay keeps the envelope sender (design.md).

    What may be a repetition says so: the id is also in our Received field of the first one, and Message-ID is the same.
    """
    mark = f"X-Emailgency-Id: {waiting.live.envelope.id}\r\n".encode() if waiting.doubtful else b""
    prefix = mark + (waiting.seal or b"") + waiting.fields
    envelope = waiting.live.envelope
    paths = []
    for index in waiting.targets:
        target = envelope.plan[index]
        assert isinstance(target, Relay | Outbound)
        recipient = envelope.recipients[target.recipient]
        paths.append(Path(target.address, recipient.notify, recipient.original))
    mail = Mail(
        sender=envelope.sender if waiting.sender is None else waiting.sender,
        recipients=tuple(paths),
        size=envelope.size - envelope.return_path + len(prefix),
        eight_bit=envelope.body != "7bit",
        smtputf8=envelope.smtputf8,
        ret=envelope.ret,
        envid=envelope.envid,
        require_tls=envelope.require_tls,
    )
    return Parcel(mail, path, envelope.return_path, token, prefix)


def address_of(waiting: Waiting, target: int) -> str:
    """Where a target goes, in wire form."""
    found = waiting.live.envelope.plan[target]
    assert isinstance(found, Relay | Outbound)
    return found.address


def outcome_of(word: str, result: Result, courier: Courier) -> Outcome:
    """As the remote said it; without `remote` when it was we who decided."""
    reply = result.reply
    return Outcome(
        word=word,
        code=reply.code,
        enhanced=reply.enhanced,
        reply=reply.text[:REPLY_LENGTH],
        remote="" if result.ours else courier.peer,
    )
