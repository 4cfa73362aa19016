"""IDLE (RFC 2177): news are told when they happen."""

from emailgency.codec.imap import commands, responses
from emailgency.codec.imap.connection import Line
from emailgency.servers.imap.session import Completed, Session, bad


async def idle(session: Session, command: commands.Idle) -> Completed:
    """Until DONE. Nothing is kept per idle client but its view: a change of the folder writes at once."""
    line, view = session.line, session.selected
    line.write(responses.continuation("idling"))
    line.connection.expect_line()

    def tell() -> None:
        if view is not None and view.folder.gone:
            line.close("The folder has been deleted or made anew.")
        elif not line.blocked:  # a client that does not read hears all of it when it does
            session.tell_news(expunges=True, with_uid=False)

    watch = session.watch
    if view is not None:
        tell()
        if watch is None or not watch.tells_selected:
            view.woken = line.relieved = tell
    line.at_rest = True
    if watch is not None:  # it may speak now, as between commands
        watch.lock.release()
        watch.wake()
    try:
        event = await line.event()
    finally:
        if watch is not None:
            await watch.lock.acquire()
        line.at_rest = False
        if view is not None:
            view.woken = None
        line.relieved = None
    if isinstance(event, Line) and event.octets.upper() == b"DONE":
        return Completed("Done.")
    return bad("Only DONE ends IDLE.")
