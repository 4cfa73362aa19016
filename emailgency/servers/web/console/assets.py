"""Where templates, styles and catalogues lie: beside the packages in a source tree, else where pip has put them."""

import os
import sysconfig

import emailgency

_TREE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(emailgency.__file__))), "web")
_INSTALLED = os.path.join(sysconfig.get_path("data"), "share", "emailgency", "web")


def folder(name: str) -> str:
    """`name` is "templates", "static", "locale" or "help"."""
    return os.path.join(_TREE if os.path.isdir(_TREE) else _INSTALLED, name)
