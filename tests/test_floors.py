"""The house of docs/architecture.md, checked by machine: imports go downward, and neighbours do not know each other."""

import ast
import os
from collections.abc import Iterator

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PACKAGE = os.path.join(ROOT, "emailgency")

FLOOR = {"model": 0, "codec": 1, "rules": 1, "store": 2, "net": 2, "flows": 3, "servers": 4}
TOP = 5
STRANGERS = [{"codec", "rules"}, {"store", "net"}]
BACKGROUND = "emailgency.background"  # from floor 2 up

# A codec and a rule are plain functions of their arguments: no wire, no disk, no clock, no lots drawn.
SANS_IO = {"twisted", "socket", "select", "os", "random", "secrets", "threading", "subprocess", "asyncio"}
CLOCKS = {
    "time.time",
    "time.monotonic",
    "time.sleep",
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
}


def modules() -> Iterator[tuple[str, str]]:
    for folder, _, files in os.walk(PACKAGE):
        for file in files:
            if file.endswith(".py"):
                path = os.path.join(folder, file)
                name = os.path.relpath(path, ROOT)[: -len(".py")].replace(os.sep, ".")
                yield name.removesuffix(".__init__"), path


MODULES = dict(modules())


def imports(path: str) -> Iterator[tuple[int, str]]:
    """Line and full name of each import, wherever it stands, also those for types alone; `from a import b` gives
    `a.b` if that is a module."""
    with open(path, encoding="utf-8") as file:
        tree = ast.parse(file.read(), path)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield node.lineno, full if full in MODULES or node.module == "twisted.internet" else str(node.module)


def clocks(path: str) -> Iterator[tuple[int, str]]:
    """Where a module reads a clock by itself. A date may be formatted anywhere; what time it is, is told."""
    with open(path, encoding="utf-8") as file:
        tree = ast.parse(file.read(), path)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ".".join(ast.unparse(node).split(".")[-2:]) in CLOCKS:
            yield node.lineno, ast.unparse(node)


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def floor(module: str) -> int:
    return FLOOR.get(room(module), TOP)


def graph() -> dict[str, set[str]]:
    """Who knows whom. Two classes that name each other only in types are a circle too: neither is read alone."""
    return {name: {to for _, to in imports(path) if to in MODULES} for name, path in MODULES.items()}


def complaints() -> Iterator[str]:
    for name, path in MODULES.items():
        here = floor(name)
        for line, to in imports(path):
            at = f"{os.path.relpath(path, ROOT)}:{line} imports {to}"
            if to.startswith("emailgency.") and to != BACKGROUND and name != BACKGROUND:
                if floor(to) > here:
                    yield f"{at}: upward"
                if any({room(name), room(to)} == pair for pair in STRANGERS):
                    yield f"{at}: these rooms do not know each other"
            if to == BACKGROUND and here < 2:
                yield f"{at}: only from floor 2 up"
            if to == "twisted.internet.reactor" and here < TOP:
                yield f"{at}: the reactor is named on floor {TOP} only"
            if here <= 1 and to.split(".")[0] in SANS_IO:
                yield f"{at}: floor {here} knows no wire, disk or lots"
        if here <= 1:
            for line, name_of_clock in clocks(path):
                yield f"{os.path.relpath(path, ROOT)}:{line} reads {name_of_clock}: floor {here} is told the time"


def test_imports_go_downward_and_neighbours_do_not_know_each_other() -> None:
    assert list(complaints()) == []


def test_no_module_imports_itself_in_a_circle() -> None:
    edges, done = graph(), set[str]()

    def walk(name: str, trail: tuple[str, ...]) -> None:
        if name in trail:
            pytest.fail(" -> ".join((*trail[trail.index(name) :], name)))
        if name not in done:
            for to in sorted(edges[name]):
                walk(to, (*trail, name))
            done.add(name)

    for name in sorted(edges):
        walk(name, ())


def test_the_twisted_folders_have_no_init_that_would_hide_twisted() -> None:
    for folder in ("twisted", os.path.join("twisted", "plugins")):
        assert not os.path.exists(os.path.join(ROOT, folder, "__init__.py"))


def test_web_holds_no_python() -> None:
    assert [file for _, _, files in os.walk(os.path.join(ROOT, "web")) for file in files if file.endswith(".py")] == []
