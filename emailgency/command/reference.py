"""The list of commands in docs/command.md, made from the command table: `python -m emailgency.command.reference`."""

from emailgency.command.kinds import Argument, Command, Kind
from emailgency.command.table import COMMANDS


def reference() -> str:
    """A Markdown table, one row a command."""
    rows = [f"| `{usage(command)}` | {command.help} |" for command in COMMANDS]
    return "\n".join(["| command | what it does |", "|---|---|", *rows, ""])


def usage(command: Command) -> str:
    """ "mailbox add ADDRESS [--vip on\\|off] …" """
    return " ".join([command.words, *map(_form, command.arguments)]).replace("|", r"\|")


def _form(argument: Argument) -> str:
    value = "|".join(argument.choices) if argument.choices else argument.key.rpartition("_")[2].upper()
    if argument.kind is Kind.SWITCH:
        value = "on|off"
    if argument.name.startswith("-"):
        form = argument.name if argument.kind is Kind.FLAG else f"{argument.name} {value}"
        return f"[{form}]{'…' if argument.many else ''}"
    form = value if argument.choices else argument.key.upper()
    return f"[{form}]" if argument.optional else f"{form}{' …' if argument.many else ''}"


if __name__ == "__main__":
    print(reference(), end="")
