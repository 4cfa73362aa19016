"""A program that uses the API with a token."""

import http.client
import json
import ssl
from typing import Any
from urllib.parse import quote, urlencode

_UNCHECKED = ssl._create_unverified_context()


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.octets = response.read()

    @property
    def json(self) -> Any:
        return json.loads(self.octets) if self.octets else None


class Program:
    """`token` "": it has none."""

    def __init__(self, port: int, token: str = "", host: str = "mydomainzz.emailgency.zz") -> None:
        self.port = port
        self.token = token
        self.host = f"{host}:{port}"

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: dict[str, str] | None = None,
        root: str = "/eg/api/v1",
        **query: object,
    ) -> Answer:
        line = http.client.HTTPSConnection("127.0.0.1", self.port, context=_UNCHECKED, timeout=30)
        sent = {"Host": self.host, "Connection": "close"}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        octets = None
        if body is not None:
            octets = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        asked = f"?{urlencode(query)}" if query else ""
        line.request(method, root + quote(path, safe="/@?=&%") + asked, octets, sent | (headers or {}))
        answer = Answer(line.getresponse())
        line.close()
        return answer

    def get(self, path: str, **query: object) -> Any:
        answer = self.ask("GET", path, **query)
        assert answer.status == 200, answer.octets
        return answer.json
