"""A customer's server that refuses mail with words of its choice. Plain sockets and threads, nothing of ours."""

import contextlib
import socket
import socketserver
import threading


class FoulServer:
    """`banner` is said first, `answer` to every RCPT. As a context it is closed at the end."""

    def __init__(self, banner: str, answer: str) -> None:
        self._banner, self._answer = banner, answer
        self._lines: list[socket.socket] = []
        server = self

        class Talk(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                server._lines.append(self.connection)
                self.say(server._banner)
                with contextlib.suppress(OSError):
                    for line in self.rfile:
                        self.say(server._answer if line[:4].upper() == b"RCPT" else "250 ok")

            def say(self, words: str) -> None:
                self.wfile.write(words.encode() + b"\r\n")

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Talk)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]

    def turn_away(self, banner: str) -> None:
        """From now on everybody gets this banner; who is here is cut."""
        self._banner = banner
        for line in self._lines:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> "FoulServer":
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
