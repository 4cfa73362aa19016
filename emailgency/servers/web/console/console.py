"""One request of the console: whose host, whose session, may he, did he mean it, and the answer.

Rights come from the session alone: the host only chooses what the login page shows. A POST changes something only with
the session's CSRF token, from a page of ours (attack row 20). Nothing is answered in clear: HTTP leads to HTTPS.
"""

import gzip
import hmac
from collections.abc import Callable, Sequence
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from klein import Klein
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.web.http import Request

from emailgency.background import to_its_end
from emailgency.flows.accounts.login import Login, Principal
from emailgency.model.errors import Busy, Invalid, Temporary
from emailgency.model.words import Words
from emailgency.servers.web.console.help_topics import paragraph
from emailgency.servers.web.console.languages import chosen
from emailgency.servers.web.console.pages import Pages
from emailgency.servers.web.console.routes import Answer, Asked, Away, Octets, Page, Route, Visitor, Who
from emailgency.servers.web.console.static_files import StaticFiles
from emailgency.store.directory.directory import Directory, Gone
from emailgency.store.logins.web_sessions import WebSession, WebSessions

COOKIE = "__Host-emailgency"
CHALLENGE = "__Host-emailgency-challenge"
HALF = "__Host-emailgency-half"
PASSKEY = "__Host-emailgency-passkey"
ROOT = "/eg"
_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    b"frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
_HEADERS = (
    (b"Content-Security-Policy", _POLICY),
    (b"Cache-Control", b"no-store"),
    (b"Referrer-Policy", b"same-origin"),  # with none at all, a browser hides from us where a form came from
)
_YEAR = b"max-age=31536000"
_SMALL = 1024  # octets that are not worth compressing


class Console:
    """Puts its routes on a Klein application; `routes` is what they were made from."""

    _log = Logger()

    def __init__(
        self,
        directory: Directory,
        login: Login,
        sessions: WebSessions,
        pages: Pages,
        is_ours: Callable[[str], bool],
        routes: Sequence[Route],
        https_port: int,
    ) -> None:
        """`is_ours`: whether a host is a name of this server, beside the alternate domains."""
        self._directory = directory
        self._login = login
        self._sessions = sessions
        self._pages = pages
        self._is_ours = is_ours
        self._port = b"" if https_port == 443 else b":%d" % https_port
        self._static = StaticFiles()
        self.routes = tuple(routes)

    def put_on(self, app: Klein) -> None:
        """Answer for every path below /eg/."""
        app.route(f"{ROOT}/static/<name>", methods=["GET"])(self._static_file)
        for number, route in enumerate(self.routes):
            path = ROOT + route.path.replace("<address>", "<path:address>")  # a slash is as good as any letter in one
            app.route(path, methods=[route.method], endpoint=f"console {number}")(self._serving(route))

    def _serving(self, route: Route) -> Callable[..., "Deferred[bytes]"]:
        def serve(request: Request, **path: str) -> "Deferred[bytes]":
            work = self._serve(route, request, path)
            if route.method != "GET":  # who hangs up leaves nothing half done, and nothing uncounted
                work = to_its_end(f"{route.method} {route.path}", work)
            return Deferred.fromCoroutine(work)

        return serve

    async def _serve(self, route: Route, request: Request, path: dict[str, str]) -> bytes:
        for name, value in _HEADERS:
            request.setHeader(name, value)
        try:
            host = request.getRequestHostname().decode("ascii", "replace").lower()
            if not await self._is_known(host, request):
                return self._plain(request, 421, b"This is no name of ours.\n")
            if not request.isSecure():  # the name has been checked: it leads nowhere else
                request.setResponseCode(308)
                request.setHeader(b"Location", b"https://" + host.encode("ascii") + self._port + request.uri)
                return b""
            request.setHeader(b"Strict-Transport-Security", _YEAR)
            return await self._answer(route, request, await self._visitor(request, host), path)
        except Temporary as error:
            self._log.warn("console: {error}", error=str(error))
            request.setHeader(b"Retry-After", b"10")
            return self._plain(request, 503, b"We have trouble of our own, try again in a moment.\n")

    async def _answer(self, route: Route, request: Request, visitor: Visitor, path: dict[str, str]) -> bytes:
        if route.who is not Who.ANYBODY and visitor.session is None:
            return self._go(request, visitor, Away("/login"))
        if not _may(route.who, visitor):
            return await self._page(request, visitor, Page("forbidden.html", status=403))
        visitor.unfinished = await self._is_unfinished(visitor.session)
        if visitor.unfinished and route.who is not Who.ANYBODY and not route.unfinished:
            return self._go(request, visitor, Away("/security"))
        asked = Asked(_query(request), _fields(request.args or {}), path)
        if route.method == "POST" and not route.proof and not _is_meant(request, visitor, asked):
            return await self._page(request, visitor, Page("not_meant.html", status=403))
        before = list(visitor.session.told) if visitor.session else []
        try:
            answer: Answer = await route.deed(visitor, asked)
        except Invalid as error:
            answer = Page("mistake.html", {"words": error.words}, 429 if isinstance(error, Busy) else 400)
        except Gone:
            answer = Page("missing.html", status=404)
        if isinstance(answer, Away):
            if visitor.session is not None and visitor.session.told != before and answer.token != "":
                await self._sessions.keep(visitor.token, visitor.session)
            return self._go(request, visitor, answer)
        if isinstance(answer, Octets):
            return self._octets(request, answer)
        if visitor.session is not None and visitor.session.told:
            told, visitor.session.told = visitor.session.told, []
            await self._sessions.keep(visitor.token, visitor.session)
            return await self._page(request, visitor, answer, told)
        return await self._page(request, visitor, answer)

    # ---- who ---------------------------------------------------------------------------------------------

    async def _is_known(self, host: str, request: Request) -> bool:
        """Names of ours, alternate domains, and the very address that was connected to."""
        here: Any = request.getHost()
        if self._is_ours(host) or host == here.host:
            return True
        domain = await self._directory.domain(host) if "." in host else None
        return domain is not None and domain.kind.value == "alternate"

    async def _visitor(self, request: Request, host: str) -> Visitor:
        accepted = (request.getHeader(b"accept-language") or b"").decode("latin-1")
        token = _cookie(request, COOKIE)
        session = await self._session(token)
        language = chosen(accepted, session.language if session else "")
        ip = str(request.getClientAddress().host)
        return Visitor(
            ip=ip,
            host=host,
            language=language,
            token=token,
            session=session,
            challenge=_cookie(request, CHALLENGE),
            half=_cookie(request, HALF),
            passkey=_cookie(request, PASSKEY),
        )

    async def _session(self, token: str) -> WebSession | None:
        """Looked at anew at each request: who lost his rights has lost them now."""
        session = await self._sessions.find(token)
        if session is None:
            return None
        if await self._still_valid(session):
            return session
        await self._sessions.end(token)
        return None

    async def _still_valid(self, session: WebSession) -> bool:
        if session.operator:
            return await self._login.operator_still_valid(session.operator, session.generation)
        return await self._login.still_valid(
            Principal(session.customer, session.mailbox, session.address, session.administrator, session.generation)
        )

    async def _is_unfinished(self, session: WebSession | None) -> bool:
        """Whether his rights want more than the password he has given. Looked at anew at each request, too."""
        if session is None or session.strong:
            return False
        return await self._login.needs_second_factor(
            session.customer, administrator=session.administrator, operator=bool(session.operator)
        )

    # ---- answers -----------------------------------------------------------------------------------------

    async def _page(
        self, request: Request, visitor: Visitor, page: Page, told: Sequence[tuple[str, str | Words]] = ()
    ) -> bytes:
        request.setResponseCode(page.status)
        facts: dict[str, Any] = {
            "static": self._static.names,
            "root": ROOT,
            "visitor": visitor.session,
            "csrf": visitor.session.csrf if visitor.session else "",
            "host": visitor.host,
            "told": told,
            "unfinished": visitor.unfinished,
            "help": paragraph(page.template),
            **page.facts,
        }
        html = await self._pages.page(page.template, visitor.language, facts)
        if page.challenge:
            self._set_cookie(request, CHALLENGE, page.challenge, "Strict")
        if page.token:
            self._set_cookie(request, COOKIE, page.token, "Lax")
        if page.secret:
            request.setHeader(b"Referrer-Policy", b"no-referrer")
        request.setHeader(b"Content-Type", b"text/html; charset=utf-8")
        request.setHeader(b"Vary", b"Accept-Encoding, Accept-Language, Cookie")
        if len(html) > _SMALL and _takes_gzip(request):
            request.setHeader(b"Content-Encoding", b"gzip")
            html = gzip.compress(html, 5)
        return html

    def _octets(self, request: Request, answer: Octets) -> bytes:
        request.setHeader(b"Content-Type", answer.content_type.encode("ascii"))
        request.setHeader(b"X-Content-Type-Options", b"nosniff")
        if answer.passkey:
            self._set_cookie(request, PASSKEY, answer.passkey, "Strict")
        if answer.file_name:
            request.setHeader(b"Content-Disposition", b'attachment; filename="%b"' % answer.file_name.encode("ascii"))
        return answer.octets

    def _go(self, request: Request, visitor: Visitor, away: Away) -> bytes:
        request.setResponseCode(303)
        request.setHeader(b"Location", (ROOT + away.path).encode())
        if away.token is not None:
            self._set_cookie(request, COOKIE, away.token, "Lax")
        if away.half is not None:
            self._set_cookie(request, HALF, away.half, "Strict")
        return b""

    def _set_cookie(self, request: Request, name: str, value: str, same_site: str) -> None:
        """For as long as the browser is open; an empty one goes at once."""
        age = "" if value else "; Max-Age=0"
        cookie = f"{name}={value}; Path=/; Secure; HttpOnly; SameSite={same_site}{age}"
        request.responseHeaders.addRawHeader(b"Set-Cookie", cookie.encode("ascii"))

    def _plain(self, request: Request, status: int, words: bytes) -> bytes:
        request.setResponseCode(status)
        request.setHeader(b"Content-Type", b"text/plain; charset=utf-8")
        return words

    def _static_file(self, request: Request, name: str) -> bytes:
        found = self._static.get(name)
        if found is None:
            return self._plain(request, 404, b"There is no such file.\n")
        request.setHeader(b"Content-Type", found.content_type)
        request.setHeader(b"Cache-Control", _YEAR + b", immutable")
        request.setHeader(b"Vary", b"Accept-Encoding")
        if found.zipped is None or not _takes_gzip(request):
            return found.octets
        request.setHeader(b"Content-Encoding", b"gzip")
        return found.zipped


def _may(who: Who, visitor: Visitor) -> bool:
    """Whether a route that needs a session is for this one."""
    match who:
        case Who.ADMINISTRATOR:
            return visitor.known.administrator
        case Who.OPERATOR:
            return bool(visitor.known.operator)
        case _:
            return True


def _is_meant(request: Request, visitor: Visitor, asked: Asked) -> bool:
    """Whether a POST comes from a page of ours, shown to this very session (attack row 20)."""
    if request.getHeader(b"sec-fetch-site") not in (None, b"same-origin", b"none"):
        return False
    origin = request.getHeader(b"origin")
    if origin is not None and origin != b"https://" + (request.getHeader(b"host") or b""):
        return False
    if visitor.session is None:
        return True  # a login: there is nothing yet that somebody else could use
    return hmac.compare_digest(asked.one("csrf").encode(), visitor.session.csrf.encode())


def _query(request: Request) -> dict[str, list[str]]:
    """What stands behind the question mark; more than any page of ours asks is nothing."""
    text = request.uri.partition(b"?")[2].decode("utf-8", "replace")
    try:
        found = parse_qs(text, keep_blank_values=True, errors="replace", max_num_fields=100)
    except ValueError:
        return {}
    return {name: [value.replace("\0", "") for value in values] for name, values in found.items()}


def _fields(given: dict[bytes, list[bytes]]) -> dict[str, list[str]]:
    """Text without what no form of ours can hold."""
    return {
        name.decode("utf-8", "replace"): [value.decode("utf-8", "replace").replace("\0", "") for value in values]
        for name, values in given.items()
    }


def _cookie(request: Request, name: str) -> str:
    """RFC 6265 section 5.4; what cannot be read is no cookie."""
    try:
        found = SimpleCookie((request.getHeader(b"cookie") or b"").decode("ascii")).get(name)
    except (CookieError, UnicodeDecodeError):
        return ""
    return found.value if found else ""


def _takes_gzip(request: Request) -> bool:
    return b"gzip" in (request.getHeader(b"accept-encoding") or b"")
