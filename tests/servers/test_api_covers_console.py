"""Each route of the console has its operations in the API, or docs/api.md says why it has none."""

import os
import re

from emailgency.assembly.api import described
from emailgency.servers.web.api.document import operation_id
from emailgency.servers.web.console.routes import Who
from tests.support.console_routes import ROUTES
from tests.support.server import ROOT

_ROW = re.compile(r"\| `(GET|POST) (/[^`]*)` \| (.+) \|")
_NAMES = re.compile(r"`([a-z_]+)`")
OPERATIONS = {operation_id(one): one for one in described()}


def rows() -> list[tuple[str, list[str]]]:
    """Method and path of each row, with the operations it names: none where the row gives a reason."""
    found = []
    with open(os.path.join(ROOT, "docs", "api.md"), encoding="utf-8") as file:
        for method, path, words in _ROW.findall(file.read()):
            reason = _NAMES.sub("", words).strip()
            found.append((f"{method} {path}", [] if reason else _NAMES.findall(words)))
    return found


def test_every_route_has_an_operation_or_a_reason_and_no_row_is_of_yesterday() -> None:
    told = [route for route, _ in rows()]
    assert sorted(told) == sorted(f"{route.method} {route.path}" for route in ROUTES)


def test_the_operations_that_are_named_exist_and_each_is_named() -> None:
    named = {name for _, names in rows() for name in names}
    assert named == OPERATIONS.keys()


def test_an_operation_is_for_nobody_whom_the_route_keeps_out() -> None:
    """A route for administrators is not there for users by another way."""
    rank = {Who.ANYBODY: 0, Who.USER: 1, Who.ADMINISTRATOR: 2, Who.OPERATOR: 3}
    whose = {f"{route.method} {route.path}": route.who for route in ROUTES}
    for route, names in rows():
        for name in names:
            assert rank[OPERATIONS[name].who] >= min(rank[whose[route]], 1), (route, name)
            assert not (whose[route] is Who.OPERATOR and OPERATIONS[name].who is not Who.OPERATOR), (route, name)
            assert not (whose[route] is Who.ADMINISTRATOR and OPERATIONS[name].who is Who.USER), (route, name)
