"""codec.frames: length and payload."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailgency.codec import frames


@given(st.lists(st.binary(max_size=50)), st.lists(st.integers(0, 500)))
def test_split_anywhere_gives_the_same_payloads(payloads: list[bytes], cuts: list[int]) -> None:
    octets = b"".join(map(frames.encode, payloads))
    reader, got = frames.Frames(), []
    edges = [0, *sorted(cut for cut in cuts if cut < len(octets)), len(octets)]
    for start, end in pairwise(edges):
        got += reader.feed(octets[start:end])
    assert got == payloads


def test_an_announced_length_beyond_the_limit_is_refused() -> None:
    with pytest.raises(frames.Oversized):
        frames.Frames(limit=100).feed(frames.encode(b"x" * 101))


def test_a_long_frame_in_small_pieces_costs_linear_time() -> None:
    def cost(size: int) -> float:
        octets, reader = frames.encode(b"x" * size), frames.Frames()
        start = time.process_time()
        for at in range(0, len(octets), 1000):
            reader.feed(octets[at : at + 1000])
        return time.process_time() - start

    cost(1_000_000)
    assert min(cost(8_000_000) for _ in range(3)) < 4 * min(cost(4_000_000) for _ in range(3)) + 0.01
