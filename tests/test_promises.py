"""docs/promises.md lists every product row and attack row that the code and the tests name."""

import os
import re
from collections.abc import Iterator

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_MORE = r"(?:(?:,| and|,? or|-) ?"
PRODUCT = re.compile(rf"\b[Rr]ows? ([A-G]\d+{_MORE}[A-G]\d+)*)")
ATTACK = re.compile(rf"\b(?:[Aa]ttack|[Rr]eliability) rows? (\d+{_MORE}\d+)*)")
TEST = re.compile(r"test_attack_0*(\d+)_")


def listed() -> list[str]:
    with open(os.path.join(ROOT, "docs", "promises.md"), encoding="utf-8") as file:
        return re.findall(r"^\| ([A-G]?\d+) \| [^|]+ \|$", file.read(), re.MULTILINE)


def rows_of(text: str) -> Iterator[str]:
    """Of a span, such as A1-A5, both ends."""
    for found in PRODUCT.findall(text):
        yield from re.findall(r"[A-G]\d+", found)
    for found in ATTACK.findall(text):
        yield from re.findall(r"\d+", found)
    yield from TEST.findall(text)


def named() -> dict[str, str]:
    """Row -> a file that names it."""
    found: dict[str, str] = {}
    for top in ("emailgency", "tests", "web"):
        for folder, _, files in os.walk(os.path.join(ROOT, top)):
            for file in files:
                if file.endswith((".py", ".html")):
                    path = os.path.join(folder, file)
                    with open(path, encoding="utf-8") as source:
                        for row in rows_of(source.read()):
                            found.setdefault(row, os.path.relpath(path, ROOT))
    return found


def test_every_row_that_code_and_tests_name_is_listed_once() -> None:
    rows = listed()
    assert len(rows) == len(set(rows)) > 70
    assert {row: path for row, path in named().items() if row not in rows} == {}
