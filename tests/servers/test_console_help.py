"""The help: a paragraph for every page of the console, in every language, for everybody; its words and pictures."""

import os
import re
from collections.abc import Iterator

import pytest
from babel.messages.pofile import read_po
from PIL import Image

from emailgency.servers.web.console import assets
from emailgency.servers.web.console.help_panel import paragraphs, pictures
from emailgency.servers.web.console.help_topics import PAGES, PARAGRAPHS
from emailgency.servers.web.console.languages import LANGUAGES
from emailgency.servers.web.console.routes import Route
from tests.support import help_pictures
from tests.support.browser import Browser
from tests.support.console_routes import ROUTES
from tests.support.server import Server

PASSWORD = "Correct-horse1"
USER, ADMINISTRATOR, OPERATOR = "paul@mydomain.zz", "postmaster@mydomain.zz", "alice"
# They say no, or are the help: the table of contents is all there is to lead to.
CONTENTS = {"forbidden.html", "missing.html", "mistake.html", "not_meant.html", "help.html", "help_contents.html"}
EACH = [(language, page) for language in LANGUAGES for page in PAGES]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"credentials": {"memory": 64, "passes": 1}, "web": {"connections": {"per_network": 200}}}
    with Server(tmp_path_factory.mktemp("server"), settings).start() as server:
        server.command("customer add", domain="mydomain.zz")
        server.command("mailbox add", address=USER)
        for address in (USER, ADMINISTRATOR):
            server.command("password", address=address, password=PASSWORD)
        server.command("operator add", name=OPERATOR)
        server.command("operator password", name=OPERATOR, password=PASSWORD)
        yield server


def source(language: str, page: str) -> str:
    with open(os.path.join(assets.folder("help"), language, f"{page}.html"), encoding="utf-8") as file:
        return file.read()


# ---- every page leads to its paragraph -----------------------------------------------------------------------------


def test_every_template_of_a_page_has_its_paragraph_in_every_language() -> None:
    folder = assets.folder("templates")
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            if '{% extends "layout.html" %}' in file.read() and name not in CONTENTS:
                assert name in PARAGRAPHS, f"{name}: which paragraph of the help tells of it? See help_topics.py"
    for place in PARAGRAPHS.values():
        page, _, anchor = place.partition("#")
        for language in LANGUAGES:
            assert anchor in paragraphs(language, page), f"{place} in {language}"


def shown(route: Route, address: str) -> str:
    return re.sub("<[a-z_]+>", "nothing", route.path.replace("<address>", address))


@pytest.mark.parametrize("who", ["", USER, ADMINISTRATOR, OPERATOR])
def test_every_page_that_somebody_sees_links_to_its_paragraph(server: Server, who: str) -> None:
    browser = Browser(server.ports["https"])
    if who:
        browser.log_in(who, PASSWORD)
    seen = set()
    for route in ROUTES:
        if route.method != "GET":
            continue
        answer = browser.get(shown(route, who if "@" in who else USER))
        if answer.status == 303 or "text/html" not in (answer.headers["Content-Type"] or ""):
            continue
        header, _, below = answer.text.partition("</header>")
        [place] = re.findall(r'href="/eg/help/?([^"]*)"', header)
        seen.add(place)
        for there in [place, *re.findall(r'class="eg-hint" href="/eg/help/([^"]*)"', below)]:
            page, _, anchor = there.partition("#")
            for language in LANGUAGES:
                assert not there or anchor in paragraphs(language, page), (route.path, there)
    assert len(seen) >= {"": 5, USER: 4, ADMINISTRATOR: 15, OPERATOR: 6}[who]


def test_everybody_reads_the_help_in_every_language_and_an_unknown_page_is_none(server: Server) -> None:
    browser = Browser(server.ports["https"])
    for language, page in EACH:
        answer = browser.get(f"/help/{page}?language={language}")
        assert answer.status == 200
        assert f'<html lang="{language}">' in answer.text
        for anchor in paragraphs(language, page):
            assert f'<section id="{anchor}">' in answer.text
        for address in re.findall(r'href="(/eg/help[^"#]*)', answer.text):
            assert "language=" in address or "<footer>" in answer.text.partition(f'"{address}')[0] or page in PAGES
    assert "Toute l'aide" in browser.get("/help", Accept_Language="fr").text.replace("&#39;", "'")
    assert browser.get("/help/nothing").status == 404
    assert browser.get("/help/start?language=<script>").status == 200


# ---- its words -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_the_languages_tell_the_same(page: str) -> None:
    """Paragraphs, pictures, links, and words of the console, in the same order."""
    told = re.compile(r'<section id="[^"]+">|id="[^"]+"|picture\("\w+"|to\(\'[^\']*\'\)|href="[^"{]+"|ui\("[^"]+"\)')
    first, *others = (told.findall(source(language, page)) for language in LANGUAGES)
    for other in others:
        assert sorted(other) == sorted(first)
        assert [one for one in other if "section" in one] == [one for one in first if "section" in one]


def test_links_lead_somewhere_and_words_of_the_console_are_said_there() -> None:
    with open(os.path.join(assets.folder("locale"), "fr.po"), "rb") as file:
        said = {message.id for message in read_po(file, locale="fr")}
    for language, page in EACH:
        text = source(language, page)
        ids = set(re.findall(r'\bid="([^"]+)"', text))
        for place in re.findall(r"to\('([^']*)'\)", text):
            there, _, anchor = place.partition("#")
            assert there in PAGES, (page, place)
            assert not anchor or f'id="{anchor}"' in source(language, there), (page, place)
        assert set(re.findall(r'href="#([^"]+)"', text)) <= ids
        for words in re.findall(r'(?:ui|_)\("([^"]+)"\)', text):
            assert words in said, f"{page}: no page says “{words}” any more"


# ---- its pictures --------------------------------------------------------------------------------------------------


def test_pictures_are_there_small_and_of_the_size_that_is_told() -> None:
    wanted = {name for language, page in EACH for name in re.findall(r'picture\("(\w+)"', source(language, page))}
    for language in LANGUAGES:
        assert wanted == pictures(language).keys()
        for picture in pictures(language).values():
            path = os.path.join(assets.folder("help"), "pictures", picture.name)
            assert os.path.getsize(path) < 25_000, picture.name
            with Image.open(path) as image:
                assert image.size == (picture.width, picture.height)
    assert len(os.listdir(help_pictures.FOLDER)) == len(LANGUAGES) * len(wanted) + 1


def test_pictures_show_the_pages_as_they_are() -> None:
    assert help_pictures.stale() == [], "make them anew: PYTHONPATH=. python -m tests.support.help_pictures"


def test_pictures_come_as_pictures_to_everybody(server: Server) -> None:
    browser = Browser(server.ports["https"])
    found = re.findall(r'<img src="/eg(/static/[^"]+\.webp)"[^>]* loading="lazy"', browser.get("/help/start").text)
    assert len(found) >= 5
    for path in found:
        assert browser.octets(path) == ("image/webp", b"RIFF")
