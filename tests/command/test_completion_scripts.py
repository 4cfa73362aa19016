"""The shells read their completion scripts, and offer what the command table has."""

import subprocess

import pytest

from emailgency.command.completion import script
from emailgency.command.table import COMMANDS, GROUPS

FIRST = {*GROUPS, *(command.words for command in COMMANDS if " " not in command.words)}


def run(*words: str, text: str = "") -> str:
    return subprocess.run(words, input=text, capture_output=True, text=True, check=True, timeout=20).stdout


def bash(*words: str) -> set[str]:
    ask = f"""{script("bash")}
    COMP_WORDS=(emailgency "$@"); COMP_CWORD=$#; _emailgency; printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    return set(run("bash", "-c", ask, "bash", *words).split("\n")) - {""}


def fish(line: str) -> set[str]:
    # As a file: fish reads a script of standard input with its own terminal's eyes.
    answer = run("fish", "-c", f"source; complete -C '{line}'", text=script("fish"))
    return {offered.split("\t")[0] for offered in answer.splitlines()}


@pytest.mark.peer("bash")
def test_bash_reads_its_script() -> None:
    run("bash", "-n", text=script("bash"))


@pytest.mark.peer("bash")
def test_bash_offers_commands_options_and_values() -> None:
    assert bash("") >= FIRST
    assert bash("customer", "") == {"add", "list", "show", "set", "remove"}
    assert bash("--data", "/x", "server", "") == {"accept", "list", "show"}
    assert bash("customer", "set", "x.zz", "--relay", "") == {"on", "hold", "none"}
    assert bash("customer", "set", "x.zz", "--ste") == {"--stealth"}
    assert bash("completion", "") >= {"bash", "zsh", "fish"}


@pytest.mark.peer("bash")
def test_bash_offers_files_only_where_a_file_is_wanted(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "people.csv").touch()
    assert "people.csv" in bash("import", "")
    assert "people.csv" in bash("--settings", "")
    assert "people.csv" not in bash("mailbox", "add", "")


@pytest.mark.peer("zsh")
def test_zsh_reads_its_script() -> None:
    run("zsh", "-n", text=script("zsh"))


@pytest.mark.peer("zsh")
def test_zsh_offers_commands() -> None:
    ask = "autoload -Uz compinit; compinit -D -u; source /dev/stdin; print ${_comps[emailgency]}"
    assert run("zsh", "-f", "-c", ask, text=script("zsh")).strip() == "_emailgency"


@pytest.mark.peer("fish")
def test_fish_reads_its_script() -> None:
    run("fish", "-n", text=script("fish"))


@pytest.mark.peer("fish")
def test_fish_offers_commands_options_and_values() -> None:
    assert fish("emailgency ") >= FIRST
    assert fish("emailgency customer ") == {"add", "list", "show", "set", "remove"}
    assert fish("emailgency customer set x.zz --relay ") == {"on", "hold", "none"}
    assert fish("emailgency completion ") == {"bash", "zsh", "fish"}
    assert "--stealth" in fish("emailgency customer set x.zz --")
