"""How answers look to a person: a table for a list, lines for one thing, and a line that grows for long work.

A key says how its value is read: `at` and `…_at` are seconds since the epoch, `size` and `…_octets` are octets,
`…_lines` is a text, which stands below all else.
What came from outside (addresses, remote replies) is printed without control characters.
"""

import json
import sys
import time
from typing import Any, TextIO

GAP = "  "


def as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def as_words(value: Any) -> str:
    """Never empty: where there is nothing it says so."""
    if isinstance(value, list):
        return table(value) if value else "none"
    if isinstance(value, dict):
        return sheet(value) if any(value.values()) else "none"
    return printable(str(value))


def table(rows: list[dict[str, Any]]) -> str:
    """Columns as wide as they must be, names of the first row's keys on top."""
    keys = list(rows[0])
    lines = [[title(key).upper() for key in keys], *([cell(key, row.get(key)) for key in keys] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(keys))]
    return "\n".join(
        GAP.join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def sheet(fields: dict[str, Any]) -> str:
    """One line a field; lists of records become tables under their names, after all else."""
    tables = {key: value for key, value in fields.items() if isinstance(value, list) and all(map(_record, value))}
    texts = {key: value for key, value in fields.items() if key.endswith("_lines")}
    flat = {key: value for key, value in fields.items() if key not in texts and (key not in tables or not value)}
    width = max((len(title(key)) for key in flat), default=0)
    parts = (
        ["\n".join(f"{title(key).ljust(width)}{GAP}{cell(key, value)}" for key, value in flat.items())] if flat else []
    )
    for key, value in tables.items():
        if value:
            parts.append("\n".join([f"{title(key)}:", *(GAP + line for line in table(value).splitlines())]))
    for key, value in texts.items():
        if value:
            parts.append("\n".join([f"{title(key)}:", *(GAP + printable(line) for line in value)]))
    return "\n\n".join(parts)


def cell(key: str, value: Any) -> str:
    if value is None or value in ("", []):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(cell("", one) for one in value)
    if key == "at" or key.endswith("_at"):
        return moment(value)
    if key == "size" or key.endswith("_octets"):
        return octets(value)
    return printable(str(value))


def title(key: str) -> str:
    return key.removesuffix("_at").removesuffix("_octets").removesuffix("_lines").replace("_", " ")


def moment(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def octets(count: int) -> str:
    if count < 10_000:
        return f"{count} B"
    size, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if size < 1024:
            break
        size, unit = size / 1024, larger
    return f"{size:.1f} {unit}"


def printable(text: str) -> str:
    """A remote's words must not move the cursor or colour the terminal."""
    return "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in text)


def _record(value: Any) -> bool:
    return isinstance(value, dict)


class Progress:
    """One line on a terminal, rewritten at most ten times a second; nothing at all elsewhere."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        self._stream = stream if stream.isatty() else None
        self._next = 0.0
        self._shown = 0

    def show(self, report: dict[str, Any]) -> None:
        now = time.monotonic()
        if self._stream is None or now < self._next:
            return
        self._next = now + 0.1
        of = f" of {report['of']}" if report.get("of") else ""
        line = f"{report['what']}: {report['done']}{of}"
        print("\r" + line.ljust(self._shown), end="", file=self._stream, flush=True)
        self._shown = len(line)

    def end(self) -> None:
        if self._stream is not None and self._shown:
            print("\r" + " " * self._shown + "\r", end="", file=self._stream, flush=True)
            self._shown = 0
