"""Tidying: what is old goes, unless it is protected; mail that raced a decision follows it."""

import pytest

from emailgency.codec.mime.letter import TEXT, letter
from emailgency.rules.candidates import DAY, LIFETIME, too_old

UTF8 = "Content-Type: text/plain; charset=utf-8\r\n"


@pytest.mark.parametrize(
    ("days", "protected", "old"),
    [(0, False, False), (LIFETIME - 1, False, False), (LIFETIME + 1, False, True), (LIFETIME + 1, True, False)],
)
def test_a_candidate_goes_thirty_days_after_its_last_mail_unless_it_is_protected(
    days: int, protected: bool, old: bool
) -> None:
    assert too_old(1_800_000_000, 1_800_000_000 + days * DAY, protected) is old


def test_a_letter_is_shown_as_text() -> None:
    shown = letter(
        b"From: =?utf-8?q?B=C3=A9rt?= <b@far.example>\r\nTo: x@mydomain.zz\r\nSubject: hello\r\n there\r\n"
        b"Content-Type: multipart/alternative; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/html\r\n\r\n<b>no</b>\r\n"
        b"--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n"
        b"\r\nd=C3=A9j=C3=A0\r\n--b--"
    )
    assert (shown.sender, shown.subject, shown.text) == ("Bért <b@far.example>", "hello there", "déjà")


def test_attack_31_marks_that_turn_text_around_are_not_shown() -> None:
    shown = letter(f"Subject: a\u202eb\r\nFrom: x\u200b@y\r\n{UTF8}\r\ntext\u202e\x07 end".encode())
    assert (shown.subject, shown.sender, shown.text) == ("ab", "x@y", "text end")


def test_a_letter_without_plain_text_shows_a_few_words_of_its_other_text() -> None:
    assert letter(b"Content-Type: text/html\r\n\r\n<p>some <b>words</b></p>").text == "some words"
    assert letter(b"").text == ""


def test_a_long_letter_is_cut() -> None:
    shown = letter(b"Subject: x\r\n\r\n" + b"word " * 20_000)
    assert len(shown.text) == TEXT
    assert shown.cut
