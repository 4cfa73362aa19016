"""Where the data folder is, from what the person said; the settings file is read for that alone."""

import os
import tomllib
from typing import Any

from emailgency.command.failure import USAGE, CommandFailed


def data_folder(data: str | None, settings: str | None) -> str:
    """As `twistd emailgency` decides it: --data, else `data` of --settings, else the default."""
    return os.path.abspath(data or (settings and _of_settings(settings)) or default_data())


def default_data() -> str:
    """Where the data folder is when nobody says it, for the server too."""
    if os.geteuid() == 0:
        return "/var/lib/emailgency"
    base = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    return os.path.join(base, "emailgency")


def redis_settings(settings: str | None) -> dict[str, str]:
    """The section [redis] of the settings file, as far as it is there."""
    section = _table(settings).get("redis", {}) if settings else {}
    return {key: value for key, value in section.items() if isinstance(value, str)}


def _of_settings(path: str) -> str:
    return str(_table(path).get("data", ""))


def _table(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CommandFailed(f"cannot read the settings file {path}: {error}", USAGE) from None
