"""The help: pages of prose, a template a page and language, for everybody (row F6).

`?language=fr` shows a page in another language than the visitor's, so that a link may be given to somebody else.
"""

import json
import os
import re
from functools import cache

from msgspec import Struct

from emailgency.servers.web.console import assets
from emailgency.servers.web.console.help_topics import PAGES
from emailgency.servers.web.console.languages import LANGUAGES
from emailgency.servers.web.console.routes import Answer, Asked, Page, Route, Visitor, Who

_SECTION = re.compile(r'<section id="([a-z0-9-]+)">\s*<h2>(.+?)</h2>')


class Picture(Struct, frozen=True):
    """`name` is that of a static file; sizes in pixels."""

    name: str
    width: int
    height: int


class HelpPanel:
    def routes(self) -> list[Route]:
        return [
            Route("GET", "/help", Who.ANYBODY, self.contents),
            Route("GET", "/help/<page>", Who.ANYBODY, self.show),
        ]

    async def contents(self, visitor: Visitor, asked: Asked) -> Answer:
        return Page("help_contents.html", _facts(visitor, asked))

    async def show(self, visitor: Visitor, asked: Asked) -> Answer:
        page = asked.path["page"]
        if page not in PAGES:
            return Page("missing.html", status=404)
        facts = _facts(visitor, asked)
        return Page("help.html", facts | {"page": page, "pictures": pictures(visitor.language)})


def _facts(visitor: Visitor, asked: Asked) -> dict[str, object]:
    wanted = asked.given("language")
    if wanted in LANGUAGES:
        visitor.language = wanted
    sections = {page: paragraphs(visitor.language, page) for page in PAGES}
    return {"pages": PAGES, "sections": sections, "aside": "help", "wanted": wanted if wanted in LANGUAGES else ""}


@cache
def paragraphs(language: str, page: str) -> dict[str, str]:
    """The title of each paragraph of a page, by its id."""
    with open(os.path.join(assets.folder("help"), language, f"{page}.html"), encoding="utf-8") as file:
        return dict(_SECTION.findall(file.read()))


@cache
def pictures(language: str) -> dict[str, Picture]:
    """By the names that the pages call them."""
    with open(os.path.join(assets.folder("help"), "pictures", "pictures.json"), encoding="utf-8") as file:
        listed = json.load(file)
    return {name: Picture(f"{name}.{language}.webp", *one["sizes"][language]) for name, one in listed.items()}
