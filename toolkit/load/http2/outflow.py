"""What may be sent, and when: the server's windows and frame size (RFC 9113, section 5.2), and what waits for them.

May live here: requests on their way out. May not: anything about answers.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable, Mapping

from toolkit.load.http2 import frames
from toolkit.load.http2.frames import CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, Broken
from toolkit.load.http2.stream import Stream

_pack = struct.Struct(">HBHI").pack  # a frame's head: its size in two parts, kind and flags, stream
_HEADERS, _DATA = HEADERS << 8 | END_HEADERS, DATA << 8 | END_STREAM


class Outflow:
    """Writes to `outgoing`, as far as it is allowed."""

    def __init__(self, outgoing: bytearray, streams: Mapping[int, Stream]) -> None:
        self._out, self._streams = outgoing, streams
        self.stream_window = frames.WINDOW
        self._window = frames.WINDOW
        self._frame_size = frames.FRAME_SIZE
        self._blocked: deque[int] = deque()

    def request(self, number: int, stream: Stream) -> None:
        """Its header block and its message; what of it may not be sent yet waits."""
        block, message, most = stream.block, stream.message, self._frame_size
        head, size, window = len(block), len(message), self.stream_window
        if head > most:
            self._long_headers(number, block)
        elif size <= self._window and size <= window and size <= most and not self._blocked:
            self._window -= size
            stream.window = window - size
            self._out += b"".join(
                (
                    _pack(head >> 8, head & 255, _HEADERS, number),
                    block,
                    _pack(size >> 8, size & 255, _DATA, number),
                    message,
                )
            )
            return
        else:
            self._out += frames.frame(HEADERS, END_HEADERS, number, block)
        stream.window, stream.unsent = window, memoryview(message)  # of which pieces are no copies
        self._blocked.append(number)
        self.unblock()

    def opened(self, by: int) -> None:
        """The connection's window. Raises Broken."""
        self._window += by
        if by == 0 or self._window > frames.LARGEST_WINDOW:
            raise Broken(frames.FLOW_CONTROL_ERROR, f"the connection's window opened by {by}")

    def resize_streams(self, window: int, streams: Iterable[Stream]) -> None:
        """The window that streams begin with; those under way move along (section 6.9.2). Raises Broken."""
        if window > frames.LARGEST_WINDOW:
            raise Broken(frames.FLOW_CONTROL_ERROR, f"a window of {window}")
        for stream in streams:
            stream.window += window - self.stream_window
        self.stream_window = window

    def resize_frames(self, size: int) -> None:
        """Raises Broken."""
        if not frames.FRAME_SIZE <= size <= frames.LARGEST_FRAME_SIZE:
            raise Broken(frames.PROTOCOL_ERROR, f"frames of {size} bytes")
        self._frame_size = size

    def unblock(self) -> None:
        """Sends what waits, as far as the windows allow; streams take turns at the connection's."""
        waiting = len(self._blocked)
        while waiting and self._window > 0:
            number = self._blocked.popleft()
            waiting -= 1
            stream = self._streams.get(number)
            if stream is None or not stream.unsent:
                continue
            self._push(number, stream)
            if stream.unsent:
                self._blocked.append(number)

    def _push(self, number: int, stream: Stream) -> None:
        while stream.unsent and (size := min(len(stream.unsent), self._window, stream.window, self._frame_size)) > 0:
            last = END_STREAM if size == len(stream.unsent) else 0
            self._out += frames.frame(DATA, last, number, stream.unsent[:size])
            stream.unsent = stream.unsent[size:]
            self._window -= size
            stream.window -= size

    def _long_headers(self, number: int, block: bytes) -> None:
        pieces = [block[at : at + self._frame_size] for at in range(0, len(block), self._frame_size)]
        for index, piece in enumerate(pieces):
            last = END_HEADERS if index == len(pieces) - 1 else 0
            self._out += frames.frame(CONTINUATION if index else HEADERS, last, number, piece)
