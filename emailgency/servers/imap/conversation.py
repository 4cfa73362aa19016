"""The loop of one connection: greeting, then command after command in the order they came, each answered once."""

from twisted.internet.error import ConnectionLost

from emailgency.codec.imap import commands, responses
from emailgency.codec.imap.connection import BadCommand, Event, Fatal, NeedContinuation, Request
from emailgency.model.errors import Invalid, Temporary
from emailgency.servers.imap import notices
from emailgency.servers.imap.capabilities import capability_code
from emailgency.servers.imap.quota import settle
from emailgency.servers.imap.session import Completed, Refusal, Session, State, bad, no
from emailgency.servers.imap.table import TABLE


async def converse(session: Session) -> None:
    """From the greeting to the end of the connection."""
    line = session.line
    session.server.joined(session)
    try:
        line.write(responses.untagged("OK", f"{session.server.host_name} is ready.", capability_code(session)))
        while session.state is not State.GONE:
            line.at_rest = True
            if session.ending:
                line.close(session.ending)
            watch = session.watch
            if watch is not None:
                line.relieved = watch.wake
                watch.wake()
            event = await line.event()
            if watch is not None:
                await watch.lock.acquire()  # what it is just telling comes first
            line.at_rest = False
            try:
                await _answer(session, event)
            finally:
                if watch is not None:
                    watch.lock.release()
            await line.breathe()
    except ConnectionLost:
        pass
    except Exception:
        session.log.failure("imap {number}: session failed", number=session.number)
        line.close("We have trouble of our own, try again later.")
    finally:
        if session.watch is not None:
            session.server.watches.end(session)
        session.server.left(session)
        line.hang_up()


async def _answer(session: Session, event: Event) -> None:
    line = session.line
    match event:
        case Request(tag, command):
            await _do(session, tag, command)
            if session.principal is not None:
                session.mistakes = 0
        case NeedContinuation():
            line.write(responses.continuation())
        case BadCommand(tag, words, condition, code):
            line.write(responses.tagged(tag, condition, words, code))
            session.mistakes += 1
            if session.mistakes > session.server.settings.bad_commands:
                line.close("Too many commands that I do not understand.")
        case Fatal(words):
            line.close(words)
        case _:
            raise AssertionError(event)  # literals and lines come only where a command asked for them


async def _do(session: Session, tag: bytes, command: commands.Command) -> None:
    rule = TABLE[type(command)]
    session.tag = tag
    if session.state in rule.states:
        completed = await _within_quota(session, command)
    else:
        completed = bad(f"{_verb(command)} is not possible now: the state is {session.state.value}.")
    session.line.connection.refuse_literal()  # one that the command has not taken
    by_uid = getattr(command, "uid", False)  # only commands with a UID variant have it
    view = session.selected
    if view is not None and view.folder.gone:
        session.line.close("The folder has been deleted or made anew.")
        return
    session.tell_news(expunges=rule.expunges or by_uid, with_uid=by_uid)
    notices.pay(session)
    session.line.write(responses.tagged(tag, completed.condition, completed.words, completed.code))
    if completed.then is not None:
        completed.then()


async def _within_quota(session: Session, command: commands.Command) -> Completed:
    """What it was granted room for is there afterwards, or the room is free again."""
    stored = False
    try:
        completed = await _attempt(session, command)
        stored = completed.condition == "OK"
        return completed
    finally:
        settle(session, stored)


async def _attempt(session: Session, command: commands.Command) -> Completed:
    try:
        return await TABLE[type(command)].work(session, command)
    except ConnectionLost:
        raise
    except Refusal as refusal:
        return refusal.completed
    except Invalid as error:
        return no(f"That cannot be: {error}.", b"CANNOT")
    except Temporary as error:
        session.log.warn(
            "imap {number}: {command}: {error}", number=session.number, command=_verb(command), error=str(error)
        )
        return no("We have trouble of our own, try again later.", b"UNAVAILABLE")
    except Exception:
        session.log.failure("imap {number}: {verb} failed", number=session.number, verb=_verb(command))
        return no("We have trouble of our own, try again later.", b"SERVERBUG")


def _verb(command: commands.Command) -> str:
    return type(command).__name__.upper()
