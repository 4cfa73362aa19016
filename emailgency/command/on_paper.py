"""`where … --pdf FILE`: what the server has found, on paper; made on this side, which takes half a second."""

import os
import time
from typing import Any

from emailgency.command.failure import REFUSED, CommandFailed


def keep(path: str, found: list[dict[str, Any]]) -> dict[str, Any]:
    """One message with its whole story, or a list of several, as a new file. Raises CommandFailed."""
    import msgspec

    from emailgency.flows.pending import story_sheet
    from emailgency.flows.pending.where import Whole

    wholes = msgspec.convert(found, list[Whole])
    if len(wholes) == 1:
        octets = story_sheet.story(wholes[0], time.time(), "en", str)
    else:
        octets = story_sheet.messages(wholes, time.time(), "en", str)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(octets)
    except OSError as error:
        raise CommandFailed(f"{path}: {error.strerror}", REFUSED) from None
    return {"file": path, "messages": len(wholes)}
