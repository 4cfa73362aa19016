"""The digits of a CAPTCHA as a picture and as sound (row F3, attack row 35), made in a thread: 30 and 4 ms of CPU.

The threads are those that mail waits for as well, so each is made once, one at a time, and few wait for their turn.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import DeferredSemaphore

from emailgency.background import in_thread
from emailgency.model.errors import Busy
from emailgency.servers.web.console.routes import Answer, Asked, Octets, Page, Route, Visitor, Who
from emailgency.servers.web.console.spoken_digits import spoken
from emailgency.store.logins.captchas import Captchas

_WIDTH, _HEIGHT = 320, 96  # pixels: narrower, and digits lie upon each other
_WAITING = 60  # visitors: 2 s of pictures
_KEPT = 100  # pictures of 10 KB, sounds of 100 KB


class CaptchaPanel:
    def __init__(self, captchas: Captchas, reactor: Any) -> None:
        self._captchas = captchas
        self._pictures = Workshop(reactor, _drawn, _WAITING)
        self._sounds = Workshop(reactor, spoken, _WAITING)

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/captcha/picture", Who.ANYBODY, self.picture),
            Route("GET", "/captcha/sound", Who.ANYBODY, self.sound),
        ]

    async def picture(self, visitor: Visitor, asked: Asked) -> Answer:
        return await self._made(visitor, self._pictures, "image/png")

    async def sound(self, visitor: Visitor, asked: Asked) -> Answer:
        return await self._made(visitor, self._sounds, "audio/wav")

    async def _made(self, visitor: Visitor, workshop: "Workshop", content_type: str) -> Answer:
        digits = await self._captchas.look(visitor.challenge)
        if digits is None:
            return Page("missing.html", status=404)
        return Octets(content_type, await workshop.made(visitor.challenge, digits))


class Workshop:
    """Makes one thing at a time of digits, and keeps the last ones, by the token they were made for."""

    def __init__(self, reactor: Any, make: Callable[[str], bytes], waiting: int) -> None:
        """`make` runs in a thread; `waiting`: so many may wait for their turn."""
        self._reactor = reactor
        self._make = make
        self._waiting = waiting
        self._turn = DeferredSemaphore(1)
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    async def made(self, token: str, digits: str) -> bytes:
        """Raises Busy when too many wait already."""
        if token in self._kept:
            return self._kept[token]
        if not self._turn.tokens and len(self._turn.waiting) >= self._waiting:
            raise Busy("Too many ask for this just now. Try again in a moment.")
        async with self._turn:
            if token not in self._kept:  # else it was made for the one before
                self._kept[token] = await in_thread(self._reactor, self._make, digits)
                if len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
            return self._kept[token]


def _drawn(digits: str) -> bytes:
    from captcha.image import ImageCaptcha  # loaded when it is needed: Pillow takes 50 ms of CPU

    return ImageCaptcha(width=_WIDTH, height=_HEIGHT).generate(digits).getvalue()
