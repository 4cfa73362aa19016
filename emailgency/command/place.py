"""Where the data folder is, from what the person said; the settings file is read for that alone."""

import os
import tomllib

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


def _of_settings(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return str(tomllib.load(file).get("data", ""))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CommandFailed(f"cannot read the settings file {path}: {error}", USAGE) from None
