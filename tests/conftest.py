"""Rules for all tests: where `tests.support` is found, and when a test may be skipped.

A test marked `peer("swaks")` needs that program. It is skipped where the program is missing, but fails
when `CI` is set: there everything is installed, and a skip would hide a bar that nobody measures.
"""

import os
import shutil
import sys

import pytest
from hypothesis import settings

settings.register_profile("tests", deadline=None)  # machines are shared: how long an example took says nothing
settings.load_profile("tests")

# At the end: an installed wheel, which is what tox tests, goes before the source tree.
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
if ROOT not in sys.path:
    sys.path.append(ROOT)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also run the tests marked long")
    parser.addoption("--seconds", type=float, default=120.0, help="how long many clients work at once on one mailbox")
    parser.addoption("--seed", type=int, default=None, help="what they do; any, and printed, when it is not given")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--long"):
        return
    kept, left_out = [], []
    for item in items:
        (left_out if item.get_closest_marker("long") else kept).append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("peer"):
        for program in marker.args:
            if not found(program):
                words = f"{program} is not installed"
                if os.environ.get("CI"):
                    pytest.fail(f"{words}, and with CI set no test may be skipped for that", pytrace=False)
                pytest.skip(words)


def found(program: str) -> bool:
    """Debian keeps servers in the sbin folders, which a user's PATH may lack."""
    path = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin:/usr/local/sbin"
    return shutil.which(program, path=path) is not None
