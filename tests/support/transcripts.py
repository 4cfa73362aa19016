"""Dialogues readable by a postmaster: `C:` lines are sent, `S:` lines must come, in this order and no others.

`C:` lines next to each other go out in one segment. `C~` is octets with Python escapes and no CRLF of its own. An
`S:` line that ends in "..." is a beginning; `S: <closed>` is the end of the connection. `#` begins a comment.
"""

import os
from collections.abc import Iterator

FOLDER = os.path.join(os.path.dirname(os.path.dirname(__file__)), "transcripts")


def transcripts(protocol: str) -> list[str]:
    return sorted(name for name in os.listdir(os.path.join(FOLDER, protocol)) if name.endswith(".txt"))


def turns(protocol: str, name: str) -> Iterator[tuple[bytes, list[str]]]:
    """What the client says in one go, and the lines that must come back."""
    said, expected = b"", []
    with open(os.path.join(FOLDER, protocol, name), encoding="utf-8") as file:
        for line in file:
            mark, text = line[:2], line[3:].rstrip("\n")
            if mark not in ("C:", "C~", "S:"):
                assert not line.strip() or line.startswith("#"), line
                continue
            if mark == "S:":
                expected.append(text)
                continue
            if expected:
                yield said, expected
                said, expected = b"", []
            if mark == "C:":
                said += text.encode() + b"\r\n"
            else:
                said += text.encode("latin-1").decode("unicode_escape").encode("latin-1")
    yield said, expected


def check(expected: list[str], came: list[str], name: str, said: bytes) -> None:
    agree = len(expected) == len(came) and all(
        got.startswith(want[:-3]) if want.endswith("...") else got == want
        for want, got in zip(expected, came, strict=True)
    )
    assert agree, f"{name}: after {said!r}\nexpected {expected}\ncame     {came}"
