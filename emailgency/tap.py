"""`twistd emailgency`: the command line of the server, and nothing else."""

from typing import Any

from twisted.application.service import IService
from twisted.python import usage


class Demo(usage.Options):
    """A customer whose own server is down, to look at."""


class Options(usage.Options):
    """Where the settings and the data are. Everything else stands in the settings file."""

    synopsis = "[options] [demo]"
    longdesc = "Without a settings file the defaults serve an installation from its data folder."

    optParameters: list[list[Any]] = [  # noqa: RUF012 -- twisted.python.usage reads it from the class
        ["settings", "s", None, "The settings file (TOML; docs/settings.md lists its keys)"],
        ["data", "d", None, "The data folder, before the one of the settings file"],
    ]
    subCommands: list[list[Any]] = [  # noqa: RUF012
        ["demo", None, Demo, "Show the main job with a simulated customer and his server"],
    ]


def makeService(options: Options) -> IService:
    """Called by twistd after the options are read; a mistake in the settings ends the start with its line."""
    from emailgency.settings_file import Wrong

    try:
        if options.subCommand == "demo":
            from emailgency.demo.service import service as demo

            return demo(options)
        from emailgency.service import service

        return service(options)
    except Wrong as wrong:
        raise SystemExit(f"emailgency: {wrong}") from None  # twistd shows a traceback of anything else
