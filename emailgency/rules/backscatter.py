"""Who may be sent a bounce (product row C6): a forged sender must never hear from us (attack row 12)."""

from enum import Enum

from emailgency.model.envelope import Envelope, Recipient


class Answer(Enum):
    """What a failure calls forth."""

    NOTIFY = "notify"  # a notification to the sender
    KEEP = "keep"  # the mail goes to Undelivered with the reason
    SILENCE = "silence"  # nobody wants to know


def answer(envelope: Envelope, recipient: Recipient, event: str) -> Answer:
    """`event` is a keyword of RFC 3461 section 4.1: "FAILURE", "DELAY" or "SUCCESS".

    A user of ours who had to log in is known to be the sender, and so is whom SPF or a signature of his own domain
    vouches for. A null sender is never answered (RFC 5321 section 4.5.5). A known sender who wants no word of failures
    gets none.
    """
    known = bool(envelope.sender) and (envelope.client.mailbox is not None or envelope.genuine)
    if event == "FAILURE":
        if not known:
            return Answer.KEEP
        return Answer.NOTIFY if not recipient.notify or event in recipient.notify else Answer.SILENCE
    wanted = event in recipient.notify or (event == "DELAY" and not recipient.notify)
    return Answer.NOTIFY if known and wanted else Answer.SILENCE
