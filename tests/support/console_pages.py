"""What is looked at in the console: each GET route of the table with somebody who sees it, and pages behind a form.

A new page: a line in PAGES, its path as in `Route`, with who looks at it and, when it has parts in <brackets>, what
stands there (`Premises.names`). Of what is no page but a file, the path goes into FILES. What only a POST shows is a
`Shown` of its own in BEHIND, with the deed that leads there.
"""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from emailgency.servers.web.console.help_topics import PAGES as HELP
from tests.support.premises import PASSWORD


class Shown(Struct, frozen=True):
    """A page as `who` of `Premises` sees it; `path` may name something of `Premises.names`.

    `deed` goes on from there, with Playwright's page; `status`: of an answer that is meant to be no 200.
    """

    who: str
    path: str
    deed: Callable[[Any], None] | None = None
    status: int = 200


def press(action: str, value: str = "", **fields: str) -> Callable[[Any], None]:
    """Fill in a form by the names of its fields, and press its button, or the one of that value: in any language."""

    def act(page: Any) -> None:
        form = page.locator(f"main form[method=post][action$='{action}']").first
        for name, words in fields.items():
            form.locator(f"[name={name}]").first.fill(words)
        form.locator(f"button[value={value}]" if value else "button").first.click()

    return act


def tick(action: str, many: int, value: str = "", choice: str = "") -> Callable[[Any], None]:
    """Tick the first rows of a list, choose what to do with them, and press the button."""

    def act(page: Any) -> None:
        boxes = page.locator("tbody input[type=checkbox]")
        for number in range(min(many, boxes.count())):
            boxes.nth(number).check()
        if choice:
            page.locator("#deeds select").select_option(choice)
        press(action, value)(page)

    return act


PAGES: dict[str, list[Shown]] = {
    "/login": [Shown("anonymous", "/login")],
    "/forgotten": [Shown("anonymous", "/forgotten")],
    "/password": [
        Shown("anonymous", "/password?token={password_link}"),
        Shown("anonymous", "/password?token=old", status=410),
    ],
    "/contact": [
        Shown("anonymous", "/contact?token={contact_link}"),
        Shown("anonymous", "/contact?token=old", status=410),
    ],
    "/assistant/dns": [Shown("anonymous", "/assistant/dns"), Shown("administrator", "/assistant/dns")],
    "/assistant/mail": [Shown("anonymous", "/assistant/mail"), Shown("user", "/assistant/mail")],
    "/overview": [Shown("administrator", "/overview"), Shown("guest", "/overview")],
    "/candidates": [Shown("administrator", "/candidates"), Shown("administrator", "/candidates?q=none")],
    "/received/<address>": [
        Shown("administrator", "/received/{candidate}"),
        Shown("administrator", "/received/none%40mydomain.zz"),
    ],
    "/mailboxes": [Shown("administrator", "/mailboxes")],
    "/mailboxes/<address>": [Shown("administrator", "/mailboxes/{address}"), Shown("user", "/mailboxes/{address}")],
    "/mailboxes/<address>/tokens": [Shown("user", "/mailboxes/{address}/tokens")],
    "/mailboxes/<address>/passkeys": [Shown("administrator", "/mailboxes/{address}/passkeys")],
    "/mailboxes/<address>/app-passwords": [Shown("user", "/mailboxes/{address}/app-passwords")],
    "/security": [Shown("user", "/security")],
    "/security/phone": [Shown("operator", "/security", press("/security/phone/new", password=PASSWORD))],
    "/login/code": [Shown("anonymous", "/login/code", status=400)],
    "/aliases": [Shown("administrator", "/aliases")],
    "/lists": [Shown("administrator", "/lists")],
    "/banished": [Shown("administrator", "/banished")],
    "/domain": [Shown("administrator", "/domain")],
    "/domain/names": [Shown("administrator", "/domain/names")],
    "/domain/dns": [Shown("administrator", "/domain/dns")],
    "/domain/trust": [Shown("administrator", "/domain/trust")],
    "/contacts": [Shown("administrator", "/contacts")],
    "/pending": [Shown("administrator", "/pending")],
    "/pending/<id>": [Shown("administrator", "/pending/{pending}")],
    "/results/<id>": [Shown("administrator", "/results/{results}")],
    "/audit": [Shown("administrator", "/audit")],
    "/where": [Shown("administrator", "/where"), Shown("user", "/where")],
    "/where/<id>": [Shown("administrator", "/where/{pending}"), Shown("user", "/where/none", status=404)],
    "/operator": [Shown("operator", "/operator")],
    "/operator/customers/<customer>": [Shown("operator", "/operator/customers/{customer}")],
    "/operator/plans": [Shown("operator", "/operator/plans")],
    "/operator/plans/<plan>": [Shown("operator", "/operator/plans/{plan}")],
    "/operator/queues": [Shown("operator", "/operator/queues")],
    "/operator/server": [Shown("operator", "/operator/server")],
    "/operator/where": [Shown("operator", "/operator/where")],
    "/operator/where/<id>": [Shown("operator", "/operator/where/{pending}")],
    "/operator/audit": [Shown("operator", "/operator/audit")],
    "/help": [Shown("anonymous", "/help")],
    "/help/<page>": [Shown("anonymous", f"/help/{page}") for page in HELP],
}

# Pictures, sounds and files to keep, and the one that only leads on.
FILES = {
    "/",
    "/assistant/profile",
    "/captcha/picture",
    "/captcha/sound",
    "/where.json",
    "/where.pdf",
    "/where/<id>/json",
    "/where/<id>/pdf",
    "/operator/where.json",
    "/operator/where.pdf",
    "/operator/where/<id>/json",
    "/operator/where/<id>/pdf",
}

BEHIND: dict[str, Shown] = {
    "wrong password": Shown(
        "anonymous", "/login", press("/login", name="<b data-attacked>attack-login", password="x"), 401
    ),
    "code of the phone": Shown("anonymous", "/login", press("/login", name="ringo@mydomain.zz", password=PASSWORD)),
    "records of a domain": Shown("anonymous", "/assistant/dns", press("/assistant/dns", domain="mydomain.zz")),
    "forbidden": Shown("user", "/overview", status=403),
    "sure of banishing": Shown("administrator", "/candidates", tick("/candidates", 4, "banish")),
    "sure of removing": Shown("administrator", "/mailboxes", tick("/mailboxes", 2, choice="remove")),
    "by hand": Shown("administrator", "/mailboxes", tick("/mailboxes", 1, choice="password")),
    "sure of dropping": Shown("administrator", "/pending", tick("/pending", 3, "drop")),
    "sure of giving up": Shown("administrator", "/pending", tick("/pending", 1, "bounce")),
    "flush": Shown("administrator", "/pending", press("/domain/flush")),
    "refused setting": Shown("administrator", "/domain", press("/domain/relay", smtp_transport="10.0.0.1"), 400),
    "mistake": Shown("administrator", "/aliases", press("/aliases/add", address="paul", mailbox="<b>nobody"), 400),
}
