"""How a command of `emailgency` fails: words for the person and the status it leaves with."""

REFUSED = 1
USAGE = 2
NO_SERVER = 3
TROUBLE = 4


class CommandFailed(Exception):
    """`details` are lines that belong under the first one, such as the wrong lines of an imported file."""

    def __init__(self, text: str, status: int, details: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.status = status
        self.details = details
