"""Counts outlive a restart, stay bounded, and a damaged file of them stops nothing; and the charts they make."""

import os
import shutil
import sqlite3
import tempfile
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as some
from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from emailgency.servers.web.console.charts import HEIGHT, WIDTH, chart
from emailgency.store.experience.tallies import DAY, HOUR, Bucket, Tallies, Tally

NOW = 1_800_000_000 // DAY * DAY + 5 * HOUR


class TallyTests(TestCase):
    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="tallies-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = f"{self.folder}/tallies"
        self.now = float(NOW)
        self.tallies = self.again()

    def again(self) -> Tallies:
        return Tallies(reactor, self.path, lambda: self.now)

    async def numbers(self, what: Tally = Tally.RECEIVED, span: int = HOUR, count: int = 3) -> list[int]:
        return [bucket.number for bucket in await self.tallies.series("c1", what, span, count)]

    async def test_counts_are_there_at_once_and_after_a_restart(self) -> None:
        assert await self.numbers() == [0, 0, 0]
        for _ in range(3):
            self.tallies.count("c1", Tally.RECEIVED)
        self.tallies.count("c2", Tally.RECEIVED)
        self.tallies.count("c1", Tally.REFUSED)
        assert await self.numbers() == [0, 0, 3]
        await self.tallies.write()
        self.tallies.count("c1", Tally.RECEIVED)
        assert await self.numbers() == [0, 0, 4]
        await self.tallies.stop()
        self.tallies = self.again()
        self.now += HOUR
        self.tallies.count("c1", Tally.RECEIVED)
        assert await self.numbers() == [0, 4, 1]
        assert await self.numbers(span=DAY) == [0, 0, 5]
        assert await self.numbers(Tally.REFUSED) == [0, 1, 0]

    async def test_of_a_level_the_highest_is_kept(self) -> None:
        for number in (5, 9, 2):
            self.tallies.level("c1", Tally.PENDING, number)
            await self.tallies.write()
        assert await self.numbers(Tally.PENDING) == [0, 0, 9]

    async def test_buckets_begin_where_hours_and_days_do(self) -> None:
        self.now = NOW + 1234.5
        series = await self.tallies.series("c1", Tally.RECEIVED, HOUR, 24)
        assert [bucket.at for bucket in series] == [NOW - (23 - number) * HOUR for number in range(24)]

    async def test_what_is_old_goes_so_that_rows_stay_bounded(self) -> None:
        for _ in range(40):
            self.now += 5 * HOUR
            for what in Tally:
                self.tallies.count("c1", what)
            await self.tallies.write()
        with sqlite3.connect(self.path) as database:
            (hours,) = database.execute("SELECT count(*) FROM tally WHERE span = ?", (HOUR,)).fetchone()
            (days,) = database.execute("SELECT count(*) FROM tally WHERE span = ?", (DAY,)).fetchone()
        assert hours <= 12 * len(Tally)
        assert days <= 10 * len(Tally)

    async def test_a_damaged_file_is_put_aside(self) -> None:
        with open(self.path, "wb") as file:
            file.write(b"this is no database" * 500)
        self.tallies.count("c1", Tally.RECEIVED)
        await self.tallies.write()
        assert await self.numbers() == [0, 0, 1]
        assert os.path.exists(f"{self.path}.damaged")

    async def test_what_the_disk_does_not_take_is_written_later(self) -> None:
        os.mkdir(self.path)
        self.tallies.count("c1", Tally.RECEIVED)
        self.tallies.level("c1", Tally.PENDING, 7)
        await self.tallies.write()
        assert await self.numbers() == [0, 0, 1]
        os.rmdir(self.path)
        await self.tallies.write()
        self.tallies = self.again()
        assert (await self.numbers(), await self.numbers(Tally.PENDING)) == ([0, 0, 1], [0, 0, 7])


@given(some.lists(some.integers(0, 10**9), max_size=60))
def test_bars_stay_in_the_drawing_and_none_that_counts_is_invisible(numbers: list[int]) -> None:
    drawn = chart([Bucket(NOW + place * HOUR, number) for place, number in enumerate(numbers)], HOUR)
    assert drawn.total == sum(numbers)
    assert drawn.most == max(numbers, default=0)
    for bar, number in zip(drawn.bars, numbers, strict=True):
        assert bar.number == number
        assert 0 <= bar.x <= bar.x + bar.width <= WIDTH + 0.01
        assert bar.y + bar.height == pytest.approx(HEIGHT)
        assert (bar.height >= 2.0) is (number > 0)
        assert bar.height <= HEIGHT


def test_the_overview_draws_what_was_counted_and_says_it_in_a_table() -> None:
    from emailgency.model.directory import Customer
    from emailgency.servers.web.console.pages import Pages

    buckets = [Bucket(NOW + place * HOUR, place) for place in range(24)]
    charts = [(name, chart(buckets, HOUR)) for name in ("received", "pending", "refused")]
    facts = {
        "customer": Customer(id="c1", domain="mydomain.zz", alternate_domain="x.zz"),
        "server": "up",
        "reason": "",
        "pending": 0,
        "oldest": None,
        "dns_troubles": [],
        "dns_seen": True,
        "mailboxes": 1,
        "without_password": 0,
        "reachable": False,
        "periods": [("day", charts)],
        "root": "/eg",
        "visitor": None,
        "static": {"mark.svg": "", "bootstrap.min.css": "", "theme.css": ""},
        "told": [],
        "help": "",
    }
    page = Pages("Emailgency").html("overview.html", "en", facts).decode()
    svg = page[page.index('<svg viewBox="0 0 600 64"') :]
    drawn = ElementTree.fromstring(svg[: svg.index("</svg>") + 6])
    assert len(drawn.findall("rect")) == 23
    assert "style=" not in svg[: svg.index("</svg>")]
    table = page[page.index("<tbody>") : page.index("</tbody>")]
    assert table.count("<td>23</td>") == 3
    assert table.index("<td>23</td>") < table.index("<td>1</td>")
