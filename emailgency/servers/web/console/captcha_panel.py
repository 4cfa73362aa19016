"""The digits of a CAPTCHA as a picture and as sound (row F3, attack row 35), made in a thread: 30 and 350 ms of CPU."""

from typing import Any

from twisted.internet.threads import deferToThreadPool

from emailgency.servers.web.console.routes import Answer, Asked, Octets, Page, Route, Visitor, Who
from emailgency.store.captchas import Captchas

_WIDTH, _HEIGHT = 320, 96  # pixels: narrower, and digits lie upon each other


class CaptchaPanel:
    def __init__(self, captchas: Captchas, reactor: Any) -> None:
        self._captchas = captchas
        self._reactor = reactor

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/captcha/picture", Who.ANYBODY, self.picture),
            Route("GET", "/captcha/sound", Who.ANYBODY, self.sound),
        ]

    async def picture(self, visitor: Visitor, asked: Asked) -> Answer:
        return await self._made(visitor, _drawn, "image/png")

    async def sound(self, visitor: Visitor, asked: Asked) -> Answer:
        return await self._made(visitor, _spoken, "audio/wav")

    async def _made(self, visitor: Visitor, make: Any, content_type: str) -> Answer:
        digits = await self._captchas.look(visitor.challenge)
        if digits is None:
            return Page("missing.html", status=404)
        pool = self._reactor.getThreadPool()
        return Octets(content_type, await deferToThreadPool(self._reactor, pool, make, digits))


def _drawn(digits: str) -> bytes:
    from captcha.image import ImageCaptcha  # loaded when it is needed: Pillow takes 50 ms of CPU

    return ImageCaptcha(width=_WIDTH, height=_HEIGHT).generate(digits).getvalue()


def _spoken(digits: str) -> bytes:
    from captcha.audio import AudioCaptcha

    return bytes(AudioCaptcha().generate(digits))
