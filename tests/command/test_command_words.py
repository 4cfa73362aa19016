"""What a person types becomes a command and its arguments, or a line of usage and status 2."""

import pytest

from emailgency.command.kinds import Kind
from emailgency.command.parser import parse
from emailgency.command.place import data_folder, default_data
from emailgency.command.table import COMMANDS, GROUPS


def test_only_what_was_given_travels() -> None:
    asked = parse(["customer", "set", "mydomain.zz", "--stealth", "on", "--pending-lifetime", "7"])
    assert asked.command.words == "customer set"
    assert asked.arguments == {"customer": "mydomain.zz", "stealth": True, "pending_lifetime": 7}


def test_options_of_every_command_stand_before_or_after_its_words() -> None:
    before = parse(["--data", "/d", "--json", "pending", "list"])
    after = parse(["pending", "list", "--data", "/d", "--json"])
    assert before.everywhere == after.everywhere == {"json": True, "data": "/d", "settings": None}


def test_repeated_options_and_places_become_lists() -> None:
    assert parse(["mailbox", "add", "a@b.zz", "--forward", "x@y.zz", "--forward", "z@y.zz"]).arguments["forward"] == [
        "x@y.zz",
        "z@y.zz",
    ]
    assert parse(["list", "add", "l@b.zz", "a@b.zz", "c@b.zz"]).arguments["members"] == ["a@b.zz", "c@b.zz"]


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["customer"],
        ["no-such-command"],
        ["mailbox", "add"],
        ["customer", "add", "a.zz", "--role", "third"],
        ["customer", "add", "a.zz", "--pending-lifetime", "-1"],
        ["customer", "add", "a.zz", "--pending-lifetime", "٣"],
        ["mailbox", "set", "a@b.zz", "--vip", "maybe"],
        ["customer", "list", "--dat", "/d"],
    ],
)
def test_wrong_words_leave_with_status_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        parse(words)
    assert left.value.code == 2
    assert "usage: emailgency" in capsys.readouterr().err


def test_the_table_has_each_command_once_and_each_group_has_commands() -> None:
    words = [command.words for command in COMMANDS]
    assert len(set(words)) == len(words)
    assert {one.split()[0] for one in words if " " in one} == set(GROUPS)


def test_every_command_that_destroys_asks_and_can_be_told_not_to() -> None:
    for command in COMMANDS:
        told = any(argument.name == "--yes" for argument in command.arguments)
        assert told == bool(command.ask)
    assert {command.words for command in COMMANDS if command.ask} >= {
        "customer remove",
        "mailbox remove",
        "wipe-mailbox",
        "pending flush",
    }


def test_every_place_and_option_says_what_it_is_for() -> None:
    for command in COMMANDS:
        assert command.help
        for argument in command.arguments:
            assert argument.help
            assert argument.kind is not Kind.FLAG or argument.name.startswith("--")


def test_the_data_folder_is_the_one_the_server_takes(tmp_path, monkeypatch) -> None:
    from emailgency import settings

    monkeypatch.chdir(tmp_path)
    assert default_data() == settings.default_data()
    file = tmp_path / "emailgency.toml"
    file.write_text('data = "mail"\n')
    assert data_folder(None, str(file)) == settings.load(str(file)).data == str(tmp_path / "mail")
    assert data_folder("other", str(file)) == settings.load(str(file), "other").data == str(tmp_path / "other")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert data_folder(None, None) == settings.load(None).data
