"""RFC 5256 section 3: messages as threads, whatever they say of their ancestors."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from emailgency.codec.imap import found
from emailgency.model.threads import Thread
from emailgency.rules import threads
from emailgency.rules.threads import Letter
from tests.support.growth import grows_linearly


def run(steps: threads.Steps) -> list[Thread]:
    while True:
        try:
            next(steps)
        except StopIteration as done:
            forest: list[Thread] = done.value
            return forest


def letter(id: str, *references: str, subject: str = "", sent: int = 0, reply: bool = False) -> Letter:
    return Letter(sent, subject, reply, id, references)


def shown(forest: list[Thread]) -> str:
    """As THREAD answers, numbers from 0."""
    return b"".join(found.threads(forest, range(10**6))).decode()[9:].strip()


def by_references(*letters: Letter) -> str:
    return shown(run(threads.references(letters)))


def by_subject(*letters: Letter) -> str:
    return shown(run(threads.ordered_subject(letters)))


def test_answers_stand_below_what_they_answer() -> None:
    assert by_references(letter("a"), letter("b", "a"), letter("c", "a", "b"), letter("d")) == "(0 1 2)(3)"
    assert by_references(letter("a"), letter("b", "a", sent=2), letter("c", "a", sent=1)) == "(0 (2)(1))"


def test_the_order_of_arrival_does_not_matter() -> None:
    assert by_references(letter("c", "a", "b"), letter("b", "a"), letter("a")) == "(2 1 0)"


def test_an_ancestor_that_is_not_there_holds_its_answers_together() -> None:
    assert by_references(letter("b", "gone"), letter("c", "gone")) == "((0)(1))"
    assert by_references(letter("b", "gone")) == "(0)"
    assert by_references(letter("a"), letter("c", "a", "gone"), letter("d", "a", "gone")) == "(0 (1)(2))"


def test_what_a_message_says_of_its_own_parent_counts_more() -> None:
    assert by_references(letter("a"), letter("c", "a"), letter("x", "b", "c"), letter("b")) == "(0 1 2)(3)"


def test_a_second_message_of_an_id_is_one_of_its_own() -> None:
    assert by_references(letter("a"), letter("a"), letter("b", "a")) == "(0 2)(1)"
    assert by_references(letter(""), letter(""), letter("b", "")) == "(0)(1)(2)"


def test_circles_are_not_closed() -> None:
    assert by_references(letter("a", "b"), letter("b", "a")) == "(1 0)"
    assert by_references(letter("a", "a")) == "(0)"
    assert by_references(letter("a", "b", "c", "a"), letter("b", "c", "a"), letter("c", "a", "b")).count("0") == 1


def test_threads_of_one_subject_become_one() -> None:
    first, reply = letter("a", subject="S", sent=1), letter("b", subject="S", sent=2, reply=True)
    assert by_references(first, reply) == "(0 1)"
    assert by_references(first, letter("b", subject="S", sent=2)) == "((0)(1))"
    assert by_references(reply, letter("c", subject="S", sent=3)) == "(1 0)"
    assert by_references(letter("a"), letter("b")) == "(0)(1)"  # no subject is none in common
    held = (letter("c", "gone", subject="S"), letter("d", "gone", subject="S", sent=1))
    assert by_references(*held, letter("e", subject="S", sent=2)) == "((0)(1)(2))"
    assert by_references(*held, letter("e", "lost", subject="S"), letter("f", "lost", subject="S")).count("(") == 5


def test_siblings_and_threads_go_by_date_and_then_by_place() -> None:
    assert by_references(letter("a", sent=5), letter("b", sent=4), letter("c", sent=4)) == "(1)(2)(0)"


def test_ordered_subject() -> None:
    assert (
        by_subject(
            letter("a", subject="S", sent=3),
            letter("b", subject="T", sent=2),
            letter("c", subject="S", sent=1),
            letter("d", subject="S", sent=4),
        )
        == "(2 (0)(3))(1)"
    )
    assert by_subject() == ""


def _messages(forest: list[Thread]) -> list[int]:
    waiting, seen = list(forest), []
    while waiting:
        one = waiting.pop()
        if one.message is not None:
            seen.append(one.message)
        waiting.extend(one.children)
    return sorted(seen)


_IDS = st.sampled_from("abcdefghij")
_LETTERS = st.lists(
    st.builds(
        Letter,
        sent=st.integers(0, 5),
        subject=st.sampled_from(["", "S", "T"]),
        reply=st.booleans(),
        id=st.sampled_from(["", *"abcdefghij"]),
        references=st.lists(_IDS, max_size=6),
    ),
    max_size=20,
)


@given(_LETTERS)
def test_each_message_stands_in_one_place(letters: list[Letter]) -> None:
    for steps in (threads.references(letters), threads.ordered_subject(letters)):
        forest = run(steps)
        assert _messages(forest) == list(range(len(letters)))
        for thread in forest:
            assert thread.message is not None or len(thread.children) > 1


def test_attack_27_hostile_references_cost_time_in_proportion() -> None:
    def chain(count: int) -> list[Letter]:
        return [letter(str(at), str(at - 1)) for at in range(count)]

    def backwards(count: int) -> list[Letter]:
        return [letter(str(at), str(at + 1)) for at in range(count)]

    def circles(count: int) -> list[Letter]:
        return [letter(str(at), *(str((at + step) % 97) for step in range(10))) for at in range(count // 10)]

    def deep_and_many(count: int) -> list[Letter]:
        long = [letter("end", *(f"d{at}" for at in range(1000)))]
        pairs = [letter(f"m{at}", f"c{at}", f"x{at}") for at in range(count // 4)]
        return long + pairs + [letter(f"q{at}", "d999", f"c{at}") for at in range(count // 4)]

    def one_subject(count: int) -> list[Letter]:
        return [letter(str(at), subject="S", reply=at % 2 == 0) for at in range(count)]

    for made in (chain, backwards, circles, deep_and_many, one_subject):
        assert grows_linearly(lambda letters: run(threads.references(letters)), made(3000), made(12_000)), made.__name__


def test_attack_27_a_hundred_thousand_references() -> None:
    letters = [letter(f"m{at}", *(f"r{at}.{number}" for number in range(1000))) for at in range(100)]
    assert _messages(run(threads.references(letters))) == list(range(100))


def test_a_thread_of_any_depth_can_be_told() -> None:
    chain: Any = Thread(0, [])
    for number in range(1, 50_000):
        chain = Thread(number, [chain])
    assert len(shown([chain]).split()) == 50_000
