"""What a command of `emailgency` is: its words, its arguments, who does it and how its answer is shown.

A command is done by the running server (`Doer.SERVER`: its words and arguments travel over the control socket)
or here, on the files of the data folder (`Doer.HERE`).
"""

from enum import Enum
from typing import NamedTuple


class Doer(Enum):
    SERVER = "server"
    HERE = "here"


class Kind(Enum):
    """What an argument holds; decides how it is read and what the shell offers for it."""

    TEXT = "text"
    WHOLE = "whole number"
    SWITCH = "on or off"  # on: true, off: false
    FLAG = "flag"  # given or not
    FILE = "file"
    FOLDER = "folder"


class Argument(NamedTuple):
    """`name` with dashes is an option; without, a place on the line."""

    name: str
    help: str
    kind: Kind = Kind.TEXT
    choices: tuple[str, ...] = ()
    many: bool = False  # may be repeated, or, without dashes, one or more
    optional: bool = False  # a place that may stay empty; an option always may

    @property
    def key(self) -> str:
        """Its name in the arguments that travel."""
        return self.name.lstrip("-").replace("-", "_")


class Command(NamedTuple):
    words: str
    help: str
    arguments: tuple[Argument, ...] = ()
    doer: Doer = Doer.SERVER
    ask: str = ""  # asked before it is done, unless --yes; {names} are arguments
    said: str = ""  # told when it is done; {names} are arguments and fields of the answer. Empty: the answer itself
