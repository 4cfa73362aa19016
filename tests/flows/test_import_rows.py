"""Every mistake in a file of addresses is told with its line, and a good file is read whole."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailgency.flows.addresses.import_rows import COLUMNS, Row, WrongFile, read
from emailgency.model.address import Address


def mistakes(form: str, text: str) -> tuple[str, ...]:
    with pytest.raises(WrongFile) as caught:
        read(form, text)
    return caught.value.lines


def test_a_good_csv_file_is_read_whole() -> None:
    rows = read(
        "csv",
        "address,type,target,password,administrator\r\n"
        "Paul@MyDomain.ZZ,,,Secret-1-word,yes\r\n"
        "\r\n"
        "george@mydomain.zz,alias,paul@mydomain.zz,,\r\n"
        "beatles@mydomain.zz,list,paul@mydomain.zz ringo@mydomain.zz,,\r\n"
        "i.am.spam@mydomain.zz,banished,,,\r\n",
    )
    assert [(row.line, row.type, str(row.address)) for row in rows] == [
        (2, "mailbox", "paul@mydomain.zz"),
        (4, "alias", "george@mydomain.zz"),
        (5, "list", "beatles@mydomain.zz"),
        (6, "banished", "i.am.spam@mydomain.zz"),
    ]
    assert rows[0].administrator
    assert rows[0].password == "Secret-1-word"
    assert rows[2].target == (Address("paul", "mydomain.zz"), Address("ringo", "mydomain.zz"))


def test_json_and_csv_of_the_same_addresses_give_the_same_rows() -> None:
    text = json.dumps(
        [
            {"address": "a@b.zz", "vip": True, "forward": ["x@y.zz", "z@y.zz"]},
            {"address": "c@b.zz", "type": "alias", "target": "a@b.zz"},
        ],
        indent=None,
        separators=(",\n", ":"),
    )
    of_csv = read("csv", "address;type;target;vip;forward\na@b.zz;;;yes;x@y.zz z@y.zz\nc@b.zz;alias;a@b.zz;;\n")
    of_json = read("json", text)
    assert [(r.address, r.type, r.vip, r.forward, r.target) for r in of_json] == [
        (r.address, r.type, r.vip, r.forward, r.target) for r in of_csv
    ]


def test_all_mistakes_are_told_at_once_each_with_its_line() -> None:
    told = mistakes(
        "csv",
        "address,type,target,password,vip\n"
        "a@b.zz,,,short,\n"
        "no-address,,,,\n"
        "c@b.zz,alias,,,\n"
        "d@b.zz,robot,,,\n"
        "e@b.zz,,,,perhaps\n"
        "f@b.zz,mailbox,a@b.zz,,\n"
        "g@b.zz,banished,,Secret-1-word,\n"
        "h@b.zz,,,,\n"
        "H@B.zz,,,,\n",
    )
    assert [line.partition(":")[0] for line in told] == [f"line {number}" for number in (2, 3, 4, 5, 6, 7, 8, 10)]
    assert "h@b.zz stands in line 9 already" in told[-1]


def test_a_mistake_behind_a_value_of_several_lines_has_the_right_line() -> None:
    assert mistakes("csv", 'address,forward\na@b.zz,"x@y.zz\nz@y.zz"\nwrong,\n')[0].startswith("line 4:")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("type\nmailbox\n", 1),
        ("address,colour\n", 1),
        ("address,address\n", 1),
        ("address\na@b.zz\nb@b.zz,too,many\n", 3),
        ('address\na@b.zz\n"b@b.zz\n', 3),
    ],
)
def test_what_is_no_such_csv_is_told_with_its_line(text: str, line: int) -> None:
    assert mistakes("csv", text)[0].startswith(f"line {line}:")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("{}", 1),
        ("[]", 1),
        ('[\n{"address": "a@b.zz"},\n7]', 3),
        ('[\n{"address": "a@b.zz"}\n\n{"address": "b@b.zz"}]', 4),
        ('[\n{"address":\n "a@b.zz",,}]', 3),
        ('[{"address": "a@b.zz"}]\nmore', 1),
        ('[\n{"address": "a@b.zz", "colour": "red"}]', 2),
        ('[\n{"address": 5}]', 2),
        ('[\n\n{"address": "a@b.zz", "vip": "perhaps"}]', 3),
        ("[" * 100_000, 1),
    ],
)
def test_what_is_no_such_json_is_told_with_its_line(text: str, line: int) -> None:
    assert mistakes("json", text)[0].startswith(f"line {line}:")


def test_a_thousand_mistakes_are_a_hundred_lines_and_a_count() -> None:
    told = mistakes("csv", "address\n" + "wrong\n" * 1000)
    assert len(told) == 101
    assert told[-1] == "and 900 more"


def told(form: str, text: str) -> bool:
    """Whether the file is good, or refused with at least one line that says why; nothing else may happen."""
    try:
        return all(isinstance(row, Row) for row in read(form, text))
    except WrongFile as wrong:
        return bool(wrong.lines)


@given(st.text(max_size=200), st.sampled_from(["csv", "json"]))
def test_any_text_gives_rows_or_mistakes(text: str, form: str) -> None:
    assert told(form, text)


@given(
    st.lists(st.dictionaries(st.sampled_from(COLUMNS), st.text(max_size=10) | st.booleans() | st.none()), max_size=5)
)
def test_any_objects_give_rows_or_mistakes(objects: list[dict[str, object]]) -> None:
    assert told("json", json.dumps(objects))
