"""Who is told that his message waits for a server that is down (product row "Senders", attack row 12).

Only a person who is known to have sent it, who wrote to one of ours by name, and whom nobody else would answer for:
never a null sender, a list or a robot (RFC 3834 section 2), nor whom neither SPF nor a signature vouches for (row C6).
"""

import re
from collections.abc import Mapping, Sequence

from emailgency.model.envelope import Envelope, Recipient
from emailgency.rules.backscatter import Answer, answer

# Lower-case names of the fields that are looked at
LIST_FIELDS = (  # RFC 2369, RFC 2919, and what older list programs write
    *("list-id", "list-help", "list-subscribe", "list-unsubscribe", "list-post", "list-owner", "list-archive"),
    *("mailing-list", "x-mailing-list", "x-beenthere"),
)
ROBOT_FIELDS = ("x-autoreply", "x-autorespond", "x-autoresponder", "x-loop", "feedback-id", "x-auto-response-suppress")
FIELDS = (*LIST_FIELDS, *ROBOT_FIELDS, "auto-submitted", "precedence")

# fmt: off
_ROLES = frozenset((  # RFC 2142, RFC 3834 section 2, and what programs send from
    "mailer-daemon", "postmaster", "listserv", "majordomo", "mailman", "sympa", "owner", "bounce", "bounces",
    "root", "daemon", "nobody", "uucp", "news", "usenet", "noreply", "no-reply", "no_reply", "donotreply",
    "do-not-reply", "do_not_reply", "notification", "notifications", "newsletter", "news-letter", "alert", "alerts",
    "abuse", "hostmaster", "webmaster", "ftp", "www", "www-data", "cron", "automailer", "autoreply", "auto-reply",
    "robot", "bot",
))
# fmt: on
_ENDS = ("-request", "-owner", "-bounces", "-bounce", "-errors", "-return", "-relay", "-admin", "-noreply", "-no-reply")
_BEGINS = ("owner-", "bounce-", "bounces-", "bounce+", "bounces+", "return-", "srs0", "srs1", "prvs", "btv1", "msprvs")
_TOKEN = re.compile(r"[0-9a-f]{16,}|[0-9]{8,}")  # as in what names each message of a mailing


def is_robot(address: str) -> bool:
    """Whether the address is a role's, a list's, or one made for this message alone (VERP)."""
    local = address.rpartition("@")[0].strip('"').lower()
    bare = local.partition("+")[0]
    if bare in _ROLES or bare.endswith(_ENDS) or local.startswith(_BEGINS):
        return True
    return "=" in local or bool(_TOKEN.search(local))


def why_not(envelope: Envelope, recipient: Recipient, fields: Mapping[str, Sequence[str]], addressed: bool) -> str:
    """Words for the log; "": he may be told. `addressed`: the recipient stands in To or Cc (RFC 3834 section 2)."""
    if envelope.client.mailbox is not None:
        return "he is a user of ours"
    if answer(envelope, recipient, "DELAY") is not Answer.NOTIFY:
        return "nobody vouches for the sender, or he wants no word of delays"
    if is_robot(envelope.sender):
        return "the sender is no person"
    submitted = [value.partition(";")[0].strip().lower() for value in fields.get("auto-submitted", ())]
    if any(value != "no" for value in submitted):
        return "no person sent it"
    if any(value.strip().lower() in ("bulk", "list", "junk") for value in fields.get("precedence", ())):
        return "it was sent to many"
    if any(name in fields for name in LIST_FIELDS):
        return "it came by a list"
    if any(name in fields for name in ROBOT_FIELDS):
        return "its sender wants no automatic answer"
    return "" if addressed else "the recipient does not stand in its header"
