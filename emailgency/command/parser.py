"""From the command table to argparse and back: words on the line -> the command and its arguments."""

import argparse
from typing import Any, NamedTuple

from emailgency.command.kinds import Argument, Command, Kind
from emailgency.command.table import COMMANDS, EVERYWHERE, GROUPS

ON_OFF = {"on": True, "off": False, "yes": True, "no": False}


class Asked(NamedTuple):
    """What a person typed. `arguments` holds only what was given; `everywhere` the options of every command."""

    command: Command
    arguments: dict[str, Any]
    everywhere: dict[str, Any]


def parse(words: list[str]) -> Asked:
    """Leaves with status 2 and a line of usage when the words make no command, and with 0 for --help."""
    found = vars(_parser().parse_args(words))
    command: Command = found.pop("command")
    everywhere = {argument.key: found.pop(argument.key, None) for argument in EVERYWHERE}
    return Asked(command, {key: value for key, value in found.items() if value is not None}, everywhere)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="emailgency",
        description="Works on the Emailgency server that runs on this machine.",
        epilog="Leaves with 0: done, 1: refused, 2: wrong words, 3: no server is running, 4: the server is in trouble.",
        allow_abbrev=False,
    )
    _add(parser, EVERYWHERE)
    first = parser.add_subparsers(metavar="COMMAND", required=True)
    groups = {}
    for group, help_text in GROUPS.items():
        holder = first.add_parser(group, help=help_text, description=help_text, allow_abbrev=False)
        groups[group] = holder.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        group, _, word = command.words.rpartition(" ")
        place = groups[group] if group else first
        one = place.add_parser(word, help=command.help, description=command.help, allow_abbrev=False)
        _add(one, command.arguments)
        _add(one, EVERYWHERE)
        one.set_defaults(command=command)
    return parser


def _add(parser: argparse.ArgumentParser, arguments: tuple[Argument, ...]) -> None:
    for argument in arguments:
        parser.add_argument(argument.name, **_form(argument))


def _form(argument: Argument) -> dict[str, Any]:
    option = argument.name.startswith("-")
    # An option that was not given leaves no trace, so that it may stand before or after the words of the command.
    form: dict[str, Any] = {"help": argument.help, "default": argparse.SUPPRESS}
    if argument.kind is Kind.FLAG:
        return form | {"action": "store_true"}
    form["metavar"] = argument.key.rpartition("_")[2].upper() if option else argument.key.upper()
    if argument.choices:
        form |= {"choices": argument.choices, "metavar": "|".join(argument.choices)}
    if argument.kind is Kind.WHOLE:
        form["type"] = _whole
    if argument.kind is Kind.SWITCH:
        form |= {"type": _switch, "metavar": "on|off"}
    if argument.many:
        form |= {"action": "append"} if option else {"nargs": "+"}
    elif argument.optional and not option:
        form["nargs"] = "?"
    return form


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def _switch(text: str) -> bool:
    if text not in ON_OFF:
        raise argparse.ArgumentTypeError(f"{text!r} is neither on nor off")
    return ON_OFF[text]
