"""Takes generators that run elsewhere: they connect, each is given its share of a load, and tells what became of it.

May live here: the listener, and one load's way through it. May not: how generators come to run (an engine's business),
what they say (`load.wire`), what their shares add up to (`load.merging`).
Calls are kept as the lines that they came in until the load is over, so that whoever sends from the same machine is
not held up.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from toolkit.engines.waiting import until
from toolkit.errors import EngineError
from toolkit.load import clocks, share, telling, wire
from toolkit.load.clocks import Asked, Offset
from toolkit.load.identity import Known
from toolkit.load.merging import Part
from toolkit.load.wire import Done, Hello, Message
from toolkit.load.worker import kernel
from toolkit.results import CallRecord, Progress
from toolkit.traces.model import Span

QUESTIONS = 20  # for the time
ANSWER_WITHIN_S = 5.0
READY_WITHIN_S = 15.0  # to dial the target
SILENT_S = 15.0  # a generator tells something ten times a second
STOPPED_WITHIN_S = 5.0  # to tell the rest, once it was stopped
AHEAD_NS = 200_000_000  # so much before its beginning a load's start is told
LOOK_S = 0.05


@dataclass(slots=True)
class Generator:
    """One that has come. `lost_ns` is when it was gone before it had told of everything."""

    index: int
    kernel: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    offset: Offset = field(default_factory=Offset)
    ready: bool = False
    scheduling: str = ""  # how its kernel gives it a processor
    progress: Progress | None = None
    lines: list[bytes] = field(default_factory=list)  # that tell of calls
    done: Done | None = None
    lost_ns: int | None = None
    heard_at: float = 0.0
    hearing: asyncio.Task[None] | None = None
    answers: asyncio.Queue[tuple[int, int]] = field(default_factory=asyncio.Queue)

    @property
    def over(self) -> bool:
        return self.done is not None or self.lost_ns is not None

    def ended(self, order: wire.Order) -> tuple[list[CallRecord], list[Span]]:
        """The calls that it told of, on its own clock, and their root spans. Raises ValueError."""
        calls: list[CallRecord] = []
        roots: list[Span] = []
        known = Known(order.run, order.load, order.share)
        for line in self.lines:
            for each in telling.unpacked(wire.message(line)):
                who = known[each.seq]
                calls.append(telling.record(each, who))
                if (root := telling.root(each, who, order.entry)) is not None:
                    roots.append(root)
        return calls, roots

    async def hear(self) -> None:
        """Until the connection ends."""
        with contextlib.suppress(OSError, ValueError):  # a line that is too long, or no message: it is not heard on
            async for line in self.reader:
                at_ns, self.heard_at = time.monotonic_ns(), time.monotonic()
                if line.startswith(wire.ENDED):
                    self.lines.append(line)
                else:
                    self._heed(wire.message(line), at_ns)
        if self.done is None:
            self.lost_ns = time.monotonic_ns()
        self.writer.close()

    def _heed(self, said: Message, at_ns: int) -> None:
        if isinstance(said.get("mine"), int):
            self.answers.put_nowait((said["mine"], at_ns))
        if "ready" in said:
            self.ready, self.scheduling = True, str(said.get("scheduling", ""))
        if said.get("progress") is not None:
            self.progress = wire.progress_of(said["progress"])
        if "done" in said:
            self.done = wire.done_of(said["done"])

    async def ask_for_its_clock(self) -> Offset:
        """Raises TimeoutError when it does not answer."""
        asked = []
        async with asyncio.timeout(ANSWER_WITHIN_S):
            for _ in range(QUESTIONS):
                before_ns = time.monotonic_ns()
                self.writer.write(wire.line(clock=before_ns))
                theirs_ns, after_ns = await self.answers.get()
                asked.append(Asked(before_ns, theirs_ns, after_ns))
        return clocks.offset(asked, same_kernel=bool(self.kernel) and self.kernel == kernel())


class Generators:
    """A TCP server on `host` that takes `count` generators, each once, by the token that they were given."""

    def __init__(self, host: str, count: int) -> None:
        self._host, self.count = host, count
        self.token = secrets.token_hex(16)
        self.came: dict[int, Generator] = {}
        self.refused = ""  # why the last one that came was not taken
        self._server: asyncio.Server | None = None
        self._welcoming: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Generators:
        try:
            self._server = await asyncio.start_server(self._connected, self._host, 0, limit=wire.MAX_LINE)
        except OSError as error:
            raise EngineError(
                f"generators cannot be heard at {self._host}: {error.strerror or error}",
                next_step="name an address of this machine, one that pods reach, with --advertise HOST",
            ) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        tasks = [*self._welcoming, *(each.hearing for each in self.came.values() if each.hearing is not None)]
        for each in self.came.values():
            each.writer.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, as generators are told."""
        if self._server is None:
            raise RuntimeError("the generators' server is used before it was entered")
        host, port = self._server.sockets[0].getsockname()[:2]
        return str(host), int(port)

    @property
    def all_here(self) -> bool:
        return len(self.came) == self.count

    @property
    def lost(self) -> Sequence[Generator]:
        return [each for each in self.all if each.lost_ns is not None]

    @property
    def all(self) -> Sequence[Generator]:
        """Those that came, in their order."""
        return [self.came[index] for index in sorted(self.came)]

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._welcoming.add(task)
            task.add_done_callback(self._welcoming.discard)
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                hello = self._known(await reader.readline())
        except (TimeoutError, OSError, ValueError) as error:
            self.refused = str(error)
            writer.close()
            return
        found = Generator(hello.index, hello.kernel, reader, writer, heard_at=time.monotonic())
        found.hearing = asyncio.create_task(found.hear())
        try:
            found.offset = await found.ask_for_its_clock()
        except (TimeoutError, OSError):
            found.writer.close()
            return
        self.came[hello.index] = found

    def _known(self, line: bytes) -> Hello:
        """Raises ValueError for whoever was not sent for."""
        hello = wire.hello_of(wire.message(line).get("hello"))
        if not hmac.compare_digest(hello.token.encode(), self.token.encode()):
            raise ValueError("somebody without the token of this run came")
        if hello.version != wire.VERSION:
            raise ValueError(f"a generator came that speaks version {hello.version}, and {wire.VERSION} is spoken here")
        if not 0 <= hello.index < self.count or hello.index in self.came:
            raise ValueError(f"generator {hello.index} was not sent for, or came twice")
        return hello

    async def get_ready(self, order: wire.Order, stop: asyncio.Event) -> bool:
        """Gives each its share. Whether all have dialled their target in time, are still there and wanted."""
        for each in self.all:
            each.writer.write(wire.order_line(_share_of(order, each.index, self.count)))

        async def settled() -> bool:
            return stop.is_set() or all(each.ready or each.lost_ns is not None for each in self.all)

        return await until(settled, within_s=READY_WITHIN_S + order.healthy_s) and not self.lost and not stop.is_set()

    async def load(self, stop: asyncio.Event, on_progress: Callable[[Progress], None] | None) -> tuple[int, int | None]:
        """Lets all begin at one moment, and returns when each is done or lost: the moment, and that of a stop."""
        start_ns, stopped_ns = time.monotonic_ns() + AHEAD_NS, None
        for each in self.all:
            each.writer.write(wire.line(start=each.offset.theirs(start_ns)))
            each.heard_at = time.monotonic()  # who was ready early had nothing to tell
        while not all(each.over for each in self.all):
            if stop.is_set() and stopped_ns is None:
                stopped_ns = time.monotonic_ns()
                for each in self.all:
                    each.writer.write(wire.line(stop=True))
            for each in self._silent(stopped_ns):
                each.writer.transport.abort()
            await asyncio.sleep(LOOK_S)
            if on_progress is not None and (told := [each.progress for each in self.all if each.progress is not None]):
                on_progress(share.together(told))
        return start_ns, stopped_ns

    def _silent(self, stopped_ns: int | None) -> Iterator[Generator]:
        """Those that will not tell anything any more."""
        now = time.monotonic()
        too_late = stopped_ns is not None and now - stopped_ns / 1e9 > STOPPED_WITHIN_S
        for each in self.all:
            if not each.over and (too_late or now - each.heard_at > SILENT_S):
                yield each

    async def ask_for_clocks_again(self) -> None:
        """How far their clocks went from ours meanwhile."""
        for each in self.all:
            with contextlib.suppress(TimeoutError, OSError):
                if each.lost_ns is None:
                    each.offset = clocks.drifted(each.offset, await each.ask_for_its_clock())

    def part(self, each: Generator, order: wire.Order, why: str) -> tuple[Part, Sequence[Span]]:
        """What came of one generator's share; `why` is what ended it, if it was lost."""
        try:
            calls, roots = each.ended(_share_of(order, each.index, self.count))
        except ValueError as error:
            calls, roots, why = [], [], f"what it told cannot be read: {error}"
            each.lost_ns = each.lost_ns or time.monotonic_ns()
        sent = max(len(calls), each.progress.sent if each.progress is not None else 0)
        return Part(share.Share(each.index, self.count), calls, each.offset, sent, each.lost_ns, why), roots


def _share_of(order: wire.Order, index: int, of: int) -> wire.Order:
    return replace(order, share=share.Share(index, of))
