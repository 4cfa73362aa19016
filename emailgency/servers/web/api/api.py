"""One request of the API: whose token, may he, is it of the right shape, and the answer as JSON.

A token comes in the Authorization header and nowhere else: what a browser sends by itself (cookies) means nothing here,
so no other site can use it (attack row 20), and nothing is allowed to other origins. Nothing is answered in clear.
Failures are problem details (RFC 9457).
"""

import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from klein import Klein
from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.web.http import RESPONSES, Request

from emailgency.background import to_its_end
from emailgency.flows.accounts.api_tokens import ApiTokens, Bearer
from emailgency.flows.accounts.holders import account
from emailgency.model.directory import Operator
from emailgency.model.errors import Busy, Invalid, Temporary
from emailgency.rules.networks import network
from emailgency.rules.rates import Rates
from emailgency.servers.web.api.limits import ApiSettings
from emailgency.servers.web.api.operation import Accepted, Call, Caller, Created, Missing, Operation, Who
from emailgency.store.directory.directory import Conflict, Gone

ROOT = "/eg/api/v1"
_JSON = b"application/json"
_PROBLEM = b"application/problem+json"
_QUERY = 4096  # octets behind the question mark
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_YEAR = b"max-age=31536000"
_TITLES = {422: "Unprocessable Content", 429: "Too Many Requests"}  # RFC 9110, RFC 6585: Twisted does not know them

Answering = Callable[..., "bytes | Deferred[bytes]"]  # of a request and what its path names


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 9457. `type` is about:blank: the status says it all; `detail` is for people."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""


class _Refused(Exception):
    def __init__(self, status: int, detail: str, *headers: tuple[bytes, bytes]) -> None:
        self.status = status
        self.detail = detail
        self.headers = headers


class Api:
    """Puts its operations on a Klein application."""

    _log = Logger()

    def __init__(
        self,
        tokens: ApiTokens,
        operations: Sequence[Operation],
        document: bytes,
        settings: ApiSettings,
        clock: Callable[[], float],
    ) -> None:
        """`document`: the OpenAPI document, as JSON."""
        self._tokens = tokens
        self.operations = tuple(operations)
        self._document = document
        self._clock = clock
        self._rates, self._failures = Rates(0, 0), Rates(0, 0)
        self.adopt(settings)
        self._patterns = [(one.method, re.compile(ROOT + re.sub("<[a-z]+>", "[^/]+", one.path))) for one in operations]

    def adopt(self, settings: ApiSettings) -> None:
        """These settings from now on."""
        self._rates.per_second, self._rates.at_once = settings.per_second, settings.at_once
        self._failures.per_second, self._failures.at_once = settings.failures / 3600, settings.failures

    def put_on(self, app: Klein) -> None:
        """Answer for every path below /eg/api/."""
        app.route("/eg/api/openapi.json", methods=["GET"], endpoint="api document")(_prepared(self._describe))
        for number, operation in enumerate(self.operations):
            app.route(ROOT + operation.path, methods=[operation.method], endpoint=f"api {number}")(
                self._serving(operation)
            )
        app.route("/eg/api/<path:rest>", methods=list(_METHODS), endpoint="api nothing")(_prepared(self._nothing))

    def _serving(self, operation: Operation) -> Answering:
        def serve(request: Request, **path: str) -> "Deferred[bytes]":
            work = self._serve(operation, request, path)
            if operation.method != "GET":  # who hangs up leaves nothing half done, and nothing uncounted
                work = to_its_end(f"{operation.method} {operation.path}", work)
            return Deferred.fromCoroutine(work)

        return _prepared(serve)

    async def _serve(self, operation: Operation, request: Request, path: dict[str, str]) -> bytes:
        try:
            caller = await self._caller(request)
            if refused := _refused(operation.who, caller):
                raise _Refused(403, refused)
            if operation.method != "GET" and caller.token.read_only:
                raise _Refused(403, "This token may only read.")
            call = Call(path, _query(operation, request), _body(operation, request))
            return self._answer(request, await operation.deed(caller, call))
        except _Refused as refused:
            return _problem(request, refused.status, refused.detail, *refused.headers)
        except Busy as error:
            return _problem(request, 429, str(error), (b"Retry-After", b"5"))
        except Invalid as error:
            return _problem(request, 409 if isinstance(error, Conflict) else 422, str(error))
        except (Missing, Gone):
            return _problem(request, 404, "There is no such thing, or no more.")
        except Temporary as error:
            self._log.warn("api: {error}", error=str(error))
            return _problem(request, 503, "We have trouble of our own, try again.", (b"Retry-After", b"10"))

    # ---- who ---------------------------------------------------------------------------------------------

    async def _caller(self, request: Request) -> Caller:
        """Raises _Refused."""
        ip, now = str(request.getClientAddress().host), self._clock()
        scheme, _, text = (request.getHeader(b"authorization") or b"").decode("latin-1").partition(" ")
        bearer: Bearer | None = None
        if scheme.lower() == "bearer":
            bearer = await self._tokens.find(text.strip(), ip)
        if bearer is None:
            if text and not self._failures.take(network(ip), now):
                raise _Refused(429, "Too many tokens that are none.", (b"Retry-After", b"60"))
            raise _Refused(401, "Give a token that is good.", (b"WWW-Authenticate", b'Bearer realm="Emailgency"'))
        if not self._rates.take(f"{account(bearer.holder)} {bearer.token.id}", now):
            raise _Refused(429, "Too many requests with this token.", (b"Retry-After", b"1"))
        return Caller(bearer.holder, bearer.token, ip)

    # ---- answers -----------------------------------------------------------------------------------------

    def _answer(self, request: Request, found: Struct | Created | Accepted | None) -> bytes:
        if found is None:
            request.setResponseCode(204)
            return b""
        if isinstance(found, Created | Accepted):
            request.setResponseCode(201 if isinstance(found, Created) else 202)
            request.setHeader(b"Location", (ROOT + found.location).encode())
            found = found.body
        request.setHeader(b"Content-Type", _JSON)
        return msgspec.json.encode(found)

    def _describe(self, request: Request) -> bytes:
        request.setHeader(b"Content-Type", _JSON)
        return self._document

    def _nothing(self, request: Request, rest: str) -> bytes:
        path = request.path.decode("ascii", "replace")
        methods = sorted({method for method, pattern in self._patterns if pattern.fullmatch(path)})
        if methods:
            return _problem(request, 405, "", (b"Allow", ", ".join(methods).encode()))
        return _problem(request, 404, "There is no such thing.")


def _prepared(answer: Answering) -> Answering:
    """What all requests have in common. A token that came in clear has been seen by others: it is not looked at."""

    def serve(request: Request, **path: str) -> "bytes | Deferred[bytes]":
        request.setHeader(b"Cache-Control", b"no-store")
        if not request.isSecure():
            return _problem(request, 403, "Use HTTPS. A token that was sent in clear should be revoked.")
        request.setHeader(b"Strict-Transport-Security", _YEAR)
        return answer(request, **path)

    return serve


def _refused(who: Who, caller: Caller) -> str:
    """Why it is not for him; "" when it is."""
    operator = isinstance(caller.holder, Operator)
    if who is Who.OPERATOR:
        return "" if operator else "Only operators may do that."
    if operator:
        return "A token of an operator belongs to no customer."
    return "Only administrators may do that." if who is Who.ADMINISTRATOR and not caller.mailbox.administrator else ""


def _problem(request: Request, status: int, detail: str, *headers: tuple[bytes, bytes]) -> bytes:
    request.setResponseCode(status)
    request.setHeader(b"Content-Type", _PROBLEM)
    for name, value in headers:
        request.setHeader(name, value)
    title = _TITLES.get(status) or RESPONSES[status].decode()
    return msgspec.json.encode(Problem(title=title, status=status, detail=detail))


def _query(operation: Operation, request: Request) -> Any:
    text = request.uri.partition(b"?")[2]
    if len(text) > _QUERY:
        raise _Refused(414, "")
    try:
        given = dict(parse_qsl(text.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20))
        if operation.query is not None:
            return msgspec.convert(given, operation.query, strict=False)
    except (ValueError, msgspec.ValidationError) as error:
        raise _Refused(400, f"What stands behind the question mark: {error}") from None
    if given:
        raise _Refused(400, "Nothing may stand behind the question mark here.")
    return None


def _body(operation: Operation, request: Request) -> Any:
    assert request.content is not None
    octets = request.content.read()
    if operation.body is None:
        if octets:
            raise _Refused(400, "Nothing is expected in the body.")
        return None
    kind = (request.getHeader(b"content-type") or b"").partition(b";")[0].strip().lower()
    if kind != _JSON:
        raise _Refused(415, "The body is application/json.", (b"Accept-Post", _JSON))
    try:
        return msgspec.json.decode(octets, type=operation.body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _Refused(400, f"The body: {error}") from None
