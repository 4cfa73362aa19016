"""Where Outlook looks for its settings: autodiscover in XML and, to find that, in JSON (row F4).

An answer depends on the domain of the address alone, so it tells nobody which addresses exist; what comes back of a
question is the address as this server writes it.
"""

from typing import Any

from klein import Klein
from twisted.web.http import Request

from emailgency.codec import autodiscover
from emailgency.codec.address import parse, wire
from emailgency.flows.accounts.access import MailAccess
from emailgency.model.errors import Invalid

_PATHS = (autodiscover.PATH, "/Autodiscover/Autodiscover.xml", "/AutoDiscover/AutoDiscover.xml")
_AGE = b"max-age=300"


class MailPrograms:
    """`https_port` is where the web answers."""

    def __init__(self, access: MailAccess, https_port: int) -> None:
        self._access = access
        self._port = "" if https_port == 443 else f":{https_port}"

    def put_on(self, app: Klein) -> None:
        for path in _PATHS:
            app.route(path, methods=["POST"])(self.settings)
            app.route(path, methods=["GET", "HEAD"])(self.elsewhere)
        for path in ("/autodiscover/autodiscover.json", "/autodiscover/autodiscover.json/v1.0/<address>"):
            app.route(path, methods=["GET", "HEAD"])(self.place)

    async def settings(self, request: Request) -> bytes:
        """What Outlook posts, and its answer: always with status 200, as the protocol has it."""
        assert request.content is not None
        question = autodiscover.question(request.content.read(autodiscover.LONGEST + 1))
        if question is None:
            return _answer(request, 400, autodiscover.XML, autodiscover.refusal(600, "Invalid request"))
        if question.schema not in ("", autodiscover.OUTLOOK):
            return _answer(request, 200, autodiscover.XML, autodiscover.refusal(601, "Only mail, no mobile sync"))
        try:
            address = parse(question.address)
        except Invalid:
            return _answer(request, 200, autodiscover.XML, autodiscover.refusal(500, "No such address"))
        access = await self._access.of_domain(address.domain)
        if access is None:
            return _answer(request, 200, autodiscover.XML, autodiscover.refusal(500, "No settings for this domain"))
        return _answer(request, 200, autodiscover.XML, autodiscover.answer(access, wire(address)))

    async def elsewhere(self, request: Request) -> bytes:
        """A GET at autodiscover.<domain>, often in clear: Outlook then follows us to our own name and asks there."""
        host = request.getRequestHostname().decode("ascii").lower()
        url = await self._url(host.removeprefix("autodiscover."))
        if not url:
            return _answer(request, 404, b"text/plain; charset=utf-8", b"No settings for this domain.\n")
        request.setHeader(b"Location", url.encode())
        return _answer(request, 302, b"text/plain; charset=utf-8", b"")

    async def place(self, request: Request, address: str = "") -> bytes:
        """Version 2, which only says where version 1 is."""
        args: dict[bytes, list[bytes]] = request.args or {}
        given = {name.lower(): value[0].decode("utf-8", "replace") for name, value in args.items() if value}
        protocol = given.get(b"protocol", "AutodiscoverV1").lower()
        if protocol != "autodiscoverv1":
            words = autodiscover.no_place("ProtocolNotSupported", "Only AutodiscoverV1 is supported.")
            return _answer(request, 404, autodiscover.JSON, words)
        domain = (address or given.get(b"email", "")).rpartition("@")[2]
        url = await self._url(domain)
        if not url:
            words = autodiscover.no_place("UserNotFound", "There are no settings for this domain.")
            return _answer(request, 404, autodiscover.JSON, words)
        return _answer(request, 200, autodiscover.JSON, autodiscover.place(url))

    async def _url(self, domain: str) -> str:
        """Of the XML, at the name that our certificate has; "" for a domain that is not ours."""
        access = await self._access.of_domain(domain)
        doors: tuple[Any, ...] = (*access.incoming, *access.outgoing) if access else ()
        return f"https://{doors[0].host}{self._port}{autodiscover.PATH}" if doors else ""


def _answer(request: Request, status: int, content_type: bytes, body: bytes) -> bytes:
    request.setResponseCode(status)
    request.setHeader(b"Content-Type", content_type)
    request.setHeader(b"Content-Length", b"%d" % len(body))
    request.setHeader(b"Cache-Control", _AGE if status == 200 and request.method == b"GET" else b"no-store")
    return body
