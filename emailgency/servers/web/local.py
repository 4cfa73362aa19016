"""The HTTP port for watching programs: /health, /ready and /metrics. No names, no addresses, nothing to change.

/health   200 while the reactor turns
/ready    200 when mail can be taken in and read; else 503 and a line for each reason
/metrics  figures for Prometheus
"""

from collections.abc import Callable, Sequence

from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import Site

from emailgency.servers.web.metrics import CONTENT_TYPE, Figure, text


class _Page(Resource):
    """A page that is computed when asked for: status, content type, body."""

    isLeaf = True

    def __init__(self, page: Callable[[], tuple[int, bytes, bytes]]) -> None:
        super().__init__()
        self._page = page

    def render_GET(self, request: Request) -> bytes:
        status, content_type, body = self._page()
        request.setResponseCode(status)
        request.setHeader(b"Content-Type", content_type)
        request.setHeader(b"Cache-Control", b"no-store")
        request.setHeader(b"X-Content-Type-Options", b"nosniff")
        request.setHeader(b"Server", b"Emailgency")
        return body


class _Site(Site):
    displayTracebacks = False
    noisy = False

    def log(self, request: Request) -> None:
        """A look each few seconds is no event."""


def site(figures: Sequence[Figure], not_ready: Callable[[], list[str]]) -> Site:
    """`not_ready` gives a line for each thing that keeps us from the main job; none: ready."""
    plain = b"text/plain; charset=utf-8"

    def ready() -> tuple[int, bytes, bytes]:
        reasons = not_ready()
        return (
            (503, plain, "".join(f"{reason}\n" for reason in reasons).encode()) if reasons else (200, plain, b"ready\n")
        )

    root = Resource()
    root.putChild(b"health", _Page(lambda: (200, plain, b"alive\n")))
    root.putChild(b"ready", _Page(ready))
    root.putChild(b"metrics", _Page(lambda: (200, CONTENT_TYPE, text(figures))))
    return _Site(root, timeout=15)
