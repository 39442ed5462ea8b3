"""A generator's end of the connection to whoever divides the load: lines out, lines in, and never a wait for either.

May live here: that socket. May not: what the lines mean (`wire`, `worker`).
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Iterator

from toolkit.errors import ToolkitError
from toolkit.load import wire

CONNECT_WITHIN_S = 15.0
TRY_AGAIN_S = 0.2
READ = 65_536


class Unwanted(Exception):
    """Whoever wanted the load is gone: there is nothing left to do, and nobody to tell."""


class Cannot(ToolkitError):
    """The generator cannot work, and why."""


class Control:
    """`with` it: it ends with the connection. Every method raises Unwanted once that is gone."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket, self._out, self._in = connection, bytearray(), b""

    @staticmethod
    def connect(host: str, port: int) -> Control:
        """A pod's network may take a moment to be there. Raises Cannot."""
        end = time.monotonic() + CONNECT_WITHIN_S
        while True:
            try:
                return Control(socket.create_connection((host, port), max(TRY_AGAIN_S, end - time.monotonic())))
            except OSError as error:
                if time.monotonic() >= end:
                    raise Cannot(f"cannot reach {host} port {port}: {error.strerror or 'no answer'}") from error
                time.sleep(TRY_AGAIN_S)

    def __enter__(self) -> Control:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def tell(self, line: bytes) -> None:
        """What cannot leave now waits here, as long as the other side does not read."""
        self._out += line
        self._flush()

    def heard(self, within_s: float = 0.0) -> Iterator[wire.Message]:
        """What has come; before that, waits until something comes, `within_s` at most. Raises Cannot."""
        if self._ready(within_s):
            self._read()
        self._flush()
        while b"\n" in self._in:
            line, _, self._in = self._in.partition(b"\n")
            try:
                yield wire.message(line)
            except ValueError as error:
                raise _not_understood(error) from error
        if len(self._in) > wire.MAX_LINE:
            raise _not_understood("a line without an end")

    def _ready(self, within_s: float) -> bool:
        poll = select.poll()
        poll.register(self._socket, select.POLLIN | (select.POLLOUT if self._out else 0))
        return any(events & ~select.POLLOUT for _, events in poll.poll(within_s * 1000))

    def _read(self) -> None:
        try:
            data = self._socket.recv(READ)
        except BlockingIOError:
            return
        except OSError as error:
            raise Unwanted from error
        if not data:
            raise Unwanted
        self._in += data

    def _flush(self) -> None:
        if not self._out:
            return
        try:
            del self._out[: self._socket.send(self._out)]
        except BlockingIOError:
            return
        except OSError as error:
            raise Unwanted from error


def _not_understood(why: object) -> Cannot:
    return Cannot(f"was told what it does not understand: {why}")
