"""NOTIFY (RFC 5465 section 8): which events of which mailboxes a client wants to hear of, unasked."""

from emailgency.codec.imap import arguments, fetch_items
from emailgency.codec.imap.commands import FetchItem, Group, Notify
from emailgency.codec.imap.grammar import Cursor, ProtocolError

NEW, EXPUNGE, FLAGS = "MESSAGENEW", "MESSAGEEXPUNGE", "FLAGCHANGE"
NAME, SUBSCRIPTION = "MAILBOXNAME", "SUBSCRIPTIONCHANGE"
METADATA, SERVER_METADATA = "MAILBOXMETADATACHANGE", "SERVERMETADATACHANGE"
SELECTED, DELAYED = "SELECTED", "SELECTED-DELAYED"

_MESSAGE_EVENTS = {NEW, EXPUNGE, FLAGS}
_EVENTS = _MESSAGE_EVENTS | {NAME, SUBSCRIPTION, METADATA, SERVER_METADATA}
_BAD_EVENT = (
    b"BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange MailboxMetadataChange "
    b"ServerMetadataChange)"
)
_SCOPES = {SELECTED, DELAYED, "INBOXES", "PERSONAL", "SUBSCRIBED", "SUBTREE", "MAILBOXES"}
_NAMED = {"SUBTREE", "MAILBOXES"}
_GROUPS = 64
_NAMES = 1000


def read(cursor: Cursor) -> Notify:
    cursor.space()
    word = cursor.word()
    if word == "NONE":
        return Notify(())
    if word != "SET":
        raise ProtocolError("NOTIFY takes SET or NONE")
    status = cursor.skip_word(b" STATUS")
    groups: list[Group] = []
    while not groups or cursor.octets.startswith(b" ", cursor.at):
        cursor.space()
        groups.append(_group(cursor))
        if len(groups) > _GROUPS:
            raise ProtocolError("too many groups of events", "NO", b"NOTIFICATIONOVERFLOW")
    if sum(group.scope in (SELECTED, DELAYED) for group in groups) > 1:
        raise ProtocolError("there is one selected mailbox")
    return Notify(tuple(groups), status)


def _group(cursor: Cursor) -> Group:
    cursor.need(b"(")
    scope = cursor.word()
    if scope not in _SCOPES:
        raise ProtocolError("unknown set of mailboxes")
    cursor.space()
    names: tuple[str, ...] = ()
    if scope in _NAMED:
        names = _names(cursor)
        cursor.space()
    selected = scope in (SELECTED, DELAYED)
    events, items = _events(cursor, selected)
    cursor.need(b")")
    return Group(scope, names, events, items)


def _names(cursor: Cursor) -> tuple[str, ...]:
    if not cursor.skip(b"("):
        return (arguments.mailbox(cursor),)
    names = [arguments.mailbox(cursor)]
    while cursor.skip(b" "):
        names.append(arguments.mailbox(cursor))
        if len(names) > _NAMES:
            raise ProtocolError("too many mailboxes", "NO", b"NOTIFICATIONOVERFLOW")
    cursor.need(b")")
    return tuple(names)


def _events(cursor: Cursor, selected: bool) -> tuple[frozenset[str], tuple[FetchItem, ...]]:
    """Section 3.1: of the message events MessageNew and MessageExpunge are the least, and come together."""
    if not cursor.skip(b"("):
        if cursor.word() != "NONE":
            raise ProtocolError("events are a list or NONE")
        return frozenset(), ()
    events: set[str] = set()
    items: tuple[FetchItem, ...] = ()
    while not events or cursor.skip(b" "):
        event = cursor.word()
        if event not in _EVENTS:
            raise ProtocolError("an event is not known here", "NO", _BAD_EVENT)
        events.add(event)
        if event == NEW and cursor.octets.startswith(b" (", cursor.at):
            cursor.space()
            items = fetch_items.read(cursor, uid=True)
    cursor.need(b")")
    wanted = events & _MESSAGE_EVENTS
    if wanted and not wanted >= {NEW, EXPUNGE}:
        raise ProtocolError("MessageNew and MessageExpunge come together")
    if selected and events - _MESSAGE_EVENTS:
        raise ProtocolError("the selected mailbox has only events of messages")
    if items and not selected:
        raise ProtocolError("fetch items are for the selected mailbox")  # section 5.2
    return frozenset(events), items
