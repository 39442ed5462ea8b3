"""What a POST of spans may look like: how large, how packed, in which form; and how much of it is read at once.

May live here: the refusal of a request as a type, unpacking, the choice of the codec, and where a body is read. What is
in a body is its codec's business.
A small body is read where it comes. A large one, by what it is once it is unpacked, is read in a thread, so that others
are answered meanwhile; two at a time, since a body becomes ten times as much while it is read.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, nullcontext
from typing import TypeVar

from toolkit.engines.tracestore import normal
from toolkit.engines.tracestore.normal import Stored
from toolkit.sdk.http1 import Request
from toolkit.traces import protowire, zipkin, zipkinproto

MAX_BODY = 16 << 20  # bytes of one POST, before and after gunzip
SMALL = 128 << 10  # bytes of a body that is read at once; a batch of an exporter has a few ten thousand
AT_ONCE = 2  # large bodies
MOST_SPANS = 50_000  # in one request; tracers send some hundreds at a time
MOST_PARTS = 2_000_000  # commas and brackets in JSON: its values, or more

T = TypeVar("T")


class Refusal(Exception):
    """A request that gets `status` and one line of text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


Form = Callable[[bytes], list[Stored]]
Room = Callable[[int], AbstractContextManager[None]]


def _endless(size: int) -> AbstractContextManager[None]:
    return nullcontext()


class Bodies:
    """Reads bodies. `room` is entered with how many bytes more than came a body has; it raises Refusal."""

    def __init__(self, room: Room = _endless) -> None:
        self._room = room
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="trace store bodies")

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    @asynccontextmanager
    async def read(self, request: Request, form: Callable[[bytes], T]) -> AsyncIterator[T]:
        """What `form` makes of the body. Until that has been left, the body counts as large as it is unpacked.

        Raises Refusal, and what `form` raises.
        """
        if (small := _small(request)) is not None:
            yield form(small)
            return
        async with self._turns:
            plain = await self._in_thread(unpacked, request)
            holding = ExitStack()
            holding.enter_context(self._room(max(0, len(plain) - len(request.body))))
            with holding:  # until it has been read, and then for longer
                found = await self._in_thread(form, plain)
                holding = holding.pop_all()
        with holding:
            yield found

    async def _in_thread(self, work: Callable[..., T], *given: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *given)


def form_of(request: Request) -> Form:
    """What reads the spans of `POST /api/v2/spans`, in Zipkin's normal form; JSON where nothing else is told. It raises
    Refusal, as this does."""
    told = (request.header(b"content-type") or b"application/json").partition(b";")[0].strip().lower()
    if told == zipkinproto.CONTENT_TYPE.encode():
        return lambda body: _read(body, "protobuf", _protobuf)
    if b"json" in told:
        return lambda body: _read(body, "JSON", _json)
    raise Refusal(
        415, "spans are taken as a list (Zipkin v2), Content-Type: application/json or application/x-protobuf"
    )


def _read(body: bytes, named: str, form: Form) -> list[Stored]:
    try:
        spans = form(body)
    except zipkin.ZipkinError as error:
        raise Refusal(400, f"{error} (reading a list of spans from {named})") from None
    if len(spans) > MOST_SPANS:
        raise Refusal(413, f"{len(spans)} spans in one request; {MOST_SPANS} are the most that are taken")
    return spans


def _json(body: bytes) -> list[Stored]:
    countable(body)
    return normal.read(body)


def _protobuf(body: bytes) -> list[Stored]:
    if len(body) > SMALL:
        try:
            protowire.spans(body, protowire.ZIPKIN, most=MOST_SPANS)
        except protowire.TooMuch as error:
            raise Refusal(413, str(error)) from None
        except protowire.Torn:
            raise zipkin.ZipkinError("not a protobuf ListOfSpans (Zipkin v2): torn, or something else") from None
    return normal.of_fields(zipkinproto.normalised(body))


def countable(body: bytes) -> None:
    """Returns when this JSON cannot become more than may be held. Raises Refusal before it has been read."""
    if len(body) > SMALL and sum(map(body.count, (b",", b"[", b"{"))) > MOST_PARTS:
        raise Refusal(413, f"more than {MOST_PARTS} values in one request; send fewer spans at once")


def unpacked(request: Request) -> bytes:
    """The body, gunzipped if it says that it is gzipped. Raises Refusal."""
    if not packed(request):
        return request.body
    unpacking = zlib.decompressobj(wbits=31)
    plain = _decompressed(unpacking, request.body, MAX_BODY)
    if not unpacking.eof and len(plain) == MAX_BODY:
        raise Refusal(413, f"more than {MAX_BODY} bytes of spans in one request")
    return _whole(unpacking, plain)


def _small(request: Request) -> bytes | None:
    """The body where it is small; None where it is not. Raises Refusal."""
    if not packed(request):
        return request.body if len(request.body) <= SMALL else None
    unpacking = zlib.decompressobj(wbits=31)
    plain = _decompressed(unpacking, request.body[:SMALL], SMALL)
    more = len(request.body) > SMALL or (not unpacking.eof and len(plain) == SMALL)
    return None if more else _whole(unpacking, plain)


def packed(request: Request) -> bool:
    """Whether its body says that it is gzipped."""
    return (request.header(b"content-encoding") or b"").strip().lower() == b"gzip"


def _decompressed(unpacking: zlib._Decompress, body: bytes, most: int) -> bytes:
    try:
        return unpacking.decompress(body, most)
    except zlib.error:
        raise Refusal(400, "Cannot gunzip spans") from None


def _whole(unpacking: zlib._Decompress, plain: bytes) -> bytes:
    if not unpacking.eof:
        raise Refusal(400, "Cannot gunzip spans: it ends too early")
    if unpacking.unused_data:  # it would be lost without a word
        raise Refusal(400, "Cannot gunzip spans: something follows")
    return plain
