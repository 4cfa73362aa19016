"""Templates into HTML, in the visitor's language. Everything that is not marked as HTML is escaped (attack row 21)."""

import time
from gettext import NullTranslations
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from emailgency.model.words import Words
from emailgency.servers.web.console import assets
from emailgency.servers.web.console.languages import LANGUAGES, translations
from emailgency.servers.web.console.phrases import known


class Pages:
    """One environment a language; templates are read once."""

    def __init__(self, service: str) -> None:
        """`service` is the name the pages give themselves."""
        self._service = service
        self._environments: dict[str, Environment] = {}

    def html(self, template: str, language: str, facts: dict[str, Any]) -> bytes:
        return self._environment(language).get_template(template).render(facts).encode()

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
