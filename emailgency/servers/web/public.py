"""What mail programs look for, for everybody, without a login; console and API stand on the same application.

Thunderbird asks autoconfig.<domain>/mail/config-v1.1.xml?emailaddress=… and <domain>/.well-known/autoconfig/…, by
HTTPS and by HTTP; other programs ask the same. An administrator points the name `autoconfig` of his domain at us.
"""

from typing import Any

from klein import Klein
from twisted.logger import Logger
from twisted.web.http import Request
from werkzeug.exceptions import HTTPException

from emailgency.codec import autoconfig
from emailgency.flows.accounts.access import MailAccess
from emailgency.model.errors import Temporary

_GET = ["GET", "HEAD"]
_AGE = b"max-age=300"  # seconds; the directory answers from memory, so this is only politeness


class Public:
    """The routes. Nothing of a request comes back in an answer."""

    _log = Logger()

    def __init__(self, access: MailAccess) -> None:
        self._access = access
        self.app = Klein()
        for path in ("/mail/config-v1.1.xml", "/.well-known/autoconfig/mail/config-v1.1.xml"):
            self.app.route(path, methods=_GET)(self.autoconfig)
        self.app.handle_errors(HTTPException)(self.no_such_page)
        self.app.handle_errors(Temporary)(self.trouble)

    async def autoconfig(self, request: Request) -> bytes:
        """By the domain of the address that is asked for; without one, by the host: it is no secret either way."""
        try:
            [address] = (request.args or {}).get(b"emailaddress", [b""])
            if address:
                access = await self._access.of_address(address.decode("utf-8"))
            else:
                host = request.getRequestHostname().decode("ascii").lower()
                access = await self._access.of_domain(host.removeprefix("autoconfig."))
        except ValueError:  # asked twice, or not in UTF-8
            access = None
        if access is None:
            return _plain(request, 404, b"No settings for this domain.\n")
        request.setHeader(b"Cache-Control", _AGE)
        return _answer(request, autoconfig.CONTENT_TYPE, autoconfig.document(access))

    def no_such_page(self, request: Request, failure: Any) -> bytes:
        return _plain(request, failure.value.code or 404, b"There is no such page.\n")

    def trouble(self, request: Request, failure: Any) -> bytes:
        request.setHeader(b"Retry-After", b"30")
        self._log.warn("web: {error}", error=failure.getErrorMessage())
        return _plain(request, 503, b"We have trouble of our own, try again later.\n")


def _plain(request: Request, status: int, words: bytes) -> bytes:
    request.setResponseCode(status)
    request.setHeader(b"Cache-Control", b"no-store")
    return _answer(request, b"text/plain; charset=utf-8", words)


def _answer(request: Request, content_type: bytes, body: bytes) -> bytes:
    request.setHeader(b"Content-Type", content_type)
    request.setHeader(b"Content-Length", b"%d" % len(body))
    return body
