"""FETCH of what the snapshot and the summaries know: a function per item, applied to many messages."""

from collections.abc import Callable, Sequence

from emailgency.codec import maildir
from emailgency.codec.imap import downgrade, responses
from emailgency.codec.imap.commands import Attribute
from emailgency.codec.mime.summary import Summary
from emailgency.servers.imap import flags
from emailgency.servers.imap.selected import Selected
from emailgency.store.mailboxes.folder import Folder

SUMMARISED: dict[Attribute, Callable[[Summary], bytes]] = {
    Attribute.ENVELOPE: lambda summary: summary.envelope,
    Attribute.BODY: lambda summary: summary.body,
    Attribute.BODYSTRUCTURE: lambda summary: summary.bodystructure,
}


def rows(
    view: Selected, present: Sequence[tuple[int, int]], items: Sequence[Attribute], utf8: bool
) -> list[bytes | None]:
    """A whole FETCH response for each message, given as (position in the view, place in the folder).

    None for a message whose summary or file is not there: another program expunged or renamed it just now.
    """
    makers = [maker(view, item, utf8) for item in items]
    if len(makers) == 1:
        make = makers[0]
        pairs = [(position, make(place)) for position, place in present]
        return [None if made is None else b"* %d FETCH (%b)\r\n" % (position + 1, made) for position, made in pairs]
    lines: list[bytes | None] = []
    for position, place in present:
        made = [one for make in makers if (one := make(place)) is not None]
        whole = len(made) == len(makers)
        lines.append(b"* %d FETCH (%b)\r\n" % (position + 1, b" ".join(made)) if whole else None)
    return lines


def maker(view: Selected, item: Attribute, utf8: bool) -> Callable[[int], bytes | None]:
    """A function: place in the folder -> the attribute as sent, None when it cannot be known.

    `utf8`: the client takes UTF-8 (RFC 6855); others get it as encoded words.
    """
    folder = view.folder
    match item:
        case Attribute.FLAGS:
            return _flags_maker(view)
        case Attribute.UID:
            uids = folder.uids
            return lambda place: b"UID %d" % uids[place]
        case Attribute.SIZE:
            return lambda place: _if_there(lambda: responses.size_attribute(folder.size(place)))
        case Attribute.PREVIEW | Attribute.PREVIEW_IF_KNOWN:
            return _preview_maker(view, or_nil=item is Attribute.PREVIEW_IF_KNOWN)
        case Attribute.INTERNALDATE:
            return lambda place: _if_there(lambda: responses.date_attribute(folder.date(place)))
        case Attribute.MODSEQ:
            modseqs = folder.modseqs
            return lambda place: b"MODSEQ (%d)" % modseqs[place]
        case Attribute.EMAILID:
            return lambda place: b"EMAILID (%b)" % maildir.email_id(folder.names[place][4:]).encode("ascii")
        case Attribute.THREADID:
            return lambda place: b"THREADID NIL"
        case Attribute.SAVEDATE:
            return lambda place: responses.save_date(maildir.saved_at(folder.names[place][4:]))
    return _summary_maker(folder, item, utf8)


def _flags_maker(view: Selected) -> Callable[[int], bytes]:
    letters, uids, text = view.folder.letters, view.folder.uids, flags.texts(view.folder)
    if view.recents:
        return lambda place: b"FLAGS (%b)" % text(letters[place], view.recent(uids[place]))
    known: dict[str, bytes] = {}

    def make(place: int) -> bytes:
        one = letters[place]
        found = known.get(one)
        if found is None:
            found = known[one] = b"FLAGS (%b)" % text(one, False)
        return found

    return make


def _preview_maker(view: Selected, or_nil: bool) -> Callable[[int], bytes | None]:
    uids, previews = view.folder.uids, view.previews

    def make(place: int) -> bytes | None:
        words = previews.get(uids[place])
        return responses.preview(words) if words is not None or or_nil else None

    return make


def _summary_maker(folder: Folder, item: Attribute, utf8: bool) -> Callable[[int], bytes | None]:
    uids, summaries, part, name = folder.uids, folder.summaries, SUMMARISED[item], item.value

    def make(place: int) -> bytes | None:
        summary = summaries.get(uids[place])
        if summary is None:
            return None
        octets = part(summary)
        if not utf8 and not octets.isascii():
            octets = downgrade.envelope(octets) if item is Attribute.ENVELOPE else downgrade.structure(octets)
        return b"%b %b" % (name, octets)

    return make


def _if_there(make: Callable[[], bytes]) -> bytes | None:
    try:
        return make()
    except FileNotFoundError:
        return None
