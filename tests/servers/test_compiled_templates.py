"""Pages and letters never keep the reactor busy with compiling their templates."""

from threading import get_ident

from jinja2 import Environment
from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from emailgency.servers.web.console import compiled, pages
from emailgency.servers.web.console.compiled import Compiled, Preparation
from emailgency.servers.web.console.pages import Pages

FACTS = {
    "root": "/eg",
    "static": {"mark.svg": "", "bootstrap.min.css": "", "theme.css": "", "passkeys.js": ""},
    "visitor": None,
    "csrf": "",
    "host": "x",
    "told": (),
    "unfinished": False,
    "help": "",
}


class Compiling(TestCase):
    timeout = 120

    def setUp(self):
        self.patch(pages, "COMPILED", Compiled())
        self.compiled: list[tuple[str, int]] = []
        compile_ = Environment.compile

        def recording(environment, source, name=None, *rest, **more):
            self.compiled.append((name, get_ident()))
            return compile_(environment, source, name, *rest, **more)

        self.patch(Environment, "compile", recording)

    async def test_a_page_that_nobody_has_seen_is_compiled_in_a_thread_and_once(self):
        seen = Pages("Emailgency", reactor)
        first = await seen.page("forbidden.html", "en", FACTS)
        assert {"forbidden.html", "layout.html"} <= {name for name, _ in self.compiled}
        assert get_ident() not in {thread for _, thread in self.compiled}
        count = len(self.compiled)
        assert await seen.page("forbidden.html", "en", FACTS) == first
        assert await seen.page("forbidden.html", "fr", FACTS) != first
        Pages("Emailgency").html("forbidden.html", "fr", FACTS)
        assert len(self.compiled) == count

    async def test_after_the_start_every_template_is_compiled_one_a_turn_in_threads(self):
        asked = Pages("Emailgency")
        await Preparation(reactor, asked).run(0, 0)
        assert {name for name, _ in self.compiled} == set(asked.names())
        assert {"layout.html", "login.html", "mail_password.txt"} <= set(asked.names())
        assert get_ident() not in {thread for _, thread in self.compiled}
        self.compiled.clear()
        Pages("Emailgency").html("forbidden.html", "fr", FACTS)
        assert self.compiled == []

    async def test_nothing_is_compiled_before_the_start_has_settled_or_after_the_stop(self):
        clock = Clock()
        preparation = Preparation(clock, Pages("Emailgency"))
        preparation.start()
        clock.advance(compiled._SETTLED - 1)
        await preparation.stop(1.0)
        assert clock.getDelayedCalls() == []
        assert self.compiled == []
        await Preparation(clock, Pages("Emailgency")).stop(1.0)
