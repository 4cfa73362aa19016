"""Completion scripts for bash, zsh and fish, made from the command table.

The scripts hold every word: completing asks no server and starts no Python.
"""

from emailgency.command.kinds import Argument, Command, Kind
from emailgency.command.table import COMMANDS, EVERYWHERE, GROUPS

FILES = {Kind.FILE, Kind.FOLDER}


def script(shell: str) -> str:
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell]()


def _first() -> dict[str, str]:
    """Words after `emailgency`, with their help."""
    return {**GROUPS, **{command.words: command.help for command in COMMANDS if " " not in command.words}}


def _second(group: str) -> dict[str, str]:
    return {command.words.split()[1]: command.help for command in COMMANDS if command.words.split()[0:-1] == [group]}


def _options(command: Command) -> list[Argument]:
    return [argument for argument in (*command.arguments, *EVERYWHERE) if argument.name.startswith("-")]


def _places(command: Command) -> list[Argument]:
    return [argument for argument in command.arguments if not argument.name.startswith("-")]


def _values(argument: Argument) -> tuple[str, ...]:
    return ("on", "off") if argument.kind is Kind.SWITCH else argument.choices


# ---- bash ------------------------------------------------------------------------------------------------

BASH = """\
# bash completion of emailgency
_emailgency() {
  local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" said="" words="" files="" i
  COMPREPLY=()
  case "$before" in
%(values)s
  esac
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "${COMP_WORDS[i]}" in
      --data|--settings) ((i++));;
      -*) ;;
      *) said="${said:+$said }${COMP_WORDS[i]}"
        case "$said" in %(groups)s) ;; *) break;; esac;;
    esac
  done
  case "$said" in
%(cases)s
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  if [[ $files && $word != -* ]]; then COMPREPLY+=($(compgen -f -- "$word")); fi
}
complete -o filenames -F _emailgency emailgency
"""


def _bash() -> str:
    values = {option.name: _bash_value(option) for command in COMMANDS for option in _options(command)}
    cases = [_bash_case("", [*_first(), *(option.name for option in EVERYWHERE)])]
    cases += [_bash_case(group, list(_second(group))) for group in GROUPS]
    for command in COMMANDS:
        places = _places(command)
        words = [option.name for option in _options(command)] + [value for place in places for value in _values(place)]
        cases.append(_bash_case(command.words, words, any(place.kind in FILES for place in places)))
    return BASH % {
        "values": "\n".join(line for line in values.values() if line),
        "groups": "|".join(GROUPS),
        "cases": "\n".join(cases),
    }


def _bash_case(said: str, words: list[str], files: bool = False) -> str:
    return f'    "{said}") words="{" ".join(words)}"{" files=1" if files else ""};;'


def _bash_value(option: Argument) -> str:
    """What may follow an option; nothing for one that stands alone."""
    if option.kind is Kind.FLAG:
        return ""
    offered = "-f" if option.kind in FILES else f'-W "{" ".join(_values(option))}"'
    return f'    {option.name}) COMPREPLY=($(compgen {offered} -- "$word")); return;;'


# ---- zsh -------------------------------------------------------------------------------------------------


ZSH = """\
#compdef emailgency
# zsh completion of emailgency: the file _emailgency in a folder of $fpath, or: source <(emailgency completion zsh)
_emailgency() {
  local curcontext=$curcontext state line
  local -a first second
  first=(%(first)s)
  _arguments -C %(everywhere)s '1:command:{_describe command first}' '*::argument:->rest'
  [[ $state == rest ]] || return
  case $words[1] in
%(cases)s
  esac
}
if [[ $funcstack[1] == _emailgency ]]; then _emailgency "$@"; else compdef _emailgency emailgency; fi
"""

ZSH_GROUP = """\
    %(group)s)
      second=(%(second)s)
      _arguments -C %(everywhere)s '1:command:{_describe command second}' '*::argument:->more'
      [[ $state == more ]] || return
      case $words[1] in
%(cases)s
      esac;;"""


def _zsh() -> str:
    everywhere = " ".join(_zsh_option(option) for option in EVERYWHERE)
    cases = []
    for group in GROUPS:
        inner = [command for command in COMMANDS if command.words.startswith(f"{group} ")]
        form = {"group": group, "second": _zsh_words(_second(group)), "everywhere": everywhere}
        cases.append(ZSH_GROUP % (form | {"cases": "\n".join(_zsh_case(command) for command in inner)}))
    cases += [_zsh_case(command) for command in COMMANDS if " " not in command.words]
    return ZSH % {"first": _zsh_words(_first()), "everywhere": everywhere, "cases": "\n".join(cases)}


def _zsh_words(words: dict[str, str]) -> str:
    return " ".join(f"'{word}:{_quoted(text)}'" for word, text in words.items())


def _zsh_case(command: Command) -> str:
    forms = [_zsh_option(option) for option in _options(command)]
    for place in _places(command):
        mark = "*" if place.many else ":" if place.optional else ""
        forms.append(f"'{mark}:{place.key}:{_zsh_action(place)}'")
    return f"        {command.words.split()[-1]}) _arguments {' '.join(forms)};;"


def _zsh_option(option: Argument) -> str:
    form = f"{'*' if option.many else ''}{option.name}[{_quoted(option.help)}]"
    return f"'{form}'" if option.kind is Kind.FLAG else f"'{form}:{option.key}:{_zsh_action(option)}'"


def _zsh_action(argument: Argument) -> str:
    if _values(argument):
        return f"({' '.join(_values(argument))})"
    return {Kind.FILE: "_files", Kind.FOLDER: "_files -/"}.get(argument.kind, "")


def _quoted(text: str) -> str:
    """For zsh's '…[help]' and '…:help' forms inside single quotes."""
    for sign in "\\[]:":
        text = text.replace(sign, "\\" + sign)
    return text.replace("'", "'\\''")


# ---- fish ------------------------------------------------------------------------------------------------


def _fish() -> str:
    lines = [
        "# fish completion of emailgency",
        "complete -c emailgency -f",
        *(_fish_option("", option) for option in EVERYWHERE),
    ]
    taken = " ".join(_first())
    for word, text in _first().items():
        lines.append(_fish_line(f"not __fish_seen_subcommand_from {taken}", f"-a {word}", text))
    for group in GROUPS:
        seconds = _second(group)
        for word, text in seconds.items():
            said = f"__fish_seen_subcommand_from {group}; and not __fish_seen_subcommand_from {' '.join(seconds)}"
            lines.append(_fish_line(said, f"-a {word}", text))
    for command in COMMANDS:
        said = "; and ".join(f"__fish_seen_subcommand_from {word}" for word in command.words.split())
        for argument in command.arguments:
            if argument.name.startswith("-"):
                lines.append(_fish_option(said, argument))
            elif _values(argument):
                lines.append(_fish_line(said, f"-a '{' '.join(_values(argument))}'", argument.help))
            elif argument.kind in FILES:
                lines.append(_fish_line(said, "-F", argument.help))
    return "\n".join([*lines, ""])


def _fish_option(said: str, option: Argument) -> str:
    form = f"-l {option.name[2:]}"
    if _values(option):
        form += f" -x -a '{' '.join(_values(option))}'"
    elif option.kind in FILES:
        form += " -r -F"
    elif option.kind is not Kind.FLAG:
        form += " -x"
    return _fish_line(said, form, option.help)


def _fish_line(said: str, form: str, text: str) -> str:
    when = f" -n '{said}'" if said else ""
    plain = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"complete -c emailgency{when} {form} -d '{plain}'"
