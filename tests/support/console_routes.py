"""The route table of the console, made of nothing: a panel that is not asked by the tests would be asked by nobody."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Any

from emailgency.servers.web import console


def panels() -> Iterator[Any]:
    """Whatever has routes in the package."""
    for module in pkgutil.iter_modules(console.__path__, f"{console.__name__}."):
        for made in vars(importlib.import_module(module.name)).values():
            if inspect.isfunction(getattr(made, "routes", None)) and made.__module__ == module.name:
                yield made(*[None] * len(inspect.signature(made).parameters))


ROUTES = [route for panel in panels() for route in panel.routes()]
