"""Secrets that people type."""

from emailgency.rules import spoken_secrets as spoken

OCTETS = bytes(range(0, 200, 10))


def test_a_secret_is_found_however_it_is_typed() -> None:
    secret = spoken.spelled(OCTETS)
    assert [len(group) for group in secret.split("-")] == [4, 4, 4, 4, 4]
    hashes = [spoken.hashed(text, "paul") for text in ("other", secret, "another")]
    for typed in (secret, secret.upper(), secret.replace("-", ""), f" {secret.replace('-', ' ')}\n"):
        assert spoken.found(typed, "paul", hashes) == 1
    for wrong in ("", secret[:-1], secret + "a", "x" * 5000, "\ud800"):
        assert spoken.found(wrong, "paul", hashes) is None


def test_a_hash_is_one_holders_alone() -> None:
    secret = spoken.spelled(OCTETS)
    assert spoken.found(secret, "ringo", [spoken.hashed(secret, "paul")]) is None


def test_every_letter_comes_as_often_as_another() -> None:
    letters = spoken.spelled(bytes(range(256))).replace("-", "")
    assert {letters.count(letter) for letter in letters} == {8}
    assert len(set(letters)) == 32
    assert not set(letters) & set("lo01")
