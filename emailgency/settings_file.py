"""One TOML file into one settings struct, or every mistake in it with its line.

`read` promises: a key nobody knows and a value of the wrong kind or out of range are refused, each as a
`Mistake` that names the file, the line, the key and what is allowed. Nothing is corrected in silence.
"""

import tomllib
from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

S = TypeVar("S", bound=Struct)

Path = tuple[str | int, ...]  # keys, and places in lists


class Mistake(Struct, frozen=True):
    """One thing wrong in a settings file; `line` counts from 1, 0 when it belongs to no line."""

    file: str
    line: int
    words: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.words}" if self.line else f"{self.file}: {self.words}"


class Wrong(Exception):
    """The file cannot be used; `mistakes` says why, all of it."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = mistakes


def read(path: str, kind: type[S]) -> S:
    """`path` as a `kind`; raises Wrong."""
    try:
        with open(path, encoding="utf-8") as file:
            return parse(file.read(), path, kind)
    except OSError as error:
        raise Wrong([Mistake(path, 0, error.strerror or str(error))]) from None
    except UnicodeDecodeError:
        raise Wrong([Mistake(path, 0, "is not UTF-8 text")]) from None


def parse(text: str, name: str, kind: type[S]) -> S:
    """`text` as a `kind`; `name` stands in the mistakes; raises Wrong."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Wrong([Mistake(name, _line_told(error, text), f"is not TOML: {error}")]) from None
    wrong = list(mistakes(table, kind)) or list(_rules_broken(table, kind, ()))
    if wrong:
        found = [Mistake(name, line_of(text, path) if path else 0, words) for path, words in wrong]
        raise Wrong(sorted(found, key=lambda mistake: mistake.line))
    return msgspec.convert(table, kind)


def mistakes(table: dict[str, Any], kind: type[Struct], path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Where `table` is not a `kind`: the path of the key, and words for the operator."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for key, value in table.items():
        here = (*path, key)
        if key not in fields:
            yield here, _unknown(key, path, list(fields))
            continue
        inner = section(fields[key].type)
        if inner is not None and isinstance(value, dict):
            found = list(mistakes(value, inner, here))
            yield from found or _rules_broken(value, inner, here)
            continue
        inner = listed(fields[key].type)
        if inner is not None and isinstance(value, list) and all(isinstance(one, dict) for one in value):
            for place, one in enumerate(value):
                yield from mistakes(one, inner, (*here, place))
            continue
        try:
            msgspec.convert(value, fields[key].type)
        except msgspec.ValidationError as error:
            yield here, f"{_dotted(here)} = {_shown(value)}: {error}; allowed is {allowed(fields[key].type)}"
    for field in fields.values():
        if field.required and field.encode_name not in table:
            yield path, f"{_dotted(path)} lacks the key {field.encode_name}"


def _rules_broken(table: dict[str, Any], kind: type[Struct], path: Path) -> Iterator[tuple[Path, str]]:
    """A rule that a section keeps in its __post_init__: "key: what is wrong", or about the section as a whole."""
    try:
        msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        words = str(error).partition(" - at `$")[0]
        key, colon, rest = words.partition(": ")
        yield ((*path, key), f"{_dotted((*path, key))}: {rest}") if colon and key in table else (path, words)


def section(kind: Any) -> type[Struct] | None:
    """The struct a field holds, when the field is a section of the file."""
    kind = _bare(kind)
    return kind if isinstance(kind, type) and issubclass(kind, Struct) else None


def listed(kind: Any) -> type[Struct] | None:
    """The struct a field holds a list of: a section that may come several times, [[…]]."""
    kind = _bare(kind)
    return section(get_args(kind)[0]) if get_origin(kind) is tuple else None


def allowed(kind: Any) -> str:
    """The values a field takes, in words: "a whole number from 1 to 1000"."""
    if get_origin(kind) is Annotated:
        inner, *metas = get_args(kind)
        limits = " ".join(filter(None, (_limits(meta) for meta in metas if isinstance(meta, Meta))))
        return " ".join(filter(None, (allowed(inner), limits)))
    if get_origin(kind) in (Union, UnionType):
        return " or ".join(allowed(part) for part in get_args(kind) if part is not type(None))
    if get_origin(kind) in (list, tuple, frozenset, set):
        return f"a list, each {allowed(get_args(kind)[0])}"
    if get_origin(kind) is dict:
        return f"a table, each {allowed(get_args(kind)[1])}"
    if get_origin(kind) is not None:  # Literal
        return " or ".join(_shown(value) for value in get_args(kind))
    if section(kind) is not None:
        return "a section"
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
    if kind in names:
        return names[kind]
    return " or ".join(_shown(member.value) for member in kind)  # an Enum


def line_of(text: str, path: Path) -> int:
    """The line where the statement that sets `path` begins.

    tomllib tells no lines, but the first lines of a file are a file: the key came with the first beginning that
    has it, and its statement starts after the longest beginning before. Only run when there is a mistake to tell.
    """
    lines = text.splitlines(keepends=True)
    before = 0
    for count in range(1, len(lines) + 1):
        try:
            table = tomllib.loads("".join(lines[:count]))
        except tomllib.TOMLDecodeError:
            continue  # inside a text or list of several lines
        if _has(table, path):
            while before < count - 1 and lines[before].strip()[:1] in ("", "#"):
                before += 1
            return before + 1
        before = count
    return 0


def _has(table: Any, path: Path) -> bool:
    try:
        for key in path:
            table = table[key]
    except (KeyError, IndexError, TypeError):
        return False
    return True


def _dotted(path: Path) -> str:
    return ".".join(str(key) for key in path if isinstance(key, str))


def _bare(kind: Any) -> Any:
    return _bare(get_args(kind)[0]) if get_origin(kind) is Annotated else kind


def _unknown(key: str, path: Path, known: list[str]) -> str:
    where = f"in [{_dotted(path)}]" if path else "at the top of the file"
    from difflib import get_close_matches  # needed for a mistake only, and not cheap to load

    near = get_close_matches(key, known, n=1)
    meant = f"; did you mean {near[0]}?" if near else ""
    return f"{key} is not known {where}{meant} Known there: {', '.join(known)}"


def _limits(meta: Meta) -> str:
    low = meta.ge if meta.ge is not None else meta.gt
    high = meta.le if meta.le is not None else meta.lt
    words = []
    if low is not None and high is not None and meta.ge is not None and meta.le is not None:
        words.append(f"from {low} to {high}")
    else:
        words += [f"from {low}"] if meta.ge is not None else [f"above {low}"] if low is not None else []
        words += [f"up to {high}"] if meta.le is not None else [f"below {high}"] if high is not None else []
    if meta.min_length is not None:
        words.append(f"of at least {meta.min_length}")
    if meta.max_length is not None:
        words.append(f"of at most {meta.max_length}")
    if meta.pattern is not None:
        words.append(f"that matches {meta.pattern}")
    return " ".join(words)


def _shown(value: Any) -> str:
    text = msgspec.json.encode(value, enc_hook=str).decode()
    return text if len(text) <= 60 else text[:57] + "..."


def _line_told(error: tomllib.TOMLDecodeError, text: str) -> int:
    """tomllib says "(at line 3, column 5)" or "(at end of document)"."""
    _, found, rest = str(error).partition("at line ")
    return int(rest.partition(",")[0]) if found else max(1, text.count("\n"))
