"""A SOCKS 5 proxy (RFC 1928) as a whole internet of its own: names under `zone` are this machine, nothing else is.

A program that gets all its connections from here meets real names and the ports it would use, and reaches nobody.
"""

import contextlib
import socket
import socketserver
import struct
import threading
from collections.abc import Mapping


class Socks(socketserver.ThreadingTCPServer):
    """`ports` are those on loopback that stand for others, {80: 12345}; a port that is not named is itself.

    `asked` holds every (name, port). A context.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, zone: tuple[str, ...], ports: Mapping[int, int]) -> None:
        super().__init__(("127.0.0.1", 0), _Asking)
        self.zone = zone
        self.ports = ports
        self.port: int = self.server_address[1]
        self.asked: list[tuple[str, int]] = []

    def __enter__(self) -> "Socks":
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Asking(socketserver.StreamRequestHandler):
    server: Socks

    def handle(self) -> None:
        with contextlib.suppress(OSError, struct.error):
            self._serve()

    def _serve(self) -> None:
        _, methods = self.rfile.read(2)
        self.rfile.read(methods)
        self.wfile.write(b"\5\0")  # no password
        _, _, _, kind = self.rfile.read(4)
        name = self.rfile.read(self.rfile.read(1)[0]).decode() if kind == 3 else ""
        if kind != 3:
            self.rfile.read(4 if kind == 1 else 16)
        (port,) = struct.unpack(">H", self.rfile.read(2))
        self.server.asked.append((name, port))
        if not name.endswith(self.server.zone):
            self.wfile.write(b"\5\4\0\1" + bytes(6))  # host unreachable
            return
        try:
            far = socket.create_connection(("127.0.0.1", self.server.ports.get(port, port)), 10)
        except OSError:
            self.wfile.write(b"\5\5\0\1" + bytes(6))  # connection refused
            return
        with far:
            far.settimeout(None)
            self.wfile.write(b"\5\0\0\1" + bytes(6))
            back = threading.Thread(target=_pump, args=(far, self.connection), daemon=True)
            back.start()
            _pump(self.connection, far)
            back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while octets := source.recv(65536):
            target.sendall(octets)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
