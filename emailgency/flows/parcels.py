"""A waiting message as what a courier carries, and what the courier says as what the spool records."""

from emailgency.codec.smtp.client import Mail, Path, Result
from emailgency.model.envelope import Outbound, Outcome, Relay
from emailgency.net.courier import Courier
from emailgency.net.parcel import Parcel
from emailgency.store.pending import Waiting

REPLY_LENGTH = 500  # characters of a remote's words that are kept


def parcel_of(waiting: Waiting, path: str) -> Parcel:
    """Relay and forward leave out the Return-Path field; relay keeps the envelope sender (design.md)."""
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
        size=envelope.size - envelope.return_path,
        eight_bit=envelope.body != "7bit",
        smtputf8=envelope.smtputf8,
        ret=envelope.ret,
        envid=envelope.envid,
    )
    return Parcel(mail, path, envelope.return_path, waiting)


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
