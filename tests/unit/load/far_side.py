"""Servers in other threads: a real gRPC one, and one whose every byte a test decides."""

from __future__ import annotations

import contextlib
import itertools
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from tests.unit.load.meeting import listening
from toolkit.load.http2 import frames, headers
from toolkit.load.http2 import grpc as rpc

Address = tuple[str, int]
Handler = Callable[[bytes, grpc.ServicerContext], bytes]
METHOD = "/helloworld.Greeter/SayHello"
OK_FIRST = headers.encode([(b":status", b"200"), (b"content-type", b"application/grpc")])
OK_LAST = headers.encode([(b"grpc-status", b"0")])


def request(address: Address) -> bytes:
    """The header block of a call."""
    return headers.encode(rpc.request_headers(METHOD, f"{address[0]}:{address[1]}"))


def echo(data: bytes, context: grpc.ServicerContext) -> bytes:
    return data


@contextlib.contextmanager
def greeter(handler: Handler = echo, *options: tuple[str, Any], port: int = 0) -> Iterator[Address]:
    server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0), *options])
    method: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(handler)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("helloworld.Greeter", {"SayHello": method}),))
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    try:
        yield "127.0.0.1", bound
    finally:
        server.stop(None).wait()


class Peer:
    """The server's end of one connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.socket.settimeout(10)
        self._data = b""
        self._exactly(len(frames.PREFACE))
        self.send(frames.settings([]))

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def calls(self) -> Iterator[int]:
        """The stream of each call as soon as it is whole; ends when the client closes."""
        with contextlib.suppress(EOFError, OSError):
            while True:
                head = self._exactly(frames.HEADER)
                self._exactly(int.from_bytes(head[:3], "big"))
                if head[3] == frames.DATA and head[4] & frames.END_STREAM:
                    yield int.from_bytes(head[5:9], "big")

    def begun(self) -> int:
        """The stream of the next call, once its headers have come."""
        while True:
            head = self._exactly(frames.HEADER)
            self._exactly(int.from_bytes(head[:3], "big"))
            if head[3] == frames.HEADERS:
                return int.from_bytes(head[5:9], "big")

    def answer(self, stream: int, reply: bytes = b"") -> None:
        first = frames.frame(frames.HEADERS, frames.END_HEADERS, stream, OK_FIRST)
        body = frames.frame(frames.DATA, 0, stream, rpc.message(reply))
        last = frames.frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, stream, OK_LAST)
        self.send(first + body + last)

    def _exactly(self, size: int) -> bytes:
        while len(self._data) < size:
            if not (more := self.socket.recv(65_536)):
                raise EOFError
            self._data += more
        taken, self._data = self._data[:size], self._data[size:]
        return taken


@contextlib.contextmanager
def scripted(*scripts: Callable[[Peer], object]) -> Iterator[Address]:
    """Each connection is given to the next script; the last one serves all that follow."""
    order = itertools.count()

    def serve(connection: socket.socket) -> None:
        scripts[min(next(order), len(scripts) - 1)](Peer(connection))

    with listening(serve) as address:
        yield address
