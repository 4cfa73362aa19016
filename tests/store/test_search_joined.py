"""One field of all blocks in one piece finds what its blocks hold, however they come and go."""

from array import array

from hypothesis import given
from hypothesis import strategies as st

from emailgency.store.searching.blocks import Fields, column
from emailgency.store.searching.joined import Joined
from tests.support.growth import grows_linearly

_TEXT = st.text("abß", max_size=4).map(lambda text: f"\0{text}".encode() if text else b"")


def block(first: int, texts: list[bytes]) -> Fields:
    uids = array("I", range(first, first + len(texts)))
    return Fields(first, uids.tobytes(), b"", {"subject": column(texts)})


@given(st.lists(st.lists(_TEXT, max_size=5), max_size=6), st.text("abß", max_size=2))
def test_what_is_found_is_what_is_in_the_blocks(blocks: list[list[bytes]], needle: str) -> None:
    made, fresh, expected = list[Fields](), 1, set[int]()
    for texts in blocks:
        made.append(block(fresh, texts))
        expected |= {fresh + at for at, text in enumerate(texts) if (needle in text.decode() if needle else text)}
        fresh += len(texts)
    joined = Joined("subject", made)
    assert joined.holding(needle.encode()) == expected
    assert joined._found(needle.encode()) == expected if needle else True


def test_frequent_and_rare_texts_are_found_alike() -> None:
    texts = [b"\0often" + (b" rare" if number % 50 == 7 else b"") for number in range(1000)]
    joined = Joined("subject", [block(1, texts[:400]), block(401, texts[400:])])
    for _ in range(2):
        assert joined.holding(b"often") == set(range(1, 1001))
        assert joined.holding(b"rare") == set(range(8, 1001, 50))
        assert joined.holding(b"") == set(range(1, 1001))
        assert joined.holding(b"never") == set()


def test_attack_27_joining_blocks_and_looking_through_them_is_linear() -> None:
    def search(blocks: list[Fields]) -> None:
        joined = Joined("subject", blocks)
        joined.holding(b"ab")
        joined.holding(b"zz")
        joined.holding(b"ab c" * 100)

    few = [block(1 + 20 * number, [b"\0ab c"] * 20) for number in range(100)]
    many = [block(1 + 20 * number, [b"\0ab c"] * 20) for number in range(400)]
    assert grows_linearly(search, few, many)
