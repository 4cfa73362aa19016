"""A real Chromium as two people use it: one at a desk, one with a phone, in the dark and without JavaScript.

Each picture is taken after a look whether anything sticks out of the window; they lie in `folder`, to be looked at.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 120_000.0  # milliseconds; Playwright's half a minute is short where others want the processors
LOOKS: dict[str, dict[str, Any]] = {
    "desk": {"viewport": {"width": 1200, "height": 860}, "color_scheme": "light", "java_script_enabled": True},
    "phone": {"viewport": {"width": 390, "height": 780}, "color_scheme": "dark", "java_script_enabled": False},
}


@contextmanager
def chromium(*arguments: str) -> Iterator[Any]:
    """The browser; `arguments` of its command line."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path="/usr/bin/chromium", args=[*ARGUMENTS, *arguments], timeout=PATIENCE
        )
        yield browser
        browser.close()


class Screen:
    """One person's window. `troubles` are what the browser complains about."""

    def __init__(self, browser: Any, look: str, folder: object) -> None:
        self.context = browser.new_context(ignore_https_errors=True, **LOOKS[look])
        self.context.set_default_timeout(PATIENCE)
        self.page = self.context.new_page()
        self.troubles: list[str] = []
        self._folder = str(folder)
        self.page.on("console", lambda message: self._complain(message))
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        print(f"pictures: {folder}")

    def picture(self, name: str) -> None:
        """Playwright's own questions are answered without JavaScript, too."""
        wide = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{name} is wider than the window"
        self.page.screenshot(path=os.path.join(self._folder, f"{name}.png"), full_page=True)

    def _complain(self, message: Any) -> None:
        if message.type == "error" and "the server responded with a status of 4" not in message.text:
            self.troubles.append(message.text)
