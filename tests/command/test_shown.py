"""What stands on the screen: tables that line up, nothing that moves the cursor, progress on terminals only."""

import io

from emailgency.command.shown import Progress, as_words, octets, printable


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_columns_of_a_table_line_up() -> None:
    told = as_words([{"address": "a@b.zz", "vip": True}, {"address": "longer@b.zz", "vip": False}])
    assert told.splitlines() == ["ADDRESS      VIP", "a@b.zz       yes", "longer@b.zz  no"]


def test_one_thing_is_a_line_a_field_and_its_lists_are_tables() -> None:
    told = as_words({"domain": "b.zz", "aliases": ["x", "y"], "hops": [{"state": "down"}], "forward": []})
    assert told.splitlines() == ["domain   b.zz", "aliases  x, y", "forward  -", "", "hops:", "  STATE", "  down"]


def test_a_text_stands_line_by_line_below_all_else_and_moves_no_cursor() -> None:
    told = as_words({"text_lines": ["one", "", "\x1b[2Jtwo"], "header_lines": [], "id": "m1"})
    assert told.splitlines() == ["id  m1", "", "text:", "  one", "  ", "  \\x1b[2Jtwo"]


def test_where_there_is_nothing_it_says_so() -> None:
    assert as_words([]) == as_words({"hops": [], "messages": []}) == "none"


def test_sizes_are_for_people() -> None:
    assert [octets(size) for size in (0, 9_999, 10_240, 5 << 20, 3 << 40)] == [
        "0 B",
        "9999 B",
        "10.0 KiB",
        "5.0 MiB",
        "3.0 TiB",
    ]


def test_attack_36_words_of_a_remote_server_do_not_move_the_cursor() -> None:
    evil = "550 \x1b[2J\x07\r\nroot# \u202egnp\x9b"
    told = as_words([{"last": evil}])
    assert "\x1b" not in told
    assert len(told.splitlines()) == 2
    assert all(sign.isprintable() for sign in printable(evil))


def test_progress_is_one_line_on_a_terminal_and_nothing_elsewhere() -> None:
    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        progress = Progress(stream)
        for done in range(1000):
            progress.show({"what": "passwords hashed", "done": done, "of": 1000})
        progress.end()
    assert file.getvalue() == ""
    assert terminal.getvalue().startswith("\rpasswords hashed: 0 of 1000")
    assert terminal.getvalue().endswith("\r")
    assert "\n" not in terminal.getvalue()
    assert terminal.getvalue().count("\r") < 20  # at most ten times a second
