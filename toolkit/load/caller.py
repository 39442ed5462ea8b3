"""The caller: one side of every call, its ids, its record and the root span of its trace.

May live here: what is known and kept of single calls. May not: when they are due (`pacing`, `generator`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import grpc

from toolkit import contract
from toolkit.load import greeting
from toolkit.load.identity import Identity
from toolkit.results import CallRecord, Load, Progress
from toolkit.traces.model import Span

if TYPE_CHECKING:
    Send = grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]
    Call = grpc.aio.UnaryUnaryCall[bytes, bytes]

SECOND = 1_000_000_000
LOOK_S = 0.1  # how fast a stop is noticed while answers are waited for
DRAIN_STOPPED_S = 1.0  # how long answers are waited for once somebody pressed Ctrl-C


@dataclass(frozen=True, slots=True)
class Ready:
    """A call that only has to be sent: its record so far, the id of its root span, and the bytes."""

    record: CallRecord
    span: str
    request: bytes


@dataclass(frozen=True, slots=True)
class _Sent:
    """A call on its way: its record so far, the id of its root span, and when it left on the wall clock."""

    record: CallRecord
    span: str
    wall_ns: int


class Caller:
    """Whoever sends calls into the entry: draws ids, keeps records, and makes the root span of sampled calls.

    `planned` is how many calls there will be, `sent` and `ok` how many there were; None, when only time ends the load.
    `started_ns` is when the load began. What ends is added to `records` and `spans` at once.
    """

    def __init__(
        self,
        send: Send,
        load: Load,
        identities: Iterator[Identity],
        chain: str,
        entry: str,
        records: list[CallRecord],
        spans: list[Span],
        most_in_flight: int,
    ) -> None:
        self._send, self._load, self._chain, self._entry = send, load, chain, entry
        self._identities, self._records, self._spans, self._most = identities, records, spans, most_in_flight
        self._flying: set[asyncio.Task[None]] = set()
        self.started_ns = time.monotonic_ns()
        self.planned: int | None = None
        self.sent = self.ok = 0

    def prepare(self, due_ns: int | None = None) -> Ready:
        """The next call, due at `due_ns` of the monotonic clock; None: now."""
        who = next(self._identities)
        now_ns = time.monotonic_ns()
        due_ns = now_ns if due_ns is None else due_ns
        request = greeting.request(self._chain, who.call, str(who.seq), time.time_ns() + due_ns - now_ns)
        digest, size = contract.digest(request), len(request)
        record = CallRecord(
            who.seq, who.call, who.trace, who.sampled, due_ns, due_ns, None, None, size=size, digest=digest
        )
        return Ready(record, who.span, request)

    def send(self, ready: Ready) -> asyncio.Task[None]:
        """Sends the call now; the task ends when it is on the record. A call without a due time was due now."""
        sent_ns, record = time.monotonic_ns(), ready.record
        due_ns = record.due_ns if self._load.model == "open" else sent_ns
        sent = _Sent(replace(record, due_ns=due_ns, sent_ns=sent_ns), ready.span, time.time_ns())
        self.sent += 1
        if len(self._flying) >= self._most:
            task = asyncio.create_task(self._refuse(sent))
        else:
            task = asyncio.create_task(self._answer(sent, self._start(sent.record, ready)))
        self._flying.add(task)
        task.add_done_callback(self._flying.discard)
        return task

    def leave_out(self, ready: Ready, why: str) -> None:
        """Puts the call on the record as one that was never sent."""
        now_ns = time.monotonic_ns()
        self.sent += 1
        self._keep(_Sent(ready.record, ready.span, 0), _refused(replace(ready.record, sent_ns=now_ns), now_ns, why))

    def _start(self, record: CallRecord, ready: Ready) -> Call:
        metadata = (
            ("traceparent", f"00-{record.trace}-{ready.span}-{'01' if record.sampled else '00'}"),
            (contract.SENDER_KEY, contract.CALLER),
            (contract.MESSAGE_KEY, record.call),
        )
        return self._send(ready.request, timeout=self._load.timeout_s, metadata=metadata)

    async def _answer(self, sent: _Sent, call: Call) -> None:
        try:
            data = await call
        except asyncio.CancelledError:  # the drain gave up: the call is lost
            self._keep(sent, sent.record)
        except grpc.aio.AioRpcError as error:
            self._end(sent, error.code().name, error=error.details() or "")
        except Exception as error:  # whatever it is, it is what became of this call, and the record has to say it
            self._end(sent, "UNKNOWN", error=f"{type(error).__name__}: {error}")
        else:
            self._end(sent, "OK", reply=greeting.reply(data), reply_digest=contract.digest(data))

    async def _refuse(self, sent: _Sent) -> None:
        why = f"the generator did not send it: {self._most} calls are in flight"
        self._keep(sent, _refused(sent.record, time.monotonic_ns(), why))

    def _end(self, sent: _Sent, status: str, **more: Any) -> None:
        """`more` are fields of the record."""
        done_ns = time.monotonic_ns()
        self.ok += status == "OK"
        self._keep(sent, replace(sent.record, done_ns=done_ns, status=status, **more))

    def _keep(self, sent: _Sent, record: CallRecord) -> None:
        self._records.append(record)
        if record.sampled:
            self._spans.append(_root(record, sent, self._entry))

    async def drain(self, stop: asyncio.Event, drain_s: float) -> None:
        """Waits for what is in flight, but only briefly once the load is stopped."""
        await asyncio.sleep(0)  # also the call sent last has to be under way before it can be given up
        end = time.monotonic() + drain_s
        while self._flying and (left := end - time.monotonic()) > 0:
            if stop.is_set():
                await asyncio.wait(set(self._flying), timeout=min(left, DRAIN_STOPPED_S))
                return
            await asyncio.wait(set(self._flying), timeout=min(left, LOOK_S))

    async def give_up(self) -> None:
        """Whatever is still unanswered is lost."""
        lost = set(self._flying)
        for task in lost:
            task.cancel()
        if lost:
            await asyncio.wait(lost)

    def records(self) -> list[CallRecord]:
        return sorted(self._records, key=lambda record: record.seq)

    def progress(self) -> Progress:
        done = len(self._records)
        elapsed_s = max(0.0, (time.monotonic_ns() - self.started_ns) / SECOND)
        return Progress(self.planned, self.sent, self.ok, done - self.ok, self.sent - done, elapsed_s)


def _refused(record: CallRecord, now_ns: int, why: str) -> CallRecord:
    """Nobody but us knows of this call: it has a record, and no trace."""
    return replace(record, done_ns=now_ns, status="RESOURCE_EXHAUSTED", error=why, refused=True, sampled=False)


def _root(record: CallRecord, sent: _Sent, entry: str) -> Span:
    """The root of the call's trace: what the caller saw of it."""
    tags = {"toolkit.call": record.call, "toolkit.message": record.call}
    if not record.ok:
        tags["error"] = record.error or record.status or "never answered"
        tags["grpc.status"] = record.status or "LOST"
    ended_ns = record.done_ns or time.monotonic_ns()
    return Span(
        trace=record.trace,
        id=sent.span,
        name=contract.ENTRY_METHOD.lower(),  # as Zipkin stores it
        service=contract.CALLER,
        kind="CLIENT",
        timestamp=sent.wall_ns // 1000,
        duration=max(1, (ended_ns - record.sent_ns) // 1000),
        remote=entry.lower(),
        tags=tags,
    )
