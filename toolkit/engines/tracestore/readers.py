"""Threads that read the store, so that neither a search stops the event loop nor the writing thread.

May live here: which thread asks, and its connection to the database.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from toolkit.engines.tracestore.database import Database
from toolkit.engines.tracestore.reading import Reader

THREADS = 2  # a long search leaves one for the others

T = TypeVar("T")


class Readers:
    """Each thread has a reader of its own."""

    def __init__(self, database: Database) -> None:
        self._database, self._own = database, threading.local()
        self._made: list[Reader] = []
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="trace store reader")

    async def ask(self, question: Callable[[Reader], T]) -> T:
        """What `question` answers in one of the threads. Raises EngineError when the database cannot be read."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._answer, question)

    def _answer(self, question: Callable[[Reader], T]) -> T:
        if (reader := getattr(self._own, "reader", None)) is None:
            reader = self._own.reader = self._database.reader()
            self._made.append(reader)
        return question(reader)

    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown)
        for reader in self._made:
            reader.close()
