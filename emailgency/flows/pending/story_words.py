"""What people call the places, states and events of a message's story, on pages and on paper."""

from emailgency.model.words import Words

KINDS = {
    "mailbox": Words("Mailbox"),
    "candidate": Words("Candidate"),
    "undelivered": Words("Undelivered"),
    "server": Words("Your server"),
    "forward": Words("Forwarding"),
    "elsewhere": Words("Another server"),
    "another": Words("Another mailbox here"),
    "nowhere": Words("Nowhere"),
}

# Of a copy: what it is called, and the mark it bears ("good", "warn", "bad", "soft")
STATES = {
    "bounced": (Words("refused for good"), "bad"),
    "expired": (Words("waited too long"), "bad"),
    "doubtful": (Words("perhaps taken already"), "warn"),
    "held": (Words("held"), "warn"),
    "deferred": (Words("put off"), "warn"),
    "pending": (Words("waiting"), "warn"),
    "given": (Words("taken"), "good"),
    "kept": (Words("kept here instead"), "good"),
    "rerouted": (Words("led to another server"), "good"),
    "dropped": (Words("dropped"), "soft"),
    "read": (Words("read"), "good"),
    "stored": (Words("stored"), "good"),
    "expunged": (Words("removed from the mailbox"), "soft"),
}

EVENTS = {
    "delivered": Words("stored"),
    "kept": Words("kept here instead"),
    "rerouted": Words("led to another server"),
    "relayed": Words("taken"),
    "deferred": Words("put off"),
    "doubtful": Words("perhaps taken: the last answer was lost"),
    "bounced": Words("refused for good"),
    "expired": Words("waited too long"),
    "dropped": Words("dropped"),
    "held": Words("held"),
    "released": Words("released"),
    "read": Words("read"),
    "expunged": Words("removed from the mailbox"),
}
