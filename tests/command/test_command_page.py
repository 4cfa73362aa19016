"""docs/command.md has every command as it is."""

from pathlib import Path

from emailgency.command.reference import reference


def test_the_page_has_the_commands_of_the_table() -> None:
    page = Path(__file__).parents[2].joinpath("docs", "command.md").read_text()
    assert reference() in page, "python -m emailgency.command.reference makes that part anew"
