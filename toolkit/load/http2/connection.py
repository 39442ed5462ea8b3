"""One HTTP/2 connection to a gRPC server, without its socket: calls go in, bytes come out; bytes go in, ended calls
come out. Every call that went in comes out exactly once, whatever the other side does.

May live here: the client's side of RFC 9113 as far as unary calls need it. May not: sockets, clocks, retries.
"""

from __future__ import annotations

import struct

from toolkit.load.http2 import frames, grpc
from toolkit.load.http2.frames import DATA, END_HEADERS, END_STREAM, HEADERS, PADDED, Broken
from toolkit.load.http2.headers import HeadersError
from toolkit.load.http2.outflow import Outflow
from toolkit.load.http2.stream import ENDED, Ended, Stream

MOST_REPLY = 64 * 1024 * 1024  # bytes of an answer that are kept; a longer one ends its call
MOST_BLOCK = 262_144  # bytes of a header block in pieces (an endless frames.CONTINUATION is an attack)
MOST_UNSENT = 4 * 1024 * 1024  # bytes of answers to frames.PING and frames.SETTINGS that nobody reads
_AGAIN = 1 << 30  # bytes that may come before our window has to be opened again
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
_HEAD = struct.Struct(">HBHI")  # of a frame: its size in two parts, kind and flags, stream
_TRAILERS, _LAST_DATA = HEADERS << 8 | END_HEADERS | END_STREAM, DATA << 8 | END_STREAM
_ended = tuple.__new__  # a named tuple's own way in takes three times as long


class Connection:
    """The client's end. `outgoing` is what has to be written next; `ended` what came to an end since it was emptied."""

    def __init__(self) -> None:
        self.outgoing = bytearray(_FIRST)
        self.ended: list[Ended] = []
        self.refused: list[Stream] = []  # of those that ended: which may be sent once more
        self.closed: str | None = None  # why nothing can come any more
        self.ready = False  # the server has said how it wants to be spoken to
        self.draining = False  # the server wants no new calls
        self.room = self._most = 1 << 31  # how many more calls may be sent now; at once, as the server says
        self.next = 1  # the stream of the next call
        self._streams: dict[int, Stream] = {}
        self._outflow = Outflow(self.outgoing, self._streams)
        self._rest, self._taken, self._answers = b"", 0, 0  # the last two in bytes: read, and perhaps not written yet
        self._block: tuple[int, int, bytearray] | None = None  # a header block in pieces: stream, flags, bytes

    @property
    def in_flight(self) -> int:
        return len(self._streams)

    def send(self, token: int, block: bytes, message: bytes) -> int:
        """A call with this header block and message (`grpc.message`); its stream. There has to be `room`."""
        return self.begin(Stream(token, block, message))

    def begin(self, stream: Stream) -> int:
        """`send`, of a call that is made already."""
        number = self.next
        self.next = number + 2
        self._streams[number] = stream
        stream.number = number
        self._outflow.request(number, stream)
        self.room -= 1
        if number >= frames.LAST_STREAM:
            self.draining, self.room = True, 0
        return number

    def cancel(self, number: int, status: str, why: str, now_ns: int) -> None:
        """Gives a call up; nothing happens if it has ended."""
        if (stream := self._streams.get(number)) is not None:
            self.outgoing += frames.rst_stream(number, frames.CANCEL)
            self._end(number, stream, status, why, now_ns)

    def lost(self, why: str, now_ns: int, unwritten: int = frames.LAST_STREAM + 1) -> None:
        """The socket is gone: so are the calls on it. From stream `unwritten` on, not a byte had left."""
        if self.closed is None:
            self.closed = why
        for number, stream in list(self._streams.items()):
            self._end(number, stream, "UNAVAILABLE", self.closed, now_ns, unseen=number >= unwritten)
        self.room = 0

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
        position, end, streams, unpack = 0, len(data), self._streams, _HEAD.unpack_from
        while end - position >= 9:  # frames.HEADER, here and below
            high, low, kind, number = unpack(data, position)
            start, after = position + 9, position + 9 + (high << 8 | low)
            if after > end:
                if after - start > _LARGEST_IN:
                    raise Broken(frames.FRAME_SIZE_ERROR, f"a frame of {after - start} bytes")
                break
            position, stream = after, streams.get(number)
            if stream is None or self._block is not None:
                self._other(kind >> 8, kind & 255, number & frames.LAST_STREAM, data[start:after], now_ns)
            elif kind | END_STREAM == _TRAILERS:
                self._headers(number, stream, kind & 255, data[start:after], now_ns)
            elif kind | END_STREAM == _LAST_DATA:
                self._data(number, stream, kind & 255, data[start:after], after - start, now_ns)
            else:
                self._other(kind >> 8, kind & 255, number, data[start:after], now_ns)
        return position

    def _headers(self, number: int, stream: Stream, flags: int, block: bytes, now_ns: int) -> None:
        said, first = grpc.said(block), stream.headers
        if flags & END_STREAM:
            if stream.first_ns is None:
                stream.first_ns = now_ns
            if said.ok and first is not None and first.good:
                self._end(number, stream, "OK", "", now_ns)
            else:
                self._end(number, stream, *stream.finish(said), now_ns)
        elif first is not None:
            raise Broken(frames.PROTOCOL_ERROR, "trailers that do not end their stream")
        else:
            if stream.first_ns is None:
                stream.first_ns = now_ns
            if said.good or said.http is None or not 100 <= said.http < 200:  # a 1xx comes before the headers proper
                stream.headers = said

    def _data(self, number: int, stream: Stream, flags: int, payload: bytes, size: int, now_ns: int) -> None:
        """`size` is what counts for flow control: padding too."""
        self._taken += size
        if self._taken >= _AGAIN:
            self._open_again()
        if stream.headers is None:
            raise Broken(frames.PROTOCOL_ERROR, "data before headers")
        if not stream.body:
            stream.body = payload
        elif isinstance(stream.body, bytearray):
            stream.body += payload
        else:
            stream.body = bytearray(stream.body + payload)
        if size and len(stream.body) > MOST_REPLY:
            self.outgoing += frames.rst_stream(number, frames.CANCEL)
            self._end(number, stream, "RESOURCE_EXHAUSTED", f"an answer of more than {MOST_REPLY} bytes", now_ns)
        elif flags & END_STREAM:
            outcome = stream.unfinished("the answer ends without trailers", stream.headers)
            self._end(number, stream, *outcome, now_ns)

    def _open_again(self) -> None:
        """The connection's window."""
        self.outgoing += frames.window_update(0, self._taken)
        self._taken = 0

    def _end(self, number: int, stream: Stream, status: str, why: str, now_ns: int, *, unseen: bool = False) -> None:
        del self._streams[number]
        if not self.draining:
            self.room += 1
        stream.number, reply = ENDED, None
        if status == "OK":
            reply, status, why = stream.reply()
        first_ns, stream.body = stream.first_ns, b""  # it may be remembered for as long as its deadline is
        unsent, stream.unsent = stream.unsent, b""
        if unsent and self.closed is None and not unseen:  # it was answered before it was asked to the end
            self.outgoing += frames.rst_stream(number, frames.CANCEL)
        if unseen:
            stream.headers = stream.first_ns = None
            self.refused.append(stream)
        self.ended.append(_ended(Ended, (stream.token, status, why, reply, first_ns, now_ns, unseen, 0)))

    def _other(self, kind: int, flags: int, number: int, payload: bytes, now_ns: int) -> None:
        """The frames that are rare."""
        if self._block is not None and kind != frames.CONTINUATION:
            raise Broken(frames.PROTOCOL_ERROR, "a header block was not continued")
        if kind == frames.WINDOW_UPDATE:
            self._opened(number, payload, now_ns)
        elif kind == frames.SETTINGS:
            self._settings(flags, number, payload)
        elif kind == frames.PING:
            self._ping(flags, number, payload)
        elif kind == frames.RST_STREAM:
            self._reset(number, payload, now_ns)
        elif kind == frames.GOAWAY:
            self._goaway(number, payload, now_ns)
        elif kind in (HEADERS, frames.CONTINUATION):
            self._pieces(kind, flags, number, payload, now_ns)
        elif kind == DATA:
            self._odd_data(flags, number, payload, now_ns)
        elif kind == frames.PUSH_PROMISE:
            raise Broken(frames.PROTOCOL_ERROR, "a push, though none was wanted")
        # PRIORITY, and kinds that nobody knows, mean nothing (section 5.5)

    def _settings(self, flags: int, number: int, payload: bytes) -> None:
        if (said := frames.read_settings(flags, number, payload)) is None:
            return
        for key, value in said:
            self._set(key, value)
        self.ready = True
        self._answer(frames.frame(frames.SETTINGS, frames.ACK, 0))
        self._outflow.unblock()

    def _set(self, key: int, value: int) -> None:
        if key == frames.MAX_CONCURRENT_STREAMS:
            if not self.draining:
                self.room += value - self._most
            self._most = value
        elif key == frames.INITIAL_WINDOW_SIZE:
            self._outflow.resize_streams(value, self._streams.values())
        elif key == frames.MAX_FRAME_SIZE:
            self._outflow.resize_frames(value)

    def _ping(self, flags: int, number: int, payload: bytes) -> None:
        if number or len(payload) != 8:
            raise Broken(frames.FRAME_SIZE_ERROR, "malformed PING")
        if not flags & frames.ACK:
            self._answer(frames.frame(frames.PING, frames.ACK, 0, payload))

    def _answer(self, frame: bytes) -> None:
        """An answer that the other side can ask for as often as it likes: who does not read them loses us."""
        self._answers = min(self._answers, len(self.outgoing)) + len(frame)  # requests wait there, too
        if self._answers > MOST_UNSENT:
            raise Broken(frames.ENHANCE_YOUR_CALM, "too many frames that want an answer")
        self.outgoing += frame

    def _reset(self, number: int, payload: bytes, now_ns: int) -> None:
        error = frames.read_number("RST_STREAM", payload)
        self._see_that_it_was(number)
        if (stream := self._streams.get(number)) is not None:
            stream.unsent = b""
            why = f"the server reset the stream: {frames.error_name(error)}"
            unseen = error == frames.REFUSED_STREAM
            self._end(number, stream, grpc.of_reset(error), why, now_ns, unseen=unseen)

    def _goaway(self, number: int, payload: bytes, now_ns: int) -> None:
        last, said = frames.read_goaway(number, payload)
        self.draining, self.room, why = True, 0, f"the server goes away: {said}"
        for each in [each for each in self._streams if each > last]:  # section 6.8: it has not looked at those
            self._end(each, self._streams[each], "UNAVAILABLE", why, now_ns, unseen=True)

    def _opened(self, number: int, payload: bytes, now_ns: int) -> None:
        by = frames.read_number("WINDOW_UPDATE", payload) & frames.LARGEST_WINDOW
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
        if kind == frames.CONTINUATION:
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
            if self._taken >= _AGAIN:
                self._open_again()

    def _see_that_it_was(self, number: int) -> None:
        if number == 0 or number >= self.next or number % 2 == 0:
            raise Broken(frames.PROTOCOL_ERROR, f"a frame of stream {number}, which we never opened")
