"""What the program has said as plain English text, in journals and outcomes, found again for the language of a page.

Texts that are kept or sent on (the change journal, the reason of an outage) are English for whoever reads them later.
A page knows the sentence by its form and says it in the visitor's language; what it does not know stands as it is,
such as the words of another server.
"""

import re
from functools import lru_cache

from emailgency.model.words import Words

_CHANGES = (
    Words("plans standard and premium"),
    Words("password of operator %(name)s set"),
    Words("password of %(address)s set"),
    Words("plan %(name)s added"),
    Words("plan %(name)s changed"),
    Words("plan %(name)s removed"),
    Words("operator %(name)s added"),
    Words("operator %(name)s removed"),
    Words("customer %(name)s added"),
    Words("customer %(name)s changed"),
    Words("customer %(name)s removed"),
    Words("contact %(address)s added"),
    Words("contact %(address)s removed"),
    Words("domain alias %(domain)s of %(name)s added, %(why)s"),
    Words("domain alias %(domain)s of %(name)s removed"),
    Words("mail of %(domain)s is held by rule %(rule)s: from %(sender)s to %(recipient)s"),
    Words("mail of %(domain)s is no longer held by rule %(rule)s: from %(sender)s to %(recipient)s"),
    Words("pending message %(id)s made due at once"),
    Words("pending message %(id)s led to %(where)s, as %(after)s"),
    Words("pending message %(id)s for %(whose)s held"),
    Words("pending message %(id)s for %(whose)s released"),
    Words("pending message %(id)s for %(whose)s given up"),
    Words("pending message %(id)s for %(whose)s dropped"),
    Words("pending message %(id)s for %(whose)s kept in %(where)s"),
    Words("token %(id)s (%(name)s) for %(whose)s made"),
    Words("token %(id)s (%(name)s) for %(whose)s revoked"),
    Words("app password %(id)s (%(name)s) of %(whose)s made"),
    Words("app password %(id)s (%(name)s) of %(whose)s removed"),
    Words("passkey %(id)s (%(name)s) of %(whose)s added"),
    Words("passkey %(id)s (%(name)s) of %(whose)s removed"),
    Words("passkey %(id)s (%(name)s) of %(whose)s used"),
    Words("second factor of %(whose)s switched on"),
    Words("second factor of %(whose)s removed, with %(number)s passkeys"),
    Words("second factor of %(whose)s removed"),
    Words("new recovery codes of %(whose)s made"),
    Words("recovery code of %(whose)s used, %(left)s left"),
    Words("invitation to set a password mailed to %(addresses)s"),
    Words("link to set a new password mailed to %(address)s"),
    Words("%(number)s addresses imported"),
    Words("undone: %(address)s is as it was"),
    Words("expiration delay of %(address)s is what its user wants again"),
    Words("expiration delay of %(address)s shortened to %(days)s days for want of room"),
    Words("%(number)s mailboxes ready for addresses that the server of %(domain)s has"),
    Words("anybody"),
    Words("%(address)s banished"),
    Words("%(address)s removed"),
    Words("a mailbox %(address)s added"),
    Words("a mailbox %(address)s changed"),
    Words("an alias %(address)s added"),
    Words("an alias %(address)s changed"),
    Words("a distribution list %(address)s added"),
    Words("a distribution list %(address)s changed"),
)
_REASONS = (
    Words("port %(port)s is not allowed"),
    Words("%(ip)s port %(port)s is ourselves"),
    Words("%(ip)s is not a public address"),
    Words("flushed a moment ago, possible again in %(seconds)s s"),
    Words("your server does not answer: %(why)s"),
    Words("there is no server of your own"),
    Words("mail for your server is on hold"),
    Words("too many connections are open, try again in a moment"),
    Words("no address to try"),
    Words("we are stopping"),
    Words("interrupted"),
    Words("waited too long"),
    Words("no route: %(why)s"),
    Words("domain %(domain)s does not exist"),
    Words("cannot connect: %(why)s"),
    Words("connection lost: %(why)s"),
    Words("Connection was closed cleanly."),
    Words("Connection was refused by other side: 111: Connection refused."),
    Words("banner refused: %(answer)s"),
    Words("%(stage)s refused: %(answer)s"),
    Words("%(host)s: %(why)s"),
)
_PLACE = re.compile(r"%\((\w+)\)s")
_LONGEST = 600  # characters of a text that is looked at
# What others have written; all else has no blank in it, so a text is looked through once a form.
_FREE = frozenset({"addresses", "answer", "name", "why", "whose", "where"})


def known(words: Words | str) -> Words | str:
    """Words as they are, but for plain text among their values; plain text as `phrase`."""
    if isinstance(words, str):
        return phrase(words)
    values = {name: phrase(value) if isinstance(value, str) else value for name, value in words.values.items()}
    return Words(words.text, values)


@lru_cache(maxsize=4096)
def phrase(text: str) -> Words | str:
    """'password of paul@mydomain.zz set' -> its Words; what has no known form stays as it is."""
    for form, words in _forms() if len(text) <= _LONGEST else ():
        if found := form.fullmatch(text):
            return Words(words.text, {name: phrase(value) for name, value in found.groupdict().items()})
    return text


@lru_cache(maxsize=1)
def _forms() -> list[tuple[re.Pattern[str], Words]]:
    return [(_form(words.text), words) for words in (*_CHANGES, *_REASONS)]


def _form(key: str) -> re.Pattern[str]:
    pieces = _PLACE.split(key)
    places = (rf"(?P<{name}>{'.' if name in _FREE else '[^ ]'}+?)" for name in pieces[1::2])
    return re.compile("".join(re.escape(text) + next(places, "") for text in pieces[::2]), re.DOTALL)
