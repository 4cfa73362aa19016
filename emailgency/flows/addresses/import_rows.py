"""Files of addresses, CSV or JSON, read into rows; every mistake is told with its line.

CSV: UTF-8, comma or semicolon, the first line names the columns. JSON: a list of objects with the same names.

    address        local@domain; needed
    type           mailbox (also when empty), alias, list or banished
    target         of an alias its mailbox, of a list its members, separated by spaces (in JSON also a list)
    password       of a mailbox, in clear; empty: none yet
    administrator, vip, keep_copy    yes or no (in JSON also true or false)
    forward        of a mailbox, addresses separated by spaces (in JSON also a list)
"""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from emailgency.codec.address import parse
from emailgency.model.address import Address
from emailgency.model.errors import Invalid
from emailgency.rules.password_policy import password_fault

TYPES = ("mailbox", "alias", "list", "banished")
COLUMNS = ("address", "type", "target", "password", "administrator", "vip", "keep_copy", "forward")
OF_MAILBOX = ("password", "administrator", "vip", "keep_copy", "forward")
YES = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
MOST_TOLD = 100  # mistakes; who has more has one that is everywhere


class Row(Struct, frozen=True, kw_only=True):
    """One address to make."""

    line: int
    type: str
    address: Address
    target: tuple[Address, ...] = ()
    password: str | None = None
    administrator: bool = False
    vip: bool = False
    keep_copy: bool = True
    forward: tuple[str, ...] = ()


class WrongFile(Invalid):
    """Nothing was imported; `lines` say why, each with its line number."""

    def __init__(self, mistakes: list[tuple[int, str]]) -> None:
        count = len(mistakes)
        super().__init__(f"nothing was imported: {count} {'mistake' if count == 1 else 'mistakes'}")
        self.lines = tuple(f"line {line}: {words}" for line, words in sorted(mistakes)[:MOST_TOLD])
        if count > MOST_TOLD:
            self.lines += (f"and {count - MOST_TOLD} more",)


def read(form: str, text: str) -> list[Row]:
    """Every row of the file; raises WrongFile with all mistakes that can be seen in the file alone."""
    found: list[Row] = []
    mistakes: list[tuple[int, str]] = []
    records = _of_csv(text) if form == "csv" else _of_json(text)
    while True:
        try:
            line, fields = next(records)
        except StopIteration:
            break
        except _Wrong as wrong:
            mistakes.append((wrong.line, str(wrong)))
            break
        try:
            found.append(_row(line, fields))
        except Invalid as error:
            mistakes.append((line, str(error)))
    mistakes += _twice(found)
    if mistakes:
        raise WrongFile(mistakes)
    if not found:
        raise WrongFile([(1, "the file has no addresses")])
    return found


class _Wrong(Invalid):
    """The file cannot be read on from here."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


def _of_csv(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    first = text.partition("\n")[0]
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=";" if ";" in first and "," not in first else ",", strict=True
    )
    columns: list[str] = []
    line = 1
    try:
        for values in reader:
            if not columns:
                columns = _columns([value.strip().lower() for value in values], line)
            elif any(value.strip() for value in values):
                if len(values) > len(columns):
                    raise _Wrong(line, f"{len(values)} values for {len(columns)} columns")
                yield line, dict(zip(columns, map(str.strip, values), strict=False))
            line = reader.line_num + 1  # a quoted value may hold line ends
    except csv.Error as error:
        raise _Wrong(line, f"not CSV: {error}") from None


def _columns(names: list[str], line: int) -> list[str]:
    for name in names:
        if name not in COLUMNS:
            raise _Wrong(line, f"{name!r} is no column; known are {', '.join(COLUMNS)}")
        if names.count(name) > 1:
            raise _Wrong(line, f"the column {name} stands there twice")
    if "address" not in names:
        raise _Wrong(line, "the first line must name the columns, and one of them must be address")
    return names


def _of_json(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Object by object, because json tells no lines of what it has read."""
    read_one = json.JSONDecoder().raw_decode
    at, line, counted = _after(text, 0), 1, 0
    if text[at : at + 1] != "[":
        raise _Wrong(1, "the file must hold a list: [ … ]")
    at = _after(text, at + 1)
    while text[at : at + 1] != "]":
        line, counted = line + text.count("\n", counted, at), at
        try:
            value, at = read_one(text, at)
        except json.JSONDecodeError as error:
            raise _Wrong(error.lineno, f"not JSON: {error.msg}") from None
        except RecursionError:
            raise _Wrong(line, "not a list of plain objects") from None
        if not isinstance(value, dict):
            raise _Wrong(line, "each member of the list must be an object: { … }")
        yield line, value
        at = _after(text, at)
        if text[at : at + 1] == ",":
            at = _after(text, at + 1)
        elif text[at : at + 1] != "]":
            raise _Wrong(1 + text.count("\n", 0, at), "not JSON: a comma or ] is missing")
    if text[at + 1 :].strip():
        raise _Wrong(1 + text.count("\n", 0, at), "something follows the end of the list")


def _after(text: str, at: int) -> int:
    while text[at : at + 1] in tuple(" \t\r\n"):
        at += 1
    return at


def _row(line: int, fields: dict[str, Any]) -> Row:
    unknown = fields.keys() - set(COLUMNS)
    if unknown:
        raise Invalid(f"{min(unknown)!r} is no field; known are {', '.join(COLUMNS)}")
    kind = _text(fields, "type").lower() or "mailbox"
    if kind not in TYPES:
        raise Invalid(f"type {kind!r} is none of {', '.join(TYPES)}")
    if not _text(fields, "address"):
        raise Invalid("the address is missing")
    given = [name for name in OF_MAILBOX if fields.get(name) not in (None, "", [])]
    if kind != "mailbox" and given:
        raise Invalid(f"{given[0]} is for mailboxes, and this is {_articled(kind)}")
    target = tuple(_address(name, "target") for name in _texts(fields, "target"))
    _check_target(kind, target)
    return Row(
        line=line,
        type=kind,
        address=_address(_text(fields, "address"), "address"),
        target=target,
        password=_password(fields),
        administrator=_yes(fields, "administrator", False),
        vip=_yes(fields, "vip", False),
        keep_copy=_yes(fields, "keep_copy", True),
        forward=tuple(_texts(fields, "forward")),
    )


def _check_target(kind: str, target: tuple[Address, ...]) -> None:
    if kind == "alias" and len(target) != 1:
        raise Invalid("an alias has one target: the address of its mailbox")
    if kind == "list" and not target:
        raise Invalid("a list has at least one member as its target")
    if kind in ("mailbox", "banished") and target:
        raise Invalid(f"{_articled(kind)} has no target")


def _address(text: str, field: str) -> Address:
    try:
        return parse(text)
    except Invalid as error:
        raise Invalid(f"{field} {text!r}: {error}") from None


def _password(fields: dict[str, Any]) -> str | None:
    password = _text(fields, "password")
    fault = password_fault(password) if password else None
    if fault:
        raise Invalid(fault)
    return password or None


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Invalid(f"{name} must be a text")
    return value


def _texts(fields: dict[str, Any], name: str) -> list[str]:
    value = fields.get(name)
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return value
    return _text(fields, name).split()


def _yes(fields: dict[str, Any], name: str, otherwise: bool) -> bool:
    value = fields.get(name)
    if value is None or value == "":
        return otherwise
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or value.lower() not in YES:
        raise Invalid(f"{name} must be yes or no")
    return YES[value.lower()]


def _twice(rows: list[Row]) -> list[tuple[int, str]]:
    lines: dict[Address, int] = {}
    mistakes = []
    for row in rows:
        first = lines.setdefault(row.address, row.line)
        if first != row.line:
            mistakes.append((row.line, f"{row.address} stands in line {first} already"))
    return mistakes


def _articled(kind: str) -> str:
    return "an alias" if kind == "alias" else f"a {kind}" if kind != "banished" else "a banished address"
