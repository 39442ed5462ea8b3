"""One HTTP/2 connection to a gRPC server, without its socket: calls go in, bytes come out; bytes go in, ended calls
come out. Every call that went in comes out exactly once, whatever the other side does.

May live here: the client's side of RFC 9113 as far as unary calls need it. May not: sockets, clocks, retries.
"""

from __future__ import annotations

from toolkit.load.http2 import frames, grpc
from toolkit.load.http2.frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    WITH_PRIORITY,
    Broken,
)
from toolkit.load.http2.headers import HeadersError
from toolkit.load.http2.outflow import Outflow
from toolkit.load.http2.stream import Ended, Stream

MOST_REPLY = 64 * 1024 * 1024  # bytes of an answer that are kept; a longer one ends its call
MOST_BLOCK = 262_144  # bytes of a header block in pieces (an endless CONTINUATION is an attack)
MOST_UNSENT = 4 * 1024 * 1024  # bytes of answers to PING and SETTINGS that nobody reads
_AGAIN = 1 << 30  # bytes that may come before our window has to be opened again
_PAD = PADDED | WITH_PRIORITY
_FIRST = (
    frames.PREFACE
    + frames.settings(
        (
            (frames.HEADER_TABLE_SIZE, 0),
            (frames.ENABLE_PUSH, 0),
            (frames.INITIAL_WINDOW_SIZE, frames.LARGEST_WINDOW),
            (frames.MAX_FRAME_SIZE, 1 << 20),
        )
    )
    + frames.window_update(0, frames.LARGEST_WINDOW - frames.WINDOW)
)
_LARGEST_IN = 1 << 20  # what we said with MAX_FRAME_SIZE


class Connection:
    """The client's end. `outgoing` is what has to be written next; `ended` what came to an end since it was emptied."""

    def __init__(self) -> None:
        self.outgoing = bytearray(_FIRST)
        self.ended: list[Ended] = []
        self.closed: str | None = None  # why nothing can come any more
        self.ready = False  # the server has said how it wants to be spoken to
        self.draining = False  # the server wants no new calls
        self._streams: dict[int, Stream] = {}
        self._next = 1
        self._most = 1 << 31  # streams at once, as the server says
        self._outflow = Outflow(self.outgoing, self._streams)
        self._rest = b""
        self._taken = 0
        self._block: tuple[int, int, bytearray] | None = None  # a header block in pieces: stream, flags, bytes

    @property
    def room(self) -> int:
        """How many more calls may be sent now."""
        if self.draining or self.closed is not None or self._next > frames.LAST_STREAM:
            return 0
        return self._most - len(self._streams)

    @property
    def in_flight(self) -> int:
        return len(self._streams)

    def send(self, token: int, block: bytes, message: bytes) -> int:
        """A call with this header block and message (`grpc.message`); its stream. There has to be `room`."""
        number = self._next
        self._next = number + 2
        stream = Stream(token, self._outflow.stream_window)
        self._streams[number] = stream
        self._outflow.request(number, stream, block, message)
        return number

    def cancel(self, number: int, status: str, why: str, now_ns: int) -> None:
        """Gives a call up; nothing happens if it has ended."""
        if (stream := self._streams.get(number)) is not None:
            self.outgoing += frames.rst_stream(number, frames.CANCEL)
            self._end(number, stream, status, why, now_ns)

    def lost(self, why: str, now_ns: int) -> None:
        """The socket is gone: so are the calls on it."""
        if self.closed is None:
            self.closed = why
        for number, stream in list(self._streams.items()):
            self._end(number, stream, "UNAVAILABLE", self.closed, now_ns)

    def receive(self, data: bytes, now_ns: int) -> None:
        """Takes what was read. After an error of the other side `closed` says which, and all calls have ended."""
        if self.closed is not None:
            return
        if self._rest:
            data = self._rest + data
        try:
            self._rest = data[self._frames(data, now_ns) :]
        except Broken as broken:
            self.outgoing += frames.goaway(broken.error, broken.what.encode())
            self.lost(f"{frames.error_name(broken.error)}: {broken.what}", now_ns)
        except HeadersError as error:
            self.outgoing += frames.goaway(frames.COMPRESSION_ERROR)
            self.lost(f"COMPRESSION_ERROR: {error}", now_ns)

    def _frames(self, data: bytes, now_ns: int) -> int:
        """Reads the whole frames in `data`; how many bytes those are. The kinds that every answer has come first."""
        position, end, streams = 0, len(data), self._streams
        while end - position >= frames.HEADER:
            size = data[position] << 16 | data[position + 1] << 8 | data[position + 2]
            after = position + frames.HEADER + size
            if after > end:
                if size > _LARGEST_IN:
                    raise Broken(frames.FRAME_SIZE_ERROR, f"a frame of {size} bytes")
                break
            kind, flags = data[position + 3], data[position + 4]
            number = int.from_bytes(data[position + 5 : position + 9], "big") & frames.LAST_STREAM
            payload = data[position + 9 : after]
            position = after
            if self._block is not None and kind != CONTINUATION:
                raise Broken(frames.PROTOCOL_ERROR, "a header block was not continued")
            stream = streams.get(number)
            if kind == HEADERS and flags & END_HEADERS and not flags & _PAD and stream is not None:
                self._headers(number, stream, flags, payload, now_ns)
            elif kind == DATA and not flags & PADDED and stream is not None:
                self._data(number, stream, flags, payload, size, now_ns)
            else:
                self._other(kind, flags, number, payload, now_ns)
        return position

    def _headers(self, number: int, stream: Stream, flags: int, block: bytes, now_ns: int) -> None:
        said = grpc.said(block)
        if stream.first_ns is None:
            stream.first_ns = now_ns
        if flags & END_STREAM:
            self._end(number, stream, *stream.finish(said), now_ns)
        elif stream.headers is not None:
            raise Broken(frames.PROTOCOL_ERROR, "trailers that do not end their stream")
        elif said.http is None or not 100 <= said.http < 200:  # a 1xx comes before the headers proper
            stream.headers = said

    def _data(self, number: int, stream: Stream, flags: int, payload: bytes, size: int, now_ns: int) -> None:
        """`size` is what counts for flow control: padding too."""
        self._taken += size
        if self._taken >= _AGAIN:
            self.outgoing += frames.window_update(0, self._taken)
            self._taken = 0
        if stream.headers is None:
            raise Broken(frames.PROTOCOL_ERROR, "data before headers")
        stream.take(payload)
        if stream.body_size > MOST_REPLY:
            self.outgoing += frames.rst_stream(number, frames.CANCEL)
            self._end(number, stream, "RESOURCE_EXHAUSTED", f"an answer of more than {MOST_REPLY} bytes", now_ns)
        elif flags & END_STREAM:
            outcome = stream.unfinished("the answer ends without trailers", stream.headers)
            self._end(number, stream, *outcome, now_ns)

    def _end(self, number: int, stream: Stream, status: str, why: str, now_ns: int, *, unseen: bool = False) -> None:
        del self._streams[number]
        reply = None
        if status == "OK":
            reply, (status, why) = stream.reply()
        if stream.unsent:
            stream.unsent = b""
            if self.closed is None and not unseen:  # it was answered before it was asked to the end
                self.outgoing += frames.rst_stream(number, frames.CANCEL)
        self.ended.append(Ended(stream.token, status, why, reply, stream.first_ns, now_ns, unseen))

    def _other(self, kind: int, flags: int, number: int, payload: bytes, now_ns: int) -> None:
        """The frames that are rare."""
        if kind == WINDOW_UPDATE:
            self._opened(number, payload, now_ns)
        elif kind == SETTINGS:
            self._settings(flags, number, payload)
        elif kind == PING:
            self._ping(flags, number, payload)
        elif kind == RST_STREAM:
            self._reset(number, payload, now_ns)
        elif kind == GOAWAY:
            self._goaway(number, payload, now_ns)
        elif kind in (HEADERS, CONTINUATION):
            self._pieces(kind, flags, number, payload, now_ns)
        elif kind == DATA:
            self._odd_data(flags, number, payload, now_ns)
        elif kind == PUSH_PROMISE:
            raise Broken(frames.PROTOCOL_ERROR, "a push, though none was wanted")
        # PRIORITY, and kinds that nobody knows, mean nothing (section 5.5)

    def _settings(self, flags: int, number: int, payload: bytes) -> None:
        if number or len(payload) % 6 or (flags & ACK and payload):
            raise Broken(frames.FRAME_SIZE_ERROR, "malformed SETTINGS")
        if flags & ACK:
            return
        for at in range(0, len(payload), 6):
            self._set(int.from_bytes(payload[at : at + 2], "big"), int.from_bytes(payload[at + 2 : at + 6], "big"))
        self.ready = True
        self._answer(frames.frame(SETTINGS, ACK, 0))
        self._outflow.unblock()

    def _set(self, key: int, value: int) -> None:
        if key == frames.MAX_CONCURRENT_STREAMS:
            self._most = value
        elif key == frames.INITIAL_WINDOW_SIZE:
            self._outflow.resize_streams(value, self._streams.values())
        elif key == frames.MAX_FRAME_SIZE:
            self._outflow.resize_frames(value)

    def _ping(self, flags: int, number: int, payload: bytes) -> None:
        if number or len(payload) != 8:
            raise Broken(frames.FRAME_SIZE_ERROR, "malformed PING")
        if not flags & ACK:
            self._answer(frames.frame(PING, ACK, 0, payload))

    def _answer(self, frame: bytes) -> None:
        """An answer that the other side can ask for as often as it likes: who does not read them loses us."""
        if len(self.outgoing) > MOST_UNSENT:
            raise Broken(frames.ENHANCE_YOUR_CALM, "too many frames that want an answer")
        self.outgoing += frame

    def _reset(self, number: int, payload: bytes, now_ns: int) -> None:
        if len(payload) != 4:
            raise Broken(frames.FRAME_SIZE_ERROR, "malformed RST_STREAM")
        self._see_that_it_was(number)
        if (stream := self._streams.get(number)) is not None:
            error = int.from_bytes(payload, "big")
            stream.unsent = b""
            why = f"the server reset the stream: {frames.error_name(error)}"
            unseen = error == frames.REFUSED_STREAM
            self._end(number, stream, grpc.of_reset(error), why, now_ns, unseen=unseen)

    def _goaway(self, number: int, payload: bytes, now_ns: int) -> None:
        if number or len(payload) < 8:
            raise Broken(frames.FRAME_SIZE_ERROR, "malformed GOAWAY")
        last = int.from_bytes(payload[:4], "big") & frames.LAST_STREAM
        error = int.from_bytes(payload[4:8], "big")
        said = f": {payload[8:200].decode('utf-8', 'replace')}" if len(payload) > 8 else ""
        self.draining = True
        why = f"the server goes away: {frames.error_name(error)}{said}"
        for each in [each for each in self._streams if each > last]:  # section 6.8: it has not looked at those
            self._end(each, self._streams[each], "UNAVAILABLE", why, now_ns, unseen=True)

    def _opened(self, number: int, payload: bytes, now_ns: int) -> None:
        if len(payload) != 4:
            raise Broken(frames.FRAME_SIZE_ERROR, "malformed WINDOW_UPDATE")
        by = int.from_bytes(payload, "big") & frames.LARGEST_WINDOW
        if number == 0:
            self._outflow.opened(by)
        else:
            self._see_that_it_was(number)
            if (stream := self._streams.get(number)) is None:
                return
            stream.window += by
            if by == 0 or stream.window > frames.LARGEST_WINDOW:
                self.outgoing += frames.rst_stream(number, frames.FLOW_CONTROL_ERROR)
                stream.unsent = b""
                self._end(number, stream, "INTERNAL", f"the stream's window opened by {by}", now_ns)
        self._outflow.unblock()

    def _pieces(self, kind: int, flags: int, number: int, payload: bytes, now_ns: int) -> None:
        """Header blocks that are padded, prioritised, in several frames, or of calls that have ended."""
        if kind == CONTINUATION:
            if self._block is None or self._block[0] != number:
                raise Broken(frames.PROTOCOL_ERROR, "a header block is continued that was not begun")
            _, began, block = self._block
            block += payload
            if len(block) > MOST_BLOCK:
                raise Broken(frames.ENHANCE_YOUR_CALM, "a header block without an end")
        else:
            self._see_that_it_was(number)
            began, block = flags, bytearray(frames.unpadded(flags, payload))
        if not flags & END_HEADERS:
            self._block = (number, began, block)
            return
        self._block = None
        if (stream := self._streams.get(number)) is not None:
            self._headers(number, stream, began, bytes(block), now_ns)

    def _odd_data(self, flags: int, number: int, payload: bytes, now_ns: int) -> None:
        """Data that is padded, or of a call that has ended: its bytes count for the window all the same."""
        self._see_that_it_was(number)
        size = len(payload)
        if (stream := self._streams.get(number)) is not None:
            self._data(number, stream, flags, frames.unpadded(flags & PADDED, payload), size, now_ns)
        else:
            self._taken += size

    def _see_that_it_was(self, number: int) -> None:
        if number == 0 or number >= self._next or number % 2 == 0:
            raise Broken(frames.PROTOCOL_ERROR, f"a frame of stream {number}, which we never opened")
