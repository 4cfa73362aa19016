"""Plain English of journals and outcomes, said in the language of a page."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailgency.model.words import Words
from emailgency.servers.web.console.languages import translations
from emailgency.servers.web.console.pages import Said

FRENCH, ENGLISH = Said(translations("fr")), Said(translations("en"))


@pytest.mark.parametrize(
    ("text", "french"),
    [
        ("password of paul@a.zz set", "mot de passe de paul@a.zz défini"),
        ("a mailbox paul@a.zz added", "boîte paul@a.zz ajoutée"),
        (
            "your server does not answer: banner refused: 421 no",
            "votre serveur ne répond pas : bannière refusée : 421 no",
        ),
        ("451 4.7.1 try again", "451 4.7.1 try again"),
    ],
)
def test_a_sentence_of_ours_is_said_in_french_and_what_others_say_stands_as_it_is(text: str, french: str) -> None:
    assert FRENCH(text) == french
    assert ENGLISH(text) == text


def test_values_that_are_sentences_are_said_in_french_as_well() -> None:
    assert (
        FRENCH(Words("no route: %(why)s", {"why": "no address to try"})) == "pas de chemin : aucune adresse à essayer"
    )


@given(st.text(max_size=700))
def test_english_is_never_changed(text: str) -> None:
    assert ENGLISH(text) == text


@pytest.mark.parametrize("piece", ["a: ", "token a (b) for ", " for ", "password of ", ": no route"])
def test_a_long_text_is_looked_at_in_linear_time(piece: str) -> None:
    """What is longer than any sentence of ours is not looked at."""
    import time

    began = time.process_time()
    FRENCH(piece * 200)
    FRENCH((piece * 200)[:600])
    assert time.process_time() - began < 1
