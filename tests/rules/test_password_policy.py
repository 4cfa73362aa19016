"""Row B1."""

import pytest

from emailgency.rules.password_policy import password_fault


@pytest.mark.parametrize(
    "password", ["abcdefg1", "abcdefgH", "ABCDEFG-", "1234567-", "correct horse battery", "пароль12"]
)
def test_eight_characters_of_two_kinds_will_do(password: str) -> None:
    assert password_fault(password) is None


@pytest.mark.parametrize(
    "password", ["", "abcdef1", "abcdefgh", "12345678", "ABCDEFGH", "--------", "密码密码密码密码"]
)
def test_fewer_will_not(password: str) -> None:
    assert password_fault(password)


def test_long_is_welcome_within_reason() -> None:
    assert password_fault("a1" * 100) is None
    assert password_fault("a1" * 1000)
    assert password_fault("abcdefg1\x00")
    assert password_fault("abcdefg1\ud800") is None
