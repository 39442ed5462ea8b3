"""The other side of a connection: the library `h2`, which knows the protocol better than we do, and bytes of our own
where a server has to misbehave.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import h2.config
import h2.connection
import h2.events
import h2.settings

from toolkit.load.http2 import grpc, headers
from toolkit.load.http2.connection import Connection
from toolkit.load.http2.stream import Ended

FIRST = [(":status", "200"), ("content-type", "application/grpc")]
LAST = [("grpc-status", "0"), ("grpc-message", "")]
METHOD = "/helloworld.Greeter/SayHello"
BLOCK = headers.encode(grpc.request_headers(METHOD, "localhost:1", [(b"x-call", b"1")]))


class Server:
    """What came to it: headers and bodies by stream. It answers only what a test says."""

    def __init__(self, **settings: int) -> None:
        self.http2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        if settings:
            self.http2.local_settings = h2.settings.Settings(
                client=False,
                initial_values={
                    getattr(h2.settings.SettingCodes, key.upper()): value for key, value in settings.items()
                },
            )
        self.http2.initiate_connection()
        self.headers: dict[int, dict[str, str]] = {}
        self.bodies: dict[int, bytes] = {}
        self.whole: list[int] = []
        self.reset: dict[int, int] = {}
        self.gone: h2.events.ConnectionTerminated | None = None

    def take(self, data: bytes, *, acknowledge: bool = True) -> None:
        for event in self.http2.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                self.headers[event.stream_id] = dict(event.headers)  # type: ignore[arg-type]
                self.bodies[event.stream_id] = b""
            elif isinstance(event, h2.events.DataReceived):
                self.bodies[event.stream_id] += event.data
                if acknowledge:
                    self.http2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                self.whole.append(event.stream_id)
            elif isinstance(event, h2.events.StreamReset):
                self.reset[event.stream_id] = event.error_code
            elif isinstance(event, h2.events.ConnectionTerminated):
                self.gone = event

    def answer(self, stream: int, reply: bytes = b"hello", padding: int | None = None) -> None:
        self.http2.send_headers(stream, FIRST)
        self.http2.send_data(stream, grpc.message(reply), pad_length=padding)
        self.http2.send_headers(stream, LAST, end_stream=True)

    def said(self) -> bytes:
        return self.http2.data_to_send()


def exchange(client: Connection, server: Server) -> list[Ended]:
    """Carries bytes to and fro until nobody has anything to say; what ended meanwhile."""
    while True:
        to_server = bytes(client.outgoing)
        client.outgoing.clear()
        if to_server:
            server.take(to_server)
        to_client = server.said()
        if to_client:
            client.receive(to_client, 7)
        if not to_server and not to_client:
            return drained(client)


def drained(client: Connection) -> list[Ended]:
    ended = list(client.ended)
    client.ended.clear()
    return ended


def cut(data: bytes, places: Sequence[int]) -> Iterator[bytes]:
    """`data` in pieces that end at these places."""
    at = 0
    for place in sorted({min(each, len(data)) for each in places} | {len(data)}):
        if place > at:
            yield data[at:place]
            at = place
