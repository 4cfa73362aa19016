"""The languages of the console: English is in the templates, the others are catalogues in web/locale."""

import os
from functools import cache
from gettext import NullTranslations

from emailgency.servers.web.console import assets

LANGUAGES = {"en": "English", "fr": "Français"}
_PREFERRED = 8  # languages of a browser that are looked at


@cache
def translations(language: str) -> NullTranslations:
    """The catalogue of a language of ours."""
    if language == "en":
        return NullTranslations()
    return _Catalogue(language)


class _Catalogue(NullTranslations):
    """Read from its .po file when it is first needed, so that no compiled copy can be out of date."""

    def __init__(self, language: str) -> None:
        super().__init__()
        from babel.messages.pofile import read_po

        with open(os.path.join(assets.folder("locale"), f"{language}.po"), "rb") as file:
            catalogue = read_po(file, locale=language)
        self._words = {message.id: message.string for message in catalogue if message.id and message.string}

    def gettext(self, message: str) -> str:
        found = self._words.get(message)
        return found if isinstance(found, str) else message

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        found = self._words.get((msgid1, msgid2))
        if not isinstance(found, tuple):
            return msgid1 if n == 1 else msgid2
        return found[0] if n < 2 else found[1]


def chosen(accepted: str, wanted: str = "") -> str:
    """`wanted` was chosen on a page, `accepted` is the browser's Accept-Language (RFC 9110 section 12.5.4)."""
    if wanted in LANGUAGES:
        return wanted
    ranked = []
    for place, item in enumerate(accepted.split(",")[:_PREFERRED]):
        tag, _, quality = item.strip().partition(";q=")
        try:
            ranked.append((-float(quality or 1), place, tag.split("-")[0].lower()))
        except ValueError:
            continue
    return next((tag for _, _, tag in sorted(ranked) if tag in LANGUAGES), "en")
