"""Templates into HTML, in the visitor's language. Everything that is not marked as HTML is escaped (attack row 21)."""

import time
from gettext import NullTranslations
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from emailgency.background import in_thread
from emailgency.model.words import Words
from emailgency.servers.web.console import assets
from emailgency.servers.web.console.compiled import COMPILED
from emailgency.servers.web.console.languages import LANGUAGES, translations
from emailgency.servers.web.console.phrases import known


class Pages:
    """One environment a language; templates are read once."""

    def __init__(self, service: str, reactor: Any = None) -> None:
        """`service` is the name the pages give themselves. `reactor`: has the threads for what takes long; None: it is
        done where it is asked for.
        """
        self._service = service
        self._reactor = reactor
        self._rendered: set[tuple[str, str]] = set()
        self._environments: dict[str, Environment] = {}

    async def page(self, template: str, language: str, facts: dict[str, Any]) -> bytes:
        """As `html`; a page that nobody has seen yet is made in a thread, with all that it is made of."""
        if self._reactor is None or (template, language) in self._rendered:
            return self.html(template, language, facts)
        html = await in_thread(self._reactor, self.html, template, language, facts)
        self._rendered.add((template, language))
        return html

    def html(self, template: str, language: str, facts: dict[str, Any]) -> bytes:
        return self._environment(language).get_template(template).render(facts).encode()

    def names(self) -> list[str]:
        """Of all templates."""
        return self._environment("en").list_templates(extensions=("html", "txt"))

    def compile(self, template: str) -> None:
        """For all languages."""
        self._environment("en").get_template(template)

    def _environment(self, language: str) -> Environment:
        found = self._environments.get(language)
        if found is None:
            found = Environment(
                loader=FileSystemLoader([assets.folder("templates"), assets.folder("help")]),
                autoescape=True,
                undefined=StrictUndefined,
                trim_blocks=True,
                lstrip_blocks=True,
                extensions=["jinja2.ext.i18n"],
                auto_reload=False,
                bytecode_cache=COMPILED,
            )
            found.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
            found.globals |= {"language": language, "languages": LANGUAGES, "service": self._service}
            found.filters |= {"octets": octets, "moment": moment, "said": Said(translations(language))}
            self._environments[language] = found
        return found


class Said:
    """Words in one language; plain text too, when it is a phrase of ours. What else it is stands as it is."""

    def __init__(self, catalogue: NullTranslations) -> None:
        self._translate = catalogue.gettext

    def __call__(self, words: Words | str) -> str:
        found = known(words)
        return found.said(self._translate) if isinstance(found, Words) else found


def octets(size: int) -> str:
    """1536 -> "1.5 KiB"."""
    value = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 10 else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def moment(at: float) -> str:
    """Seconds since the epoch as people read it, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at))
