"""What a server's answers say of its addresses (row G5)."""

import pytest

from emailgency.rules.learning import (
    DAY,
    HOUR,
    Answer,
    Known,
    LearningSettings,
    answer,
    exists,
    is_missing,
    lesson,
    refused,
    worth_asking,
)

SETTINGS = LearningSettings()
NOW = 1_800_000_000.0
EXISTS, MISSING, NOTHING, LATER = Answer.EXISTS, Answer.MISSING, Answer.NOTHING, Answer.LATER


@pytest.mark.parametrize(
    ("stage", "code", "enhanced", "says"),
    [
        ("RCPT", 250, "2.1.5", EXISTS),
        ("RCPT", 251, "", EXISTS),
        ("RCPT", 550, "5.1.1", MISSING),
        ("RCPT", 550, "5.1.10", MISSING),
        ("RCPT", 550, "", MISSING),
        ("RCPT", 551, "5.1.6", MISSING),
        ("RCPT", 553, "", MISSING),
        ("RCPT", 550, "5.7.1", NOTHING),  # a policy, not the address
        ("RCPT", 550, "5.2.1", NOTHING),  # a mailbox that is closed is there
        ("RCPT", 552, "5.2.2", NOTHING),
        ("RCPT", 554, "", NOTHING),
        ("RCPT", 450, "4.2.0", LATER),
        ("RCPT", 451, "4.7.1", LATER),
        ("MAIL", 550, "5.1.1", LATER),  # it wants no null sender
        ("MAIL", 451, "", LATER),
    ],
)
def test_a_reply_says_of_the_address_no_more_than_it_does(stage, code, enhanced, says):
    assert answer(stage, code, enhanced) is says


def test_a_server_that_takes_everybody_teaches_nothing():
    taught = lesson(EXISTS, {"postmaster": EXISTS, "a": EXISTS})
    assert (taught.selective, taught.existing, taught.missing) == (False, frozenset(), frozenset())


def test_a_server_that_refuses_everybody_teaches_nothing():
    taught = lesson(MISSING, {"postmaster": MISSING, "a": MISSING, "b": MISSING})
    assert (taught.selective, taught.existing, taught.missing) == (None, frozenset(), frozenset())


@pytest.mark.parametrize("nobody", [NOTHING, LATER])
def test_without_an_answer_for_nobody_nothing_is_believed(nobody):
    taught = lesson(nobody, {"postmaster": EXISTS, "a": EXISTS, "b": MISSING})
    assert (taught.selective, taught.existing, taught.missing) == (None, frozenset(), frozenset())


def test_a_server_that_tells_them_apart_is_believed():
    taught = lesson(MISSING, {"postmaster": EXISTS, "a": EXISTS, "b": MISSING, "c": NOTHING, "d": LATER})
    assert taught.selective
    assert taught.existing == {"postmaster", "a"}
    assert taught.missing == {"b"}


def test_an_address_that_existed_is_given_up_when_it_was_refused_twice_some_time_apart():
    before = Known(existed_at=NOW)
    once = refused(before, NOW + HOUR, SETTINGS)
    again = refused(once, NOW + 2 * HOUR, SETTINGS)
    assert exists(again, NOW + 2 * HOUR, SETTINGS)
    assert not is_missing(again, NOW + 2 * HOUR, SETTINGS)
    later = refused(again, NOW + (1 + SETTINGS.doubted) * HOUR, SETTINGS)
    assert is_missing(later, NOW + 5 * HOUR, SETTINGS)
    assert not exists(later, NOW + 5 * HOUR, SETTINGS)


def test_what_is_known_is_known_for_so_long():
    existing, missing = Known(existed_at=NOW), refused(Known(), NOW, SETTINGS)
    assert exists(existing, NOW + 30.9 * DAY, SETTINGS)
    assert not exists(existing, NOW + 31.1 * DAY, SETTINGS)
    assert is_missing(missing, NOW + 2.9 * DAY, SETTINGS)
    assert not is_missing(missing, NOW + 3.1 * DAY, SETTINGS)


def test_what_is_known_well_enough_is_not_asked_for_again():
    assert worth_asking(Known(), NOW, SETTINGS)
    assert not worth_asking(Known(existed_at=NOW), NOW + 6 * DAY, SETTINGS)
    assert worth_asking(Known(existed_at=NOW), NOW + 8 * DAY, SETTINGS)
    assert not worth_asking(Known(refused_at=NOW), NOW + HOUR, SETTINGS)
    assert worth_asking(Known(refused_at=NOW), NOW + 4 * HOUR, SETTINGS)
    assert worth_asking(Known(existed_at=NOW, refused_at=NOW + 9), NOW + 4 * HOUR, SETTINGS), "one word more settles it"
