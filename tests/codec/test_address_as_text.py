"""An address as it is shown, kept in files and ticked in lists is read again as the same one."""

import pytest

from emailgency.codec.address import parse, reread


@pytest.mark.parametrize(
    "text", ['"a b"@x.zz', '"a\\"b"@x.zz', '"\\"paul\\""@x.zz', '"<script>"@x.zz', "a/b@x.zz", "ü@x.zz"]
)
def test_what_is_shown_is_read_again_as_the_same_address(text: str) -> None:
    address = parse(text)
    assert parse(str(address)) == address


def test_quotes_make_another_name() -> None:
    assert parse(str(parse('"\\"paul\\""@x.zz'))) != parse("paul@x.zz")
    assert str(parse('"paul"@x.zz')) == "paul@x.zz"


def test_records_without_quotes_are_read_as_before() -> None:
    assert reread("a b@x.zz") == reread('"a b"@x.zz') == parse('"a b"@x.zz')
