"""Styles: Bootstrap from its wheel, a theme of our own; and pictures of the help. Named by their content, so that they
may be kept for ever.
"""

import gzip
import os
from hashlib import sha256
from importlib.metadata import distribution

from msgspec import Struct

from emailgency.servers.web.console import assets

_TYPES = {
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
    ".webp": b"image/webp",
}


class StaticFile(Struct, frozen=True):
    content_type: bytes
    octets: bytes
    zipped: bytes | None  # None: it is compressed already


class StaticFiles:
    """Read once, at the first request of anybody."""

    def __init__(self) -> None:
        self._by_name: dict[str, StaticFile] = {}
        self.names: dict[str, str] = {}  # "theme.css" -> "theme.0123456789ab.css"
        for path in self._paths():
            with open(path, "rb") as file:
                octets = file.read()
            stem, extension = os.path.splitext(os.path.basename(path))
            name = f"{stem}.{sha256(octets).hexdigest()[:12]}{extension}"
            self.names[stem + extension] = name
            self._by_name[name] = StaticFile(_TYPES[extension], octets, _zipped(octets, extension))

    def get(self, name: str) -> StaticFile | None:
        return self._by_name.get(name)

    def _paths(self) -> list[str]:
        own, pictures = assets.folder("static"), os.path.join(assets.folder("help"), "pictures")
        return [
            str(distribution("bootstrap-wrapper").locate_file("bootstrap/css/bootstrap.min.css")),
            *(os.path.join(own, name) for name in sorted(os.listdir(own))),
            *(os.path.join(pictures, name) for name in sorted(os.listdir(pictures)) if name.endswith(".webp")),
        ]


def _zipped(octets: bytes, extension: str) -> bytes | None:
    return None if extension == ".webp" else gzip.compress(octets, mtime=0)
