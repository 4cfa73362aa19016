"""Whatever the console says, it says in French as well."""

import glob
import os
import re
from collections.abc import Iterator
from typing import Any

import emailgency
from emailgency.servers.web.console import assets


def said_in_templates() -> Iterator[Any]:
    from jinja2.ext import babel_extract

    for name in os.listdir(assets.folder("templates")):
        with open(os.path.join(assets.folder("templates"), name), "rb") as file:
            for _, _, words, _ in babel_extract(file, ("_", "gettext", "ngettext"), (), {"trim_blocks": "true"}):
                texts = tuple(filter(None, words if isinstance(words, tuple) else (words,)))
                if texts:  # else what another file says, given to a macro
                    yield texts if len(texts) > 1 else texts[0]


# What these refuse is read at the command line, in the log or by a mail program.
ENGLISH_ONLY = (
    "codec/imap",
    "codec/originators",
    "flows/upkeep/backup",
    "flows/addresses/import_",
    "flows/upkeep/restore",
    "servers/control",
)
ENGLISH_ONLY += ("servers/imap", "store/redis", "store/layout", "command/")


def said_in_code() -> Iterator[Any]:
    """Keys of model.words: what flows and rules refuse with, titles of results."""
    from babel.messages.extract import extract_from_file

    keywords = {"Words": (1,), "Invalid": (1,), "Conflict": (1,), "Busy": (1,)}
    says = re.compile(rf"\b({'|'.join(keywords)})\(".encode())
    folder = os.path.dirname(emailgency.__file__)
    for path in glob.glob("**/*.py", root_dir=folder, recursive=True):
        whole = os.path.join(folder, path)
        with open(whole, "rb") as file:
            if path.startswith(ENGLISH_ONLY) or not says.search(file.read()):
                continue  # to take every file apart costs seven seconds
        for _, words, _, _ in extract_from_file("python", whole, keywords=keywords):
            yield words


def test_every_word_of_the_pages_is_there_in_french() -> None:
    from babel.messages.pofile import read_po

    with open(os.path.join(assets.folder("locale"), "fr.po"), "rb") as file:
        catalogue = {message.id: message.string for message in read_po(file, locale="fr") if message.id}
    said = {*said_in_templates(), *said_in_code()}
    assert said == catalogue.keys()
    for key, words in catalogue.items():
        assert words
        for one in (words,) if isinstance(words, str) else words:
            wanted = set(re.findall(r"%\(\w+\)s", key if isinstance(key, str) else key[1]))
            assert set(re.findall(r"%\(\w+\)s", one)) <= wanted, one
