"""Many requests, few commits: spans that come while one commit is under way go into the next together.

May live here: the thread that keeps, and who waits for it. A request is answered when its spans are committed.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Sequence
from itertools import chain

from toolkit.engines.tracestore.normal import Stored, text
from toolkit.engines.tracestore.store import Store

MOST_SPANS = 20_000  # in one commit, unless one request brings more
MOST_BYTES = 16 << 20  # of span text in one commit, unless one request brings more
_LOOKS_EVERY_S = 1.0  # for traces that have become too old

_Waiting = tuple[Sequence[Stored], int | None, asyncio.Future[None]]  # spans, their bytes, and who is to be told


class Committer:
    """A thread that stores what it is given; begun at once, ended by `close`."""

    def __init__(self, store: Store) -> None:
        self._store, self._loop = store, asyncio.get_running_loop()
        self._waiting: list[_Waiting] = []
        self.taken = 0  # spans that were committed, repetitions too
        self._changed = threading.Condition()
        self._ends = False
        self._thread = threading.Thread(target=self._run, name="trace store", daemon=True)
        self._thread.start()

    async def keep(self, spans: Sequence[Stored], size: int | None = None) -> None:
        """Returns when these spans are committed. Raises EngineError when they cannot be, and then none of them is.

        `size` is about how many bytes they have: those of the body that brought them will do. None: it is looked at.
        """
        if not spans:
            return
        done = self._loop.create_future()
        with self._changed:
            self._waiting.append((spans, size, done))
            self._changed.notify()
        await done
        self.taken += len(spans)

    async def close(self) -> None:
        """Store what waits, and end."""
        with self._changed:
            self._ends = True
            self._changed.notify()
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while (some := self._next()) is not None:
            for piece in _pieces(some):
                self._commit(piece)
            if not some:
                self._store.forget()
            self._store.settle()

    def _next(self) -> list[_Waiting] | None:
        """What goes into the next commit: nothing when only time has passed, None at the end."""
        with self._changed:
            if not self._waiting and not self._ends:
                self._changed.wait(_LOOKS_EVERY_S)
            if not self._waiting:
                return None if self._ends else []
            taken = count = 0
            for spans, _, _ in self._waiting:
                if taken and count + len(spans) > MOST_SPANS:
                    break
                taken, count = taken + 1, count + len(spans)
            some, self._waiting = self._waiting[:taken], self._waiting[taken:]
            return some

    def _commit(self, some: Sequence[_Waiting]) -> None:
        problem = self._kept(some)
        if problem is not None and len(some) > 1:  # one of them may be why: the others are not refused for it
            for each in some:
                self._answer([each], self._kept([each]))
        else:
            self._answer(some, problem)

    def _kept(self, some: Sequence[_Waiting]) -> Exception | None:
        """Why these are not committed, all of them together; None when they are."""
        try:
            self._store.keep(chain.from_iterable(spans for spans, _, _ in some))
        except Exception as error:  # the boundary of a thread: whoever waits is told, of a full disk as of our bug
            return error
        self._store.forget()
        return None

    def _answer(self, some: Sequence[_Waiting], problem: Exception | None) -> None:
        waiting = [done for _, _, done in some]
        with contextlib.suppress(RuntimeError):  # nobody waits any more: the loop is closed
            self._loop.call_soon_threadsafe(_tell, waiting, problem)


def _pieces(some: Sequence[_Waiting]) -> Iterator[list[_Waiting]]:
    """The same, no more bytes together than one commit may have."""
    piece: list[_Waiting] = []
    size = 0
    for each in some:
        length = _size(each) if len(some) > 1 else 0
        if piece and size + length > MOST_BYTES:
            yield piece
            piece, size = [], 0
        piece.append(each)
        size += length
    if piece:
        yield piece


def _size(waiting: _Waiting) -> int:
    spans, size, _ = waiting
    return sum(len(text(each)) for each in spans) if size is None else size


def _tell(waiting: Sequence[asyncio.Future[None]], problem: Exception | None) -> None:
    for done in waiting:
        if done.done():  # whoever asked has left
            continue
        if problem is None:
            done.set_result(None)
        else:
            done.set_exception(problem)
