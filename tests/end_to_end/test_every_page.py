"""Every page of the console in a real Chromium: at a desk and on a phone, light and dark, with JavaScript and without.

The pages are those of the route table (tests/support/console_pages.py). Each is seen at least once in the four looks;
`--long` shows all eight. The pictures lie in the folder that is printed, to be looked at.
"""

import os
import re

import pytest

pytest.importorskip("playwright.sync_api")

from emailgency.servers.web.console import assets
from tests.support.chromium import chromium
from tests.support.console_pages import BEHIND, FILES, PAGES, Shown
from tests.support.console_routes import ROUTES
from tests.support.premises import FIELDS, Premises
from tests.support.visits import ARGUMENT, Visits

SHOWN: dict[str, Shown] = {
    f"{shown.who} {shown.path.strip('/')}": shown for several in PAGES.values() for shown in several
} | BEHIND
pytestmark = [pytest.mark.peer("chromium"), pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def premises(tmp_path_factory):
    with Premises(tmp_path_factory.mktemp("server")) as premises:
        yield premises


@pytest.fixture(scope="module")
def visits(premises: Premises, tmp_path_factory, pytestconfig):
    with chromium(ARGUMENT) as browser:
        yield Visits(browser, premises, tmp_path_factory.mktemp("pictures"), pytestconfig.getoption("--long"))


def test_every_page_of_the_console_is_looked_at() -> None:
    """A route that is missing here has no line in tests/support/console_pages.py."""
    assert {route.path for route in ROUTES if route.method == "GET"} == PAGES.keys() | FILES
    assert len(SHOWN) == sum(map(len, PAGES.values())) + len(BEHIND)  # no name stands for two


@pytest.mark.parametrize("name", SHOWN)
def test_a_page_is_in_order_in_every_look(visits: Visits, name: str) -> None:
    with_script, without = visits.visit(name, SHOWN[name]), visits.visit(name, SHOWN[name], script=False)
    assert with_script.troubles + without.troubles == []
    assert with_script.weight < 150_000


def test_attack_21_what_strangers_write_is_text_on_every_page(visits: Visits) -> None:
    """Nothing of it runs, is asked for or becomes an element; and all of it is really shown somewhere."""
    seen = set()
    for name, shown in SHOWN.items():
        visit = visits.visit(name, shown)
        assert visit.troubles == [], name
        seen |= set(re.findall("attack-([a-z]+)", visit.everything))
    assert seen >= set(FIELDS)


def test_a_french_page_says_nothing_in_english(visits: Visits) -> None:
    english = _english()
    for name, shown in SHOWN.items():
        visit = visits.visit(name, shown, language="fr")
        assert visit.troubles == [], name
        said = [text for text in visit.texts if english.fullmatch(text) or _ENGLISH.search(text)]
        assert [text for text in said if text not in _NAMES] == [], name


_NAMES = {"Undelivered"}  # a folder is called so in every language
_PLACE = re.compile(r"%\(\w+\)s")
# Words that no French sentence has; what people of the premises have written has none of them.
_ENGLISH = re.compile(r"\b(the|of|is|are|was|and|not|to|for|from|with|your|you|has|have|this|that|by|it|its|at|be)\b")


def _english() -> re.Pattern[str]:
    """Whatever the catalogue translates into something else, with anything for its values."""
    from babel.messages.pofile import read_po

    with open(os.path.join(assets.folder("locale"), "fr.po"), "rb") as file:
        catalogue = read_po(file, locale="fr")
    french = {words for message in catalogue for words in _several(message.string)}
    keys: list[str] = []
    for message in catalogue:
        keys += [
            key for key in _several(message.id) if key not in french and re.search("[A-Za-z]{3}", _PLACE.sub("", key))
        ]
    return re.compile("|".join(".+".join(map(re.escape, _PLACE.split(key))) for key in keys))


def _several(texts: str | tuple[str, ...] | list[str]) -> list[str]:
    """Of one and of many."""
    return [texts] if isinstance(texts, str) else list(texts)
