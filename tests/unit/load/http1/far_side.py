"""HTTP/1.1 servers in other threads: a real one, and one whose every byte a test decides."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.unit.load.meeting import listening

Address = tuple[str, int]
Script = Callable[["Peer"], None]
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@contextlib.contextmanager
def echoing(status: int = 200) -> Iterator[tuple[Address, list[tuple[str, str, dict[str, str], bytes]]]]:
    """The standard library's server: it answers with the body, and keeps what it was asked."""
    asked: list[tuple[str, str, dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked.append((self.command, self.path, headers, body))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = answer  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    running = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    running.start()
    try:
        yield ("127.0.0.1", server.server_port), asked
    finally:
        server.shutdown()
        server.server_close()
        running.join()


class Peer:
    """The server's end of one connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.socket.settimeout(10)
        self._data = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def requests(self) -> Iterator[bytes]:
        """The head of each request, once it is whole, body and all; ends when the client closes."""
        with contextlib.suppress(OSError):
            while True:
                while b"\r\n\r\n" not in self._data:
                    if not self._more():
                        return
                head, _, self._data = self._data.partition(b"\r\n\r\n")
                length = next((int(each[15:]) for each in head.split(b"\r\n") if each[:15] == b"Content-Length:"), 0)
                while len(self._data) < length:
                    if not self._more():
                        return
                self._data = self._data[length:]
                yield head

    def _more(self) -> bool:
        data = self.socket.recv(65_536)
        self._data += data
        return bool(data)


@contextlib.contextmanager
def scripted(*scripts: Script) -> Iterator[Address]:
    """Each connection is given to the next script; the last one serves all that follow."""
    order = itertools.count()

    def serve(connection: socket.socket) -> None:
        scripts[min(next(order), len(scripts) - 1)](Peer(connection))

    with listening(serve) as address:
        yield address
