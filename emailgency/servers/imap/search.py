"""SEARCH: sets of messages narrowed key by key, first by what the snapshot knows, last by reading files."""

from emailgency.codec.imap import commands
from emailgency.servers.imap.session import Completed, Session


async def search(session: Session, command: commands.Search) -> Completed:
    raise NotImplementedError
