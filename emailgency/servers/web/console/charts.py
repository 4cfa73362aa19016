"""Charts of counts: bars of one measure over hours or days, as numbers that a template draws without a script."""

import time
from collections.abc import Sequence

from msgspec import Struct

from emailgency.store.experience.tallies import DAY, Bucket

WIDTH, HEIGHT = 600, 64  # of the drawing, in its own units
_GAP = 0.25  # of a bar's place


class Bar(Struct, frozen=True):
    """Left edge, top, width and height; and what it stands for, in words and as a number."""

    x: float
    y: float
    width: float
    height: float
    when: str
    number: int


class Chart(Struct, frozen=True):
    """`most` is what the highest bar stands for, `total` the sum of all; `ends` name the first and the last bar."""

    bars: tuple[Bar, ...]
    most: int
    total: int
    ends: tuple[str, str]


def chart(buckets: Sequence[Bucket], span: int) -> Chart:
    """Bars as high as their numbers, the highest as high as the drawing; one that is not zero is always seen."""
    most = max((bucket.number for bucket in buckets), default=0)
    place = WIDTH / max(1, len(buckets))
    bars = []
    for index, bucket in enumerate(buckets):
        height = max(2.0, HEIGHT * bucket.number / most) if bucket.number else 0.0
        bars.append(
            Bar(
                x=round((index + _GAP / 2) * place, 2),
                y=round(HEIGHT - height, 2),
                width=round(place * (1 - _GAP), 2),
                height=round(height, 2),
                when=when(bucket.at, span),
                number=bucket.number,
            )
        )
    ends = (bars[0].when, bars[-1].when) if bars else ("", "")
    return Chart(tuple(bars), most, sum(bucket.number for bucket in buckets), ends)


def when(at: int, span: int) -> str:
    """A day, or the hour that begins then; UTC."""
    return time.strftime("%Y-%m-%d" if span == DAY else "%H:%M", time.gmtime(at))
