"""The core: handles one message after another, without a socket, so that it can be tested as a function.

May live here: the order of things around a handler: span, handler, receipt, and only then the answer. May not: servers.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import logging
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from toolkit import contract
from toolkit.contract import Boot, Receipt
from toolkit.sdk import parts, tags
from toolkit.sdk.arrival import Arrival, Incoming, fresh_id
from toolkit.sdk.context import BlockingContext, Context
from toolkit.sdk.failures import CODES, FOR_GOOD, CallFailed, EmitFailed, Refused, described
from toolkit.sdk.handling import Handling, Surroundings
from toolkit.sdk.logs import handled_call
from toolkit.sdk.outcome import settled
from toolkit.sdk.threads import Threads
from toolkit.sdk.tracing import AnySpan

T = TypeVar("T")
Handler = Callable[[Any, Any], Any]

MAX_DETAILS = 4096  # bytes as a trailer says them, percent-encoded; gRPC and proxies allow all trailers together 8 KiB
_log = logging.getLogger(__name__)


class HandlingFailed(Exception):
    """What the sender is told: the name of a gRPC status code, and details.

    `kind` is what such failures are counted by: the code's name again, or that of an exception nobody expected.
    `for_good`: the handler's own mistake, which it would make again if the message came again.
    """

    def __init__(self, code: str, details: str, kind: str | None = None, *, for_good: bool = False) -> None:
        super().__init__(f"{code}: {details}")
        self.code, self.details, self.kind, self.for_good = code, details, kind or code, for_good


class Collector(Protocol):
    """Takes receipts; `Receipts` is the real one."""

    async def write(self, receipt: Receipt) -> None: ...


class Function:
    """One replica of a function. `around.replica` is drawn by `replica_nonce`."""

    def __init__(self, handler: Handler, around: Surroundings, receipts: Collector) -> None:
        self.around, self.wiring = around, around.wiring
        self._receipts = receipts
        self._handler = handler
        self._plain = not inspect.iscoroutinefunction(handler)
        self._threads = Threads() if self._plain else None
        self._busy: set[BlockingContext] = set()  # of plain handlers, in their threads
        self._seq = 0
        self.boot: Boot | None = None  # known once it listens
        self.leaving = False  # the process was told to end, and cancels what takes too long

    async def handle(self, arrival: Arrival, answer: Callable[[Handling, Any], T]) -> T:
        """Runs the handler and makes its value the answer; returns once the receipt is the kernel's.

        Raises HandlingFailed, whose receipt is written too.
        """
        seq, self._seq = self._seq, self._seq + 1
        handled_call.set(arrival.call)
        started = time.time_ns()
        handling = Handling(self.around, arrival, self._start(arrival, cold=seq == 0))
        failure: HandlingFailed | None = None
        try:
            memory = self.around.memory
            value = await (self._run(handling) if memory is None else memory.handle(handling, self._run))
            reply = answer(handling, value)
        except asyncio.CancelledError:
            failure = self._gone(arrival)
            raise
        except (Exception, SystemExit) as error:
            failure = _failure(error)  # the boundary: a handler's failure is one answer, never the end of the process
        except BaseException as error:  # this does end the process, and the receipt must not call it a success
            failure = HandlingFailed("ABORTED", type(error).__name__)
            raise
        finally:
            await self._finish(handling, seq, started, failure)
        if failure is not None:
            raise failure
        return reply

    @property
    def stuck(self) -> int:
        """How many plain handlers still run: their threads cannot be ended, and Python would wait for them."""
        return len(self._busy)

    def close(self) -> None:
        if self._threads is not None:
            self._threads.close()

    def _start(self, arrival: Arrival, *, cold: bool) -> AnySpan:
        tracing = self.around.tracing
        if arrival.via == "event":
            span = tracing.start("CONSUMER", arrival.type or "", arrival.position)
        else:
            span = tracing.start("SERVER", arrival.method or "", arrival.position)
        if span.recorded:
            span.tags = tags.of_arrival(arrival, cold=cold)
        tracing.enter(span)
        return span

    async def _run(self, handling: Handling) -> Any:
        if self.wiring.takes:
            handling.arrival.request = await handling.whole(handling.arrival.request)
        request = handling.arrival.request
        if self._threads is None:
            value = await self._handler(Context(handling), request)
        else:
            loop = asyncio.get_running_loop()
            value = await self._in_thread(self._threads, BlockingContext(handling, loop, self._threads), request)
        if isinstance(request, Incoming):
            await request.drain()
        return await settled(handling, value)

    async def _in_thread(self, threads: Threads, context: BlockingContext, request: Any) -> Any:
        copied = contextvars.copy_context()
        return await threads.run(functools.partial(copied.run, self._blocking, context, request), context._end)

    def _blocking(self, context: BlockingContext, request: Any) -> Any:
        if context._ended:  # before its thread began
            return None
        self._busy.add(context)
        try:
            return self._handler(context, request)
        finally:
            self._busy.discard(context)

    def _gone(self, arrival: Arrival) -> HandlingFailed:
        """Why the handling of a message was cancelled."""
        if arrival.overdue:
            return HandlingFailed("DEADLINE_EXCEEDED", "the sender waited no longer")
        return HandlingFailed("CANCELLED", "the function was told to end" if self.leaving else "the sender went away")

    async def _finish(self, handling: Handling, seq: int, started: int, failure: HandlingFailed | None) -> None:
        arrival, span, wiring = handling.arrival, handling.span, self.wiring
        received, answer = arrival.received, handling.answer if failure is None else None
        if span.recorded:
            tags.handled(span.tags, arrival, answer, failure.code if failure else "OK")
            if handling.joined:
                span.tags[tags.JOINED] = len(handling.joined) + 1
            if handling.task is not None:
                span.tags[tags.TASK] = handling.task.depth
            if failure is not None:
                span.fail(str(failure), failure.kind)
            span.end()
        await self._receipts.write(
            Receipt(
                call=arrival.call,
                function=wiring.function,
                replica=self.around.replica,
                seq=seq,
                message=arrival.message,
                via=arrival.via,
                sender=arrival.sender,
                digest=received.digest,
                size=received.size,
                started_ns=started,
                ended_ns=time.time_ns(),
                cold=seq == 0,
                type=arrival.type,
                sent=handling.sent,
                error=str(failure) if failure else None,
                reply=None if answer is None else contract.digest(answer),
                reply_size=None if answer is None else len(answer),
                boot=self.boot if seq == 0 else None,
                answer=handling.said if failure is None else None,
                joined=handling.joined,
                part=_part(arrival),
                waits=handling.waits,
            )
        )


def _part(arrival: Arrival) -> str | None:
    found = parts.read(arrival.headers) if arrival.via == "event" else ()
    return str(found[0]) if found else None


def replica_nonce() -> str:
    """Names one process, so that a function that was restarted is told from the one before."""
    return fresh_id()[:16]


def bounded(details: str, most: int = MAX_DETAILS) -> str:
    """As much of `details` as takes up to `most` bytes in a gRPC trailer, which percent-encodes all but plain ASCII."""
    details = details.encode("utf-8", "backslashreplace").decode()  # half a surrogate pair cannot be said at all
    if len(details) * 12 <= most:  # a character is at most four bytes, and each of them three
        return details
    room = most
    for at, character in enumerate(details):
        room -= 1 if " " <= character <= "~" and character != "%" else 3 * len(character.encode())
        if room < 0:
            return details[:at]
    return details


def _failure(error: BaseException) -> HandlingFailed:
    code, details = "INTERNAL", described(error)
    if isinstance(error, CallFailed):
        code, details = error.code, str(error)
    elif isinstance(error, Refused):
        code, details = error.code, error.details
    elif isinstance(error, EmitFailed):
        gone = error.status is None or error.status >= 500 or error.status in (408, 429)
        code, details = "UNAVAILABLE" if gone else "INTERNAL", str(error)
    known = isinstance(error, (CallFailed, Refused, EmitFailed))
    _log.log(logging.WARNING if known else logging.ERROR, "%s: %s", code, details, exc_info=None if known else error)
    kind = None if known else type(error).__name__
    code = code if code in CODES else "UNKNOWN"
    return HandlingFailed(code, bounded(details), kind, for_good=isinstance(error, FOR_GOOD))
