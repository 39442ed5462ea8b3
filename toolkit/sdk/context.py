"""`Context`: all that a handler sees of the world. A handler reads no environment, opens no channel, starts no span.

May live here: what users call, with its documentation. May not: how it is done (`toolkit.sdk.handling`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from toolkit import contract
from toolkit.contract import Scalar
from toolkit.sdk.threads import Threads, soon

if TYPE_CHECKING:
    from toolkit.sdk.handling import Handling
    from toolkit.sdk.message import Message
    from toolkit.sdk.tasks import Task

T = TypeVar("T")
_log = logging.getLogger("function")


class BaseContext:
    """What `Context` and `BlockingContext` have in common."""

    __slots__ = ("_handling",)

    def __init__(self, handling: Handling) -> None:
        self._handling = handling

    @property
    def function(self) -> str:
        """This function's name."""
        return self._handling.wiring.function

    @property
    def parameters(self) -> Mapping[str, Scalar]:
        """The chain's parameters as the user set them; sizes are bytes, durations seconds."""
        return self._handling.wiring.parameters

    @property
    def call_id(self) -> str:
        """The call into the chain's entry that this message belongs to."""
        return self._handling.arrival.call

    @property
    def message_id(self) -> str:
        """This message; the same again when it is delivered again."""
        return self._handling.arrival.message

    @property
    def sender(self) -> str:
        """The function that sent this message, `caller` at the entry."""
        return self._handling.arrival.sender

    @property
    def method(self) -> str | None:
        """`package.Service/Method` of a call, None for an event."""
        return self._handling.arrival.method

    @property
    def deadline_s(self) -> float | None:
        """Seconds the sender still waits, None when it did not say."""
        return self._handling.arrival.remaining_s()

    @property
    def task(self) -> Task | None:
        """The task that this message is: `id`, `parent`, `depth`, `attempt`. None when it is none."""
        return self._handling.task

    @property
    def log(self) -> logging.Logger:
        """A standard logger; its lines carry the function and the call."""
        return _log

    @property
    def seed(self) -> int:
        """Decides this call's input, together with its size: the run's seed, and a number below 8 of the call's id."""
        return contract.input_seed(self._handling.wiring.seed, self.call_id)

    def payload(self, size: int | None = None) -> bytes:
        """`size` bytes (the parameter `payload` by default) that only the run's seed and the call's id decide."""
        if size is None:
            size = int(self.parameters.get("payload", 0))
        return contract.payload(self._handling.wiring.seed, self.call_id, size)

    def answer(self, value: Any) -> None:
        """The chain's answer, for whoever judges it: text, or what becomes text. The last one of a handling counts.

        Without it the entry's reply is the answer. Raises Unanswerable for what is not UTF-8 or beyond 256 KiB.
        """
        self._handling.tell(value)

    def annotate(self, key: str, value: Scalar) -> None:
        """A tag on this message's span; costs nothing when it is not sampled."""
        self._handling.span.annotate(key, value)


class Context(BaseContext):
    """For `async def` handlers."""

    __slots__ = ()

    async def call(
        self, request: Any, *, to: str | None = None, timeout_s: float | None = None, key: str | None = None
    ) -> Any:
        """Call the next function and return its reply; `to` is needed where there are several call edges.

        `request` is a message of the edge's method, or for a client-streaming one an (asynchronous) iterable of them;
        on generic edges bytes, text, a `Message` or anything JSON can say, and the reply is a `Message`. Waits for a
        function that is just starting. `timeout_s` can only shorten the deadline this message came with (30 s if none).
        Raises CallFailed; if you let it pass, your caller gets its status.

        `key` makes the message's identity, which otherwise is the how-manieth of this handling it is: say one where
        several are sent at once and which comes first depends on what takes how long. Each key once over each edge.
        """
        return await self._handling.call(request, to, timeout_s, key)

    async def emit(
        self,
        data: Any,
        *,
        type: str | None = None,  # noqa: A002 - the event's word
        content_type: str | None = None,
        key: str | None = None,
    ) -> None:
        """Send an event to the broker and return once it took it; `type` is needed where there are several.

        `key` as of `call`. Raises EmitFailed; it is not sent again on its own.
        """
        await self._handling.emit(data, type, content_type, key)

    async def forward(self, message: Any) -> list[Any]:
        """Send `message` over every edge that each handling takes, calls and events, at once; the replies of the calls.

        Edges of a choice, fallbacks and edges with another count than 1 are left out. Raises the first failure after
        all have ended.
        """
        return await self._handling.forward(message)

    async def scatter(
        self,
        items: Iterable[Any],
        *,
        to: str | None = None,
        type: str | None = None,  # noqa: A002 - the event's word
        limit: int | None = None,
    ) -> list[Any]:
        """One message each over one edge, all at once, or `limit` at a time; the replies of calls, in order.

        `to` or `type` is needed where several edges may carry many. Over an event edge each says which part of how
        many it is, for a function that joins them (`join: parts`), and the list is empty. Raises the first failure
        after all have ended, and EdgeTaken, before anything is sent, for more than the edge's `count` allows.
        """
        return await self._handling.scatter(items, to, type, limit)

    async def spawn(self, value: Any, *, to: str | None = None, key: str | None = None) -> str:
        """A task: `value` (anything that can be emitted) for the function at the end of a task edge; the task's id.

        The same `key` (by default: the how-manieth of this handling it is) makes the same task, also when this message
        is handled again. `to` is needed where there are several task edges. Raises Refused (FAILED_PRECONDITION) beyond
        the edge's `tasks`. Outside a task, what was spawned begins once the handler has returned.
        """
        return await self._handling.memory.spawn(self._handling, value, to, key)

    async def results(self) -> list[tuple[str, Message]]:
        """(task, what its handler returned) of all tasks of this call that returned something, as they were spawned."""
        return await self._handling.memory.results(self._handling)

    async def cancel(self) -> None:
        """No task of this call begins any more; what runs may ask `cancelled` and end."""
        await self._handling.memory.ledger.cancel(self.call_id)

    async def cancelled(self) -> bool:
        """Whether somebody cancelled the tasks of this call."""
        return await self._handling.memory.ledger.stopped(self.call_id)


class BlockingContext(BaseContext):
    """For plain `def` handlers, which run in a thread: the same, without `await`."""

    __slots__ = ("_ended", "_loop", "_threads", "_waited", "_waiting")

    def __init__(self, handling: Handling, loop: asyncio.AbstractEventLoop, threads: Threads) -> None:
        super().__init__(handling)
        self._loop, self._threads = loop, threads
        self._waiting = 0  # of its own threads, counted on the loop
        self._waited: set[Future[Any]] = set()  # a handler may have threads of its own
        self._ended = False

    def call(
        self, request: Any, *, to: str | None = None, timeout_s: float | None = None, key: str | None = None
    ) -> Any:
        return self._wait(self._handling.call(request, to, timeout_s, key))

    def emit(
        self,
        data: Any,
        *,
        type: str | None = None,  # noqa: A002 - the event's word
        content_type: str | None = None,
        key: str | None = None,
    ) -> None:
        self._wait(self._handling.emit(data, type, content_type, key))

    def forward(self, message: Any) -> list[Any]:
        return self._wait(self._handling.forward(message))

    def scatter(
        self,
        items: Iterable[Any],
        *,
        to: str | None = None,
        type: str | None = None,  # noqa: A002 - the event's word
        limit: int | None = None,
    ) -> list[Any]:
        values = list(items) if isinstance(items, Iterator) else items  # a generator may block: not on the loop
        return self._wait(self._handling.scatter(values, to, type, limit))

    def spawn(self, value: Any, *, to: str | None = None, key: str | None = None) -> str:
        return self._wait(self._handling.memory.spawn(self._handling, value, to, key))

    def results(self) -> list[tuple[str, Message]]:
        return self._wait(self._handling.memory.results(self._handling))

    def cancel(self) -> None:
        self._wait(self._handling.memory.ledger.cancel(self.call_id))

    def cancelled(self) -> bool:
        return self._wait(self._handling.memory.ledger.stopped(self.call_id))

    def _end(self) -> None:
        """Nobody waits for the handler any longer: what it waits for ends, and nothing that it still sends begins."""
        self._ended = True
        for each in tuple(self._waited):
            each.cancel()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        self._waited.add(future)
        if self._ended:  # asked after the future is where `_end` would have found it
            future.cancel()
        soon(self._loop, self._aside)
        try:
            return future.result()
        finally:
            self._waited.discard(future)
            soon(self._loop, self._back)

    def _aside(self) -> None:
        """On the loop: meanwhile another handler may work."""
        self._waiting += 1
        if self._waiting == 1:
            self._threads.aside()

    def _back(self) -> None:
        self._waiting -= 1
        if self._waiting == 0:
            self._threads.back()
