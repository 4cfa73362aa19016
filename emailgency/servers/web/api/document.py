"""The OpenAPI 3.1 document, made from the operations: it cannot say anything else than what is served."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from emailgency.servers.web.api.api import ROOT, Problem
from emailgency.servers.web.api.operation import Operation, Who

_REFERENCE = "#/components/schemas/{name}"
_PROBLEMS = {
    "400": "The request is malformed.",
    "401": "There is no token, or it is not good.",
    "403": "The mailbox or its token may not do that.",
    "404": "There is no such thing.",
    "409": "Somebody else changed the same thing first.",
    "415": "The body is not JSON.",
    "422": "A rule says no; `detail` tells which, for people.",
    "429": "Too many requests; see Retry-After.",
    "503": "We have trouble of our own; see Retry-After. It may be asked again.",
}
_FOR = {
    Who.USER: "For every mailbox, about itself.",
    Who.ADMINISTRATOR: "For administrators.",
    Who.OPERATOR: "For operators.",
}
_ABOUT = (
    "What the panels of the console can do, for programs. A token is made in the console or by `emailgency token add`; "
    "it may do what its mailbox may; one made by `emailgency operator token` is for what operators do. The customer is "
    "always that of the token: addresses are those of his main domain, "
    "which may be left out. PUT and DELETE may be repeated. Times are seconds since the epoch, sizes octets. "
    "Problems come as RFC 9457 says. Long lists are paged: ask again with `after` = the `next` of the answer."
)


def document(operations: Sequence[Operation]) -> bytes:
    """As indented JSON."""
    shapes = [shape for one in operations for shape in (one.body, one.answer) if shape is not None]
    _, schemas = msgspec.json.schema_components([*dict.fromkeys(shapes), Problem], ref_template=_REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for one in operations:
        paths.setdefault(re.sub("<([a-z]+)>", r"{\1}", one.path), {})[one.method.lower()] = _operation(one)
    whole = {
        "openapi": "3.1.0",
        "info": {"title": "Emailgency", "version": "1", "description": _ABOUT},
        "servers": [{"url": ROOT}],
        "security": [{"token": []}],
        "tags": [{"name": tag} for tag in dict.fromkeys(one.tag for one in operations)],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": schemas,
            "responses": {status: _response(words, Problem, problem=True) for status, words in _PROBLEMS.items()},
        },
    }
    return msgspec.json.format(msgspec.json.encode(whole), indent=2) + b"\n"


def _operation(one: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": operation_id(one),
        "summary": one.summary,
        "description": _FOR[one.who],
        "tags": [one.tag],
    }
    if parameters := [*_path_parameters(one), *_query_parameters(one)]:
        found["parameters"] = parameters
    if one.body is not None:
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": _schema(one.body)}}}
    responses: dict[str, Any] = {}
    if one.answer is None:
        responses["204"] = {"description": "Done."}
    else:
        if not (one.makes and one.method == "POST"):
            responses["200"] = _response("Done.", one.answer)
        if one.makes:
            responses["201"] = _response("Made.", one.answer)
        if one.later:
            responses["202"] = _response("It goes on; Location says where to ask.", one.answer)
    responses |= {status: {"$ref": f"#/components/responses/{status}"} for status in _PROBLEMS}
    return found | {"responses": responses}


def operation_id(one: Operation) -> str:
    """The name programs made from the document give it."""
    name: str = one.deed.__name__
    return name


def _path_parameters(one: Operation) -> list[dict[str, Any]]:
    names = re.findall("<([a-z]+)>", one.path)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _query_parameters(one: Operation) -> list[dict[str, Any]]:
    if one.query is None:
        return []
    _, schemas = msgspec.json.schema_components([one.query])
    properties: dict[str, dict[str, Any]] = schemas[one.query.__name__]["properties"]
    return [{"name": name, "in": "query", "schema": schema} for name, schema in properties.items()]


def _response(words: str, shape: Any, *, problem: bool = False) -> dict[str, Any]:
    kind = "application/problem+json" if problem else "application/json"
    return {"description": words, "content": {kind: {"schema": _schema(shape)}}}


def _schema(shape: Any) -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components([shape], ref_template=_REFERENCE)
    return schema
