"""docs/conformance.md lists every RFC that the code leans on."""

import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ANSWERS = {"Yes", "Partial", "No"}


def rows() -> list[tuple[list[str], str, str]]:
    with open(os.path.join(ROOT, "docs", "conformance.md"), encoding="utf-8") as file:
        lines = re.findall(r"^\| ([\d, ]+) \| [^|]+ \| ([^|]*) \| ?([^|]*)\|$", file.read(), re.MULTILINE)
    return [(numbers.replace(" ", "").split(","), answer.strip(), note.strip()) for numbers, answer, note in lines]


def named() -> dict[str, str]:
    """RFC number -> a file of the package that names it."""
    found: dict[str, str] = {}
    for folder, _, files in os.walk(os.path.join(ROOT, "emailgency")):
        for file in files:
            if file.endswith(".py"):
                path = os.path.join(folder, file)
                with open(path, encoding="utf-8") as source:
                    text = source.read()
                for number in re.findall(r"RFCs? (\d{3,5})(?!\d)", text):
                    found.setdefault(number, os.path.relpath(path, ROOT))
    return found


def test_every_rfc_the_code_names_is_listed() -> None:
    listed = {number for numbers, _, _ in rows() for number in numbers}
    assert {number: path for number, path in named().items() if number not in listed} == {}


def test_every_row_answers_and_partial_says_what_is_missing() -> None:
    assert len(rows()) > 30
    for numbers, answer, note in rows():
        assert answer in ANSWERS, numbers
        assert note or answer != "Partial", numbers


def test_no_rfc_is_listed_twice() -> None:
    numbers = [number for found, _, _ in rows() for number in found]
    assert sorted(set(numbers)) == sorted(numbers)
