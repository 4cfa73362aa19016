"""Who asks for what too many do just now is told so with 429, by the console and by the API."""

import json

import pytest
from twisted.internet.defer import Deferred
from twisted.web.test.requesthelper import DummyRequest

from emailgency.model.errors import Busy
from emailgency.servers.web.api import api
from emailgency.servers.web.api.limits import ApiSettings
from emailgency.servers.web.api.operation import Operation, Who
from emailgency.servers.web.console import routes
from emailgency.servers.web.console.console import Console
from emailgency.servers.web.console.pages import Pages

WORDS = "Another search is under way. Try again in a moment."


async def busy(*_: object) -> None:
    raise Busy(WORDS)


def body(answer) -> bytes:
    found = []
    Deferred.fromCoroutine(answer).addCallback(found.append)
    return found[0]


@pytest.fixture
def request_():
    request = DummyRequest([b""])
    request.uri = b"/"
    return request


def test_a_program_is_told_in_a_problem_when_to_come_again(monkeypatch, request_) -> None:
    class Anybody(api.Api):
        async def _caller(self, request):
            return type("Caller", (), {"holder": None, "token": type("Token", (), {"read_only": False})})

    monkeypatch.setattr(api, "_body", lambda operation, request: None)
    monkeypatch.setattr(DummyRequest, "isSecure", lambda self: True, raising=False)
    operation = Operation(method="GET", path="/x", deed=busy, summary="x", tag="x", who=Who.USER)
    answer = body(Anybody(None, [operation], b"", ApiSettings(), lambda: 0.0)._serve(operation, request_, {}))
    assert request_.responseCode == 429
    assert request_.responseHeaders.getRawHeaders(b"Retry-After") == [b"5"]
    problem = json.loads(answer)
    assert (problem["title"], problem["status"], problem["detail"]) == ("Too Many Requests", 429, WORDS)


@pytest.mark.parametrize(("language", "words"), [("en", "Another search"), ("fr", "Une autre recherche")])
def test_a_visitor_is_told_in_his_language(request_, language, words) -> None:
    route = routes.Route("GET", "/x", routes.Who.ANYBODY, busy)
    console = Console(None, None, None, Pages("Emailgency"), bool, [route], 443)
    visitor = routes.Visitor(ip="192.0.2.1", host="x", language=language)
    answer = body(console._answer(route, request_, visitor, {}))
    assert request_.responseCode == 429
    assert words in answer.decode()
