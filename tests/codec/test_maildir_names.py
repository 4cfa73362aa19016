"""codec.maildir: file names taken apart and put together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailgency.codec import maildir
from emailgency.codec.maildir import Name

LETTERS = st.sets(st.sampled_from("DFPRSTabcdefghijklmnopqrstuvwxyz")).map(lambda letters: "".join(sorted(letters)))
FIELD = st.from_regex(r"[A-RT-Z]=[0-9a-z]{1,9}", fullmatch=True).filter(lambda field: not field.startswith("U="))
NAMES = st.builds(
    Name,
    unique=st.from_regex(r"[0-9]{9,10}\.[0-9a-z]{1,20}\.[a-z.-]{1,20}", fullmatch=True),
    size=st.integers(-1, 10**9),
    uid=st.integers(0, 2**32 - 1),
    flags=LETTERS,
    others=st.lists(FIELD, max_size=2).map(tuple),
)


@given(NAMES)
def test_what_is_composed_is_parsed_again(name: Name) -> None:
    text = maildir.compose(name)
    assert maildir.parse(text) == name
    assert maildir.uid_of(text) == name.uid
    assert maildir.flags_of(text) == name.flags
    assert maildir.parse(maildir.with_flags(text, "FS")).flags == "FS"
    assert "/" not in text


@given(st.text(max_size=80))
def test_any_file_name_is_taken_apart_without_an_error(text: str) -> None:
    name = maildir.parse(text)
    assert maildir.uid_of(text) >= 0
    assert name.uid <= 0xFFFFFFFF
    assert name.flags == "".join(sorted(set(name.flags)))


def test_our_names_say_when_and_which() -> None:
    name = maildir.parse("1795344723.6b02c95301ed5fce6594.mx.example,S=4019,U=100:2,Sa")
    assert (name.seconds, name.id, name.size, name.uid, name.flags) == (
        1795344723,
        "6b02c95301ed5fce6594",
        4019,
        100,
        "Sa",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.M1P2.host,S=12,W=13:2,S", Name("1.M1P2.host", 12, 0, "S", ("W=13",))),
        ("1.x.host:2,SSR", Name("1.x.host", -1, 0, "RS")),
        ("1.x.host,U=4294967296:2,", Name("1.x.host", -1, 0, "", ("U=4294967296",))),
        ("1.x.host,S=,U=x", Name("1.x.host", -1, 0, "", ("S=", "U=x"))),
        ("1.x.host:1,S", Name("1.x.host")),
        ("msg", Name("msg")),
    ],
)
def test_names_of_other_programs(text: str, expected: Name) -> None:
    assert maildir.parse(text) == expected


@pytest.mark.parametrize("host", ["", "...", "a/b:c,d", "Ümlaut", "x" * 300])
def test_a_host_name_never_looks_like_fields_or_folders(host: str) -> None:
    safe = maildir.safe_host(host)
    assert safe
    assert len(safe) <= 64
    assert not set(safe) & set("/:,\0 ")
