"""Figures for watching programs, in Prometheus' text form (exposition format 0.0.4).

A figure is read when asked for, from whoever knows it; nothing is counted here.
"""

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

Value = float | Mapping[str, float]

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


class Figure(Struct, frozen=True):
    """One metric. `read` gives its value, or values by `label` ("state" -> {"open": 3}). A counter ends in _total."""

    name: str
    meaning: str
    read: Callable[[], Value]
    label: str = ""

    @property
    def kind(self) -> str:
        return "counter" if self.name.endswith("_total") else "gauge"


def text(figures: Iterable[Figure]) -> bytes:
    """The page. A figure that cannot be read now is left out: the others are wanted all the more."""
    return "".join(_lines(figure) for figure in figures).encode()


def _lines(figure: Figure) -> str:
    try:
        value = figure.read()
    except Exception:
        return f"# {figure.name} cannot be read now\n"
    head = f"# HELP {figure.name} {figure.meaning}\n# TYPE {figure.name} {figure.kind}\n"
    if isinstance(value, Mapping):
        rows = [
            f'{figure.name}{{{figure.label}="{_quoted(key)}"}} {float(number)!r}\n' for key, number in value.items()
        ]
        return head + "".join(rows)
    return f"{head}{figure.name} {float(value)!r}\n"


def _quoted(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
