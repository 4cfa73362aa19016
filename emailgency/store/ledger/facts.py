"""An envelope of the spool journal -> what each customer's ledger holds of it. Nobody's ledger tells of another's.

What one customer's user sends to another's address stands in both: his own sees whom he wrote to and that it was
handed over, the other one his own recipients and where their copies are.
"""

from emailgency.codec.mime.decoding import header_text
from emailgency.model.envelope import Catchall, Deliver, Envelope, Outbound, Target, Undelivered
from emailgency.model.story import Copy, Facts, Kind

_LONGEST = 500  # characters of a subject


def shares(envelope: Envelope) -> dict[str, Facts]:
    """By customer."""
    customers = {envelope.customer, *(target.customer for target in envelope.plan)}
    if len(customers) == 1:
        copies = tuple(_copy(index, target) for index, target in enumerate(envelope.plan))
        return {envelope.customer: _facts(envelope, tuple(one.as_given for one in envelope.recipients), copies)}
    return {customer: _share(envelope, customer) for customer in customers}


def foremost(envelope: Envelope) -> frozenset[int]:
    """Targets of other customers that stand for their recipients in the ledger of whoever sent the message."""
    found: dict[int, int] = {}
    for index, target in enumerate(envelope.plan):
        if target.customer != envelope.customer:
            found.setdefault(target.recipient, index)
    return frozenset(found.values())


def parties(facts: Facts) -> set[str]:
    """What a message is found by at once: addresses, which have an @, and ids of ours."""
    names = {facts.sender.lower(), *(recipient.lower() for recipient in facts.recipients)}
    for copy in facts.copies:
        if copy.kind is Kind.MAILBOX:
            names.add(into(copy.place))
        elif copy.place:
            names.add(copy.place.lower())
    if facts.mailbox:
        names.add(sent_by(facts.mailbox))
    if facts.about:
        names.add(about(facts.about))
    names.discard("")
    return names


def into(mailbox: str) -> str:
    """Whose copies lie in this mailbox."""
    return f"={mailbox}"


def sent_by(mailbox: str) -> str:
    """What the user of this mailbox has sent."""
    return f">{mailbox}"


def about(id: str) -> str:
    """What was written because of this message."""
    return f"~{id}"


def _share(envelope: Envelope, customer: str) -> Facts:
    own = [(index, target) for index, target in enumerate(envelope.plan) if target.customer == customer]
    copies = [_copy(index, target) for index, target in own]
    if customer == envelope.customer:
        stand_ins = sorted(foremost(envelope))
        copies += [Copy(index, Kind.ANOTHER, envelope.plan[index].recipient) for index in stand_ins]
        return _facts(envelope, tuple(one.as_given for one in envelope.recipients), tuple(copies))
    numbers = {recipient: place for place, recipient in enumerate(sorted({target.recipient for _, target in own}))}
    moved = tuple(Copy(one.target, one.kind, numbers[one.recipient], one.place) for one in copies)
    return _facts(envelope, tuple(envelope.recipients[number].as_given for number in numbers), moved, whole=False)


def _copy(index: int, target: Target) -> Copy:
    if isinstance(target, Outbound):
        kind = Kind.FORWARD if target.origin == "forward" else Kind.ELSEWHERE
        return Copy(index, kind, target.recipient, target.address)
    if isinstance(target, Undelivered):
        return Copy(index, Kind.UNDELIVERED, target.recipient)
    if isinstance(target, Deliver):
        return Copy(index, Kind.MAILBOX, target.recipient, target.mailbox)
    kind = Kind.CANDIDATE if isinstance(target, Catchall) else Kind.SERVER
    return Copy(index, kind, target.recipient, target.address)


def _facts(envelope: Envelope, recipients: tuple[str, ...], copies: tuple[Copy, ...], whole: bool = True) -> Facts:
    """Not `whole`: another customer's user sent it, and from where is not told."""
    client = envelope.client
    ours = whole or client.mailbox is None
    return Facts(
        id=envelope.id,
        at=envelope.received_at,
        sender=envelope.sender,
        subject=_text(envelope.subject),
        message_id=envelope.message_id,
        size=envelope.size - envelope.return_path,
        recipients=recipients,
        copies=copies,
        ip=client.ip if ours else "",
        helo=client.helo if ours else "",
        tls=(client.tls or "") if ours else "",
        mailbox=(client.mailbox or "") if whole else "",
        about=envelope.about if whole else "",
        checks=envelope.checks,
    )


def _text(subject: str) -> str:
    """Encoded words decoded; one line without control characters."""
    if "=?" in subject:
        subject = header_text(subject.encode())
    if not subject.isprintable():
        subject = "".join(sign if sign.isprintable() else " " for sign in subject)
    return subject[:_LONGEST]
