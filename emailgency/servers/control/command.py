"""What a command of the control socket is: the arguments it takes and the deed that answers it."""

from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct

from emailgency.flows.progress import Progress
from emailgency.store.directory.changes import Author
from emailgency.store.directory.directory import Directory, Gone

SOURCE = "command line"  # in the change journal


class Asker(Struct, frozen=True):
    """Who asked, as the kernel says (SO_PEERCRED), and where to tell how far the work is."""

    user: str
    progress: Progress

    @property
    def author(self) -> Author:
        return Author(self.user, SOURCE)


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """The arguments of a command that takes none."""


class Command(Struct, frozen=True):
    """`deed(arguments, asker)` returns what msgspec can write as JSON; raises Invalid or Temporary."""

    arguments: type[Struct]
    deed: Callable[[Any, Asker], Awaitable[object]]


Commands = dict[str, Command]


async def domain_of(directory: Directory, customer: str) -> str:
    """What a customer is called in answers; one that is gone by its id."""
    try:
        return (await directory.customer(customer)).domain
    except Gone:
        return customer
