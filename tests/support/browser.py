"""A visitor of the console without a browser: HTTPS, one cookie jar, forms as a browser sends them."""

import http.client
import re
import ssl
from http.cookies import SimpleCookie
from urllib.parse import urlencode

_UNCHECKED = ssl._create_unverified_context()


class Answer:
    """Of one request."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        text = (response.headers["Content-Type"] or "text/").startswith("text/")
        self.text = response.read().decode(errors="strict" if text else "replace")

    @property
    def away(self) -> str:
        return self.headers.get("Location", "")


class Browser:
    """`host` is what it names in its requests; a test may lie."""

    def __init__(self, port: int, host: str = "mydomainzz.emailgency.zz") -> None:
        self.port = port
        self.host = f"{host}:{port}"
        self.cookies: dict[str, str] = {}
        self.csrf = ""

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, headers=headers)

    def post(self, path: str, fields: dict[str, object] | None = None, **headers: str) -> Answer:
        """With the token of the last page, unless `fields` has another one."""
        return self.ask("POST", path, {"csrf": self.csrf, **(fields or {})}, headers)

    def ask(
        self, method: str, path: str, fields: dict[str, object] | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        line = self._line()
        sent = self._sent()
        body = None
        if fields is not None:
            body = urlencode(fields, doseq=True)
            sent |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"https://{self.host}"}
        sent |= {name.replace("_", "-"): value for name, value in (headers or {}).items()}
        line.request(method, f"/eg{path}", body, sent)
        answer = Answer(line.getresponse())
        line.close()
        for cookie in answer.headers.get_all("Set-Cookie", []):
            for morsel in SimpleCookie(cookie).values():
                if morsel.value:
                    self.cookies[morsel.key] = morsel.value
                else:
                    self.cookies.pop(morsel.key, None)
        if found := re.search(r'name="csrf" value="([^"]+)"', answer.text):
            self.csrf = found[1]
        return answer

    def octets(self, path: str) -> tuple[str, bytes]:
        """Of something that is no page: its type and what it begins with."""
        line = self._line()
        line.request("GET", f"/eg{path}", None, self._sent())
        response = line.getresponse()
        octets = response.read()
        line.close()
        return (response.headers.get("Content-Type", ""), octets[:4]) if response.status == 200 else ("", b"")

    def _line(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=_UNCHECKED, timeout=20)

    def _sent(self) -> dict[str, str]:
        sent = {"Host": self.host, "Connection": "close"}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return sent

    def log_in(self, name: str, password: str) -> "Browser":
        answer = self.post("/login", {"name": name, "password": password})
        assert answer.status == 303, answer.text
        self.get("/mailboxes/" + name)  # for its token
        return self
