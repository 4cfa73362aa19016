"""What a person does with a CAPTCHA: here the digits are read where the server keeps them."""

import json
import os
from hashlib import sha256

from emailgency.servers.web.console.console import CHALLENGE
from emailgency.store.redis.reading import reading_url
from tests.support.browser import Answer, Browser
from tests.support.server import Server


def digits(server: Server, challenge: str) -> str:
    """Of the challenge in a browser's cookie; "" when there is none."""
    with reading_url(f"unix://{os.path.join(server.data, 'redis', 'socket')}") as redis:
        found = redis.ask("GET", f"captcha:{sha256(challenge.encode()).hexdigest()}")
    return json.loads(found)["digits"] if found else ""


def seen(server: Server, browser: Browser) -> str:
    """The digits this browser is shown."""
    return digits(server, browser.cookies.get(CHALLENGE, ""))


def ask_link(server: Server, browser: Browser, name: object, **headers: str) -> Answer:
    """Asks for a password link as the login page offers it."""
    browser.get("/forgotten")
    return browser.post("/forgotten", {"name": name, "digits": seen(server, browser)}, **headers)
