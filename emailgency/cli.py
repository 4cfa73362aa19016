"""The command `emailgency`: reads the words, lets the running server or a local task do them, prints the answer."""

import getpass
import os
import sys
from typing import Any

from emailgency.command.exchange import exchange
from emailgency.command.failure import REFUSED, USAGE, CommandFailed
from emailgency.command.kinds import Doer
from emailgency.command.parser import Asked, parse
from emailgency.command.place import data_folder
from emailgency.command.shown import Progress, as_json, as_words, printable

LARGEST_IMPORT = 4 << 20  # octets: 50,000 addresses of 80 octets; the server takes lines of up to twice that


def main(words: list[str] | None = None) -> int:
    asked = parse(sys.argv[1:] if words is None else words)
    try:
        result = run(asked)
        text = as_json(result) if asked.everywhere["json"] else said(asked, result)
        if text:
            print(text)
        sys.stdout.flush()
    except CommandFailed as failed:
        return complain(failed, bool(asked.everywhere["json"]))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `emailgency … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 1 if isinstance(result, dict) and result.get("problems") else 0


def run(asked: Asked) -> Any:
    data = data_folder(asked.everywhere["data"], asked.everywhere["settings"])
    confirm(asked)
    progress = Progress()
    try:
        if asked.command.doer is Doer.HERE:
            from emailgency.command import here  # loads what only these need

            return here.do(asked, data, progress.show)
        return kept(asked, exchange(data, asked.command.words, travelling(asked), progress.show))
    finally:
        progress.end()


def travelling(asked: Asked) -> dict[str, Any]:
    """The arguments as the server wants them: files are read and passwords are asked for on this side."""
    arguments = {key: value for key, value in asked.arguments.items() if key != "yes"}
    if asked.command.words in ("password", "operator password"):
        arguments["password"] = password()
    if asked.command.words == "import":
        arguments |= imported(arguments.pop("file"))
    if arguments.pop("pdf", None):
        arguments["whole"] = True
    return arguments


def kept(asked: Asked, result: Any) -> Any:
    """The result, unless it goes into a file."""
    if not asked.arguments.get("pdf"):
        return result
    from emailgency.command import on_paper

    return on_paper.keep(asked.arguments["pdf"], result)


def confirm(asked: Asked) -> None:
    if not asked.command.ask or asked.arguments.get("yes"):
        return
    if not sys.stdin.isatty():
        raise CommandFailed("this cannot be undone: add --yes to do it without being asked", USAGE)
    print(printable(asked.command.ask.format(**asked.arguments)), "[y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise CommandFailed("nothing was done", REFUSED)


def password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline(4096).rstrip("\r\n")
    first = getpass.getpass("New password: ")
    if getpass.getpass("Once more: ") != first:
        raise CommandFailed("the two passwords differ", REFUSED)
    return first


def imported(path: str) -> dict[str, str]:
    kind = os.path.splitext(path)[1].lower().lstrip(".")
    if kind not in ("csv", "json"):
        raise CommandFailed(f"{path}: the name must end in .csv or .json", USAGE)
    try:
        with open(path, "rb") as file:
            octets = file.read(LARGEST_IMPORT + 1)
    except OSError as error:
        raise CommandFailed(f"{path}: {error.strerror}", USAGE) from None
    if len(octets) > LARGEST_IMPORT:
        raise CommandFailed(f"{path}: more than {LARGEST_IMPORT} octets; split it", USAGE)
    try:
        return {"form": kind, "text": octets.decode("utf-8-sig")}
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise CommandFailed(f"{path}: line {line} is not UTF-8 text", REFUSED) from None


def said(asked: Asked, result: Any) -> str:
    """The command's own sentence where it has one, else the answer as a table."""
    if asked.command.said and isinstance(result, dict) and not result.get("problems"):
        return printable(asked.command.said.format(**asked.arguments | result))
    return result if asked.command.words == "completion" else as_words(result)


def complain(failed: CommandFailed, json: bool) -> int:
    if json:
        print(as_json({"error": str(failed), "details": list(failed.details)}))
    else:
        print(f"emailgency: {printable(str(failed))}", file=sys.stderr)
        for line in failed.details:
            print(f"  {printable(line)}", file=sys.stderr)
    return failed.status
