"""The story of a message, or a list of messages, on paper."""

import time
from collections.abc import Callable, Sequence

from emailgency.codec.sheet_pdf import Sheet
from emailgency.flows.pending.story_words import EVENTS, KINDS, STATES
from emailgency.flows.pending.where import CopyLine, Step, Whole
from emailgency.model.words import Words

Say = Callable[[Words], str]

MOST = 500  # rows of one table: 10 ms of CPU each; the last ones
_MARKS = Words("A mark stands for each sign that this document cannot show; the JSON export has them all.")
_SHORTENED = Words("Only the last %(count)s lines are shown here; the JSON export has them all.")


def story(whole: Whole, made_at: float, language: str, say: Say) -> bytes:
    """One message. Blocks, some 0.4 s."""
    sheet = _sheet(made_at, language, say)
    sheet.heading(whole.subject or say(Words("(no subject)")))
    sheet.pairs(
        [
            (say(Words("From")), whole.sender or "<>"),
            (say(Words("To")), ", ".join(whole.recipients)),
            (say(Words("Received")), _moment(whole.received_at)),
            (say(Words("Sent by")), whole.sent_by),
            (say(Words("Brought by")), f"{whole.helo} [{whole.ip}]".strip() if whole.ip else ""),
            (say(Words("Encryption")), whole.tls or (say(Words("none")) if whole.ip else "")),
            (say(Words("Checks")), ", ".join(whole.checks)),
            (say(Words("Size")), f"{whole.size:,} B".replace(",", " ")),
            ("Message-ID", whole.message_id),
            (say(Words("Our id")), whole.id),
            (say(Words("Because of")), whole.about),
            (say(Words("Led to")), ", ".join(whole.because)),
        ]
    )
    sheet.small_heading(say(Words("Where it is")))
    heads = [say(Words("For")), say(Words("Place")), say(Words("State")), say(Words("Since"))]
    _table(sheet, heads, (30, 34, 18, 18), [_copy(one, say) for one in whole.copies], say)
    if whole.steps:
        sheet.small_heading(say(Words("What happened")))
        heads = [say(Words("When")), say(Words("For")), say(Words("What")), say(Words("In their own words"))]
        _table(sheet, heads, (18, 24, 18, 40), [_step(one, say) for one in whole.steps], say)
    return sheet.octets(say(_MARKS))


def messages(found: Sequence[Whole], made_at: float, language: str, say: Say) -> bytes:
    """A list of them. Blocks, some 10 ms a message."""
    sheet = _sheet(made_at, language, say)
    heads = list(map(say, (Words("Received"), Words("From"), Words("To"), Words("Subject"), Words("State"))))
    rows = [
        [_moment(one.received_at), one.sender or "<>", _several(one.recipients), one.subject, _state(one.state, say)]
        for one in found
    ]
    _table(sheet, heads, (16, 22, 22, 26, 14), rows, say)
    return sheet.octets(say(_MARKS))


def _sheet(made_at: float, language: str, say: Say) -> Sheet:
    made = say(Words("As of %(at)s", {"at": _moment(made_at)}))
    return Sheet(say(Words("Where is it?")), made, made_at, language)


def _table(sheet: Sheet, heads: list[str], widths: tuple[int, ...], rows: list[list[str]], say: Say) -> None:
    if len(rows) > MOST:
        sheet.small_heading(say(Words(_SHORTENED.text, {"count": MOST})))
    sheet.table(heads, widths, rows[-MOST:])


def _copy(one: CopyLine, say: Say) -> list[str]:
    return [one.to, f"{say(KINDS[one.kind])} {one.place}".strip(), _state(one.state, say), _moment(one.since_at)]


def _step(one: Step, say: Say) -> list[str]:
    what = say(EVENTS.get(one.word, Words(one.word)))
    if one.by:
        what = f"{what} ({one.by})"
    return [second(one.happened_at), one.to, what, said(one)]


def said(step: Step) -> str:
    """Who said it, and their words."""
    words = " ".join(filter(None, (str(step.code) if step.code else "", step.enhanced, step.reply)))
    return f"{step.remote}: {words}" if step.remote and words else words or step.remote


def _state(state: str, say: Say) -> str:
    return say(STATES[state][0])


def _several(addresses: tuple[str, ...]) -> str:
    return addresses[0] + (f" + {len(addresses) - 1}" if len(addresses) > 1 else "") if addresses else ""


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at))


def second(at: float) -> str:
    """When, to the second: what follows each other within a minute stands below each other."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))
