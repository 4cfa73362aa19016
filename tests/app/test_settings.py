"""The settings file: defaults that run, and every mistake refused with its line."""

import os
from enum import Enum
from typing import Annotated

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from emailgency.settings import Settings, load
from emailgency.settings_file import Wrong, line_of, listed, parse, section
from emailgency.settings_reference import description, reference
from emailgency.store.keys.certificates import CertificateFiles

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Mode(Enum):
    ON = "on"
    OFF = "off"


class Inner(Struct, frozen=True, kw_only=True):
    many: Annotated[int, Meta(ge=1, le=1000, description="how many")] = 10
    mode: Annotated[Mode, Meta(description="which")] = Mode.ON
    nets: Annotated[tuple[str, ...], Meta(description="nets")] = ()


class One(Struct, frozen=True, kw_only=True):
    chain: Annotated[str, Meta(description="a file")]


class Ruled(Struct, frozen=True, kw_only=True):
    low: int = 1
    nets: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if "bad" in self.nets:
            raise ValueError("nets: bad is no network")
        if self.low > 5:
            raise ValueError("too high together")


class Outer(Struct, frozen=True, kw_only=True):
    name: Annotated[str, Meta(description="name")] = ""
    inner: Inner = Inner()
    ruled: Ruled = Ruled()
    ones: Annotated[tuple[One, ...], Meta(description="several")] = ()


def told(text: str) -> list[str]:
    with pytest.raises(Wrong) as caught:
        parse(text, "eg.toml", Outer)
    return [str(mistake) for mistake in caught.value.mistakes]


def test_the_empty_file_is_complete() -> None:
    assert parse("", "eg.toml", Outer) == Outer()
    assert parse("", "eg.toml", Settings) == Settings()


def test_values_arrive_in_their_sections() -> None:
    text = 'name = "x"\n[inner]\nmany = 7\nmode = "off"\nnets = ["10.0.0.0/8"]\n'
    assert parse(text, "eg.toml", Outer) == Outer(name="x", inner=Inner(many=7, mode=Mode.OFF, nets=("10.0.0.0/8",)))


def test_an_unknown_key_is_refused_with_line_and_the_known_keys() -> None:
    (words,) = told('# head\nname = "x"\n\n[inner]\n# about\nmanny = 3\n')
    assert words == "eg.toml:6: manny is not known in [inner]; did you mean many? Known there: many, mode, nets"


def test_an_unknown_section_is_refused_with_the_line_of_its_header() -> None:
    (words,) = told('name = "x"\n\n[iner]\nmany = 3\n')
    assert words.startswith("eg.toml:3: iner is not known at the top of the file; did you mean inner?")


def test_a_value_out_of_range_is_refused_with_the_range() -> None:
    (words,) = told("[inner]\nmany = 5000\n")
    assert words.startswith("eg.toml:2: inner.many = 5000: ")
    assert words.endswith("allowed is a whole number from 1 to 1000")


def test_a_value_of_the_wrong_kind_is_refused_with_the_kind() -> None:
    assert told('[inner]\nmany = "7"\n')[0].startswith('eg.toml:2: inner.many = "7": ')
    assert told('[inner]\nmode = "maybe"\n')[0].endswith('allowed is "on" or "off"')
    assert told("inner = 3\n")[0].endswith("allowed is a section")


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    lines = told("wrong = 1\n[inner]\nmany = 0\nnets = [\n  1,\n  2,\n]\nother = 1\n")
    assert [words.split(" ")[0] for words in lines] == ["eg.toml:1:", "eg.toml:3:", "eg.toml:4:", "eg.toml:8:"]


def test_a_section_that_comes_several_times_is_checked_each_time() -> None:
    text = '[[ones]]\nchain = "a"\n\n[[ones]]\nchian = "b"\n\n[[ones]]\nchain = 3\n'
    lines = told(text)
    assert [words.split(" ")[0] for words in lines] == ["eg.toml:4:", "eg.toml:5:", "eg.toml:8:"]
    assert lines[0].endswith("ones lacks the key chain")
    assert parse('[[ones]]\nchain = "a"\n', "eg.toml", Outer).ones == (One(chain="a"),)


def test_a_rule_of_a_section_is_told_with_the_line_of_its_key_or_section() -> None:
    assert told('[ruled]\nlow = 2\nnets = ["bad"]\n') == ["eg.toml:3: ruled.nets: bad is no network"]
    assert told("\n[ruled]\nlow = 6\n") == ["eg.toml:2: too high together"]


def test_text_that_is_not_toml_is_refused_with_its_line() -> None:
    assert told('name = "x"\n[inner\n')[0].startswith("eg.toml:2: is not TOML")
    assert told('name = "x')[0].startswith("eg.toml:1: is not TOML")


def test_a_file_that_cannot_be_read_is_told(tmp_path) -> None:
    with pytest.raises(Wrong, match="No such file"):
        load(str(tmp_path / "missing.toml"))
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(Wrong, match="not UTF-8"):
        load(str(tmp_path / "binary.toml"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('host_name = "a b"\n', "eg.toml:1: host_name: "),
        ('host_name = "MX.Example.Net"\n', "eg.toml:1: host_name: write it as mx.example.net"),
        ('[listen]\nsmtp = ["mail.zz:25"]\n', 'eg.toml:2: listen.smtp: "mail.zz:25" is not "address:port"'),
        ('[egress]\nnetworks = ["10.0.0.1/8"]\n', "eg.toml:2: egress.networks: 10.0.0.1/8 has host bits set"),
        ('[dns]\naddresses = ["dns.zz"]\n', "eg.toml:2: dns.addresses: 'dns.zz' does not appear to be"),
        ('[smtp]\nproxies = ["10.0.0.0/8"]\n', "eg.toml:2: smtp.proxies: '10.0.0.0/8' does not appear to be"),
        ('[redis]\nurl = "http://x"\n', "eg.toml:2: redis.url: the URL of Redis is no redis://"),
        ('[imap]\nproxies = ["x"]\n', "eg.toml:2: imap.proxies: 'x' does not appear to be"),
        ('[imap]\nfolders = {"a//b" = ""}\n', "eg.toml:2: imap.folders: 'a//b': a folder name has an empty part"),
        ('[login]\ndefault_domain = "a b"\n', "eg.toml:2: login.default_domain: "),
        ('[smtp.reception]\npostmaster = "paul"\n', "eg.toml:2: smtp.reception.postmaster: 'paul' has no @"),
    ],
)
def test_names_and_addresses_are_checked_before_they_are_used(text: str, words: str) -> None:
    with pytest.raises(Wrong) as caught:
        parse(text, "eg.toml", Settings)
    assert str(caught.value).startswith(words)


keys = st.text("abcdef", min_size=1, max_size=4)


@given(st.dictionaries(keys, st.integers(), min_size=1, max_size=6), st.integers(0, 3))
def test_the_line_of_a_key_is_where_its_statement_begins(table: dict[str, int], gap: int) -> None:
    text = "".join(f"{'# x' * gap}\n{key} = [\n {value},\n]\n" for key, value in table.items())
    for place, key in enumerate(table):
        assert line_of(text, (key,)) == place * 4 + 2


SEVERAL = {CertificateFiles}  # a section that comes several times may ask for a key


def sections(kind: type[Struct]) -> list[type[Struct]]:
    inner = [found for field in msgspec.structs.fields(kind) if (found := section(field.type) or listed(field.type))]
    return [kind, *(deeper for found in inner for deeper in sections(found))]


def test_every_key_says_what_it_means_and_has_a_default() -> None:
    for kind in sections(Settings):
        assert kind.__doc__, kind
        for field in msgspec.structs.fields(kind):
            assert section(field.type) or description(field.type), f"{kind.__name__}.{field.name} has no description"
            assert not field.required or kind in SEVERAL, f"{kind.__name__}.{field.name} has no default"


def test_the_printed_reference_is_current() -> None:
    with open(os.path.join(ROOT, "docs", "settings.md"), encoding="utf-8") as file:
        assert file.read() == reference(), "run: python -m emailgency.settings_reference > docs/settings.md"
