"""Pictures and voices of digits are made once each and one at a time, whoever asks how often (attack row 35)."""

from threading import Event

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from emailgency.model.errors import Busy
from emailgency.servers.web.console import captcha_panel
from emailgency.servers.web.console.captcha_panel import CaptchaPanel, Workshop
from emailgency.servers.web.console.routes import Asked, Octets, Page, Visitor

ASKED = Asked({}, {}, {})


class OneCaptcha:
    """Knows the digits of one token."""

    async def look(self, token):
        return "123456" if token == "mine" else None


class Making(TestCase):
    timeout = 60

    def setUp(self):
        self.free, self.made = Event(), []
        self.addCleanup(self.free.set)

    def make(self, digits):
        """Blocks until it may."""
        self.free.wait()
        self.made.append(digits)
        return digits.encode()

    def ask(self, workshop, token, digits="1"):
        return Deferred.fromCoroutine(workshop.made(token, digits))

    async def test_attack_35_who_asks_again_is_given_what_was_made(self):
        workshop = Workshop(reactor, self.make, waiting=9)
        asking = [self.ask(workshop, "mine") for _ in range(9)]
        self.free.set()
        assert await gatherResults(asking) == [b"1"] * 9
        assert await workshop.made("mine", "1") == b"1"
        assert self.made == ["1"]

    async def test_attack_35_one_thread_is_taken_and_few_wait_for_it(self):
        workshop = Workshop(reactor, self.make, waiting=2)
        asking = [self.ask(workshop, str(number), str(number)) for number in range(3)]
        for token in ("3", "4"):
            with self.assertRaisesRegex(Busy, "Too many"):
                await workshop.made(token, "9")
        self.free.set()
        assert await gatherResults(asking) == [b"0", b"1", b"2"]
        assert self.made == ["0", "1", "2"]
        assert await workshop.made("3", "3") == b"3", "there is room again"

    async def test_the_last_ones_are_kept(self):
        self.patch(captcha_panel, "_KEPT", 2)
        self.free.set()
        workshop = Workshop(reactor, self.make, waiting=2)
        for token in ("1", "2", "3", "3", "1"):
            await workshop.made(token, token)
        assert self.made == ["1", "2", "3", "1"]

    async def test_what_could_not_be_made_is_made_when_it_is_asked_for_again(self):
        workshop = Workshop(reactor, lambda digits: self.made.pop(), waiting=0)
        with self.assertRaises(IndexError):
            await workshop.made("mine", "1")
        self.made.append(b"1")
        assert await workshop.made("mine", "1") == b"1"

    async def test_a_browser_is_given_the_digits_of_its_own_challenge(self):
        panel = CaptchaPanel(OneCaptcha(), reactor)
        visitor = Visitor(ip="192.0.2.1", host="x", language="en", challenge="mine")
        picture, again = [await panel.picture(visitor, ASKED) for _ in range(2)]
        assert isinstance(picture, Octets)
        assert picture.octets == again.octets
        assert picture.octets.startswith(b"\x89PNG")
        visitor.challenge = "other"
        answer = await panel.sound(visitor, ASKED)
        assert isinstance(answer, Page)
        assert answer.status == 404
