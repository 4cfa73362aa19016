"""The command `emailgency` as a person runs it: a process of its own, with words in and words out."""

import json
import subprocess
import sys
from typing import Any

from tests.support.server import environment

PROGRAM = "import sys; sys.argv[0] = 'emailgency'; from emailgency.cli import main; sys.exit(main())"


def emailgency(data: str, *words: str, text: str = "", status: int = 0) -> subprocess.CompletedProcess[str]:
    """On the data folder `data`; `text` is standard input. The status must be `status`."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words, "--data", data],
        input=text,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == status, f"{words} left with {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def answer(data: str, *words: str, text: str = "", status: int = 0) -> Any:
    """What it prints with --json."""
    return json.loads(emailgency(data, *words, "--json", text=text, status=status).stdout)
