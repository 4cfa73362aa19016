"""The loop of one connection: greeting, then command after command in the order they came, each answered once."""

from twisted.internet.error import ConnectionLost

from emailgency.codec.pop3 import commands, responses
from emailgency.codec.pop3.connection import BadCommand, Event, Fatal, Request
from emailgency.model.errors import Temporary
from emailgency.servers.pop3.session import Answer, Session, State, err
from emailgency.servers.pop3.table import TABLE

_TROUBLE = err("We have trouble of our own, try again later.", "SYS/TEMP")


async def converse(session: Session) -> None:
    """From the greeting to the end of the connection. No timestamp in it: APOP would need passwords in clear."""
    line = session.line
    session.server.joined(session)
    try:
        line.write(responses.ok("Emailgency is ready."))
        while session.state is not State.GONE:
            line.at_rest = True
            if session.ending:
                line.close(session.ending)
            event = await line.event()
            line.at_rest = False
            await _answer(session, event)
            await line.breathe()
    except ConnectionLost:
        pass
    except Exception:
        session.log.failure("pop3 {number}: session failed", number=session.number)
        line.close("We have trouble of our own, try again later.")
    finally:
        session.server.left(session)
        line.hang_up()


async def _answer(session: Session, event: Event) -> None:
    line = session.line
    match event:
        case Request(command):
            answer = await _do(session, command)
            line.write(answer.octets)
            if answer.then is not None:
                answer.then()
            if session.principal is not None:
                session.mistakes = 0
        case BadCommand(words):
            line.write(responses.err(words))
            session.mistakes += 1
            if session.mistakes > session.server.settings.bad_commands:
                line.hang_up()
        case Fatal(words):
            line.write(responses.err(words))
            line.hang_up()
        case _:
            raise AssertionError(event)  # lines come only where a command asked for them


async def _do(session: Session, command: commands.Command) -> Answer:
    rule = TABLE[type(command)]
    if session.state not in rule.states:
        return err(f"{_verb(command)} is not possible in the {session.state.value} state.")
    try:
        return await rule.work(session, command)
    except ConnectionLost:
        raise
    except Temporary as error:
        session.log.warn(
            "pop3 {number}: {command}: {error}", number=session.number, command=_verb(command), error=str(error)
        )
        return _TROUBLE
    except Exception:
        session.log.failure("pop3 {number}: {verb} failed", number=session.number, verb=_verb(command))
        return _TROUBLE


def _verb(command: commands.Command) -> str:
    return type(command).__name__.upper()
