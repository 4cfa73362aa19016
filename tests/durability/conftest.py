"""The longest test begins first, so that where tests run side by side nobody waits for it alone at the end."""

import pytest

LONGEST = "test_many_clients.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name != LONGEST)
