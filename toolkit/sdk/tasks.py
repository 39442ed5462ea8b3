"""Tasks and joins around a handler: whether it has to run, with what, and what the ledger is told afterwards.

May live here: the order in which ledger, handler and events follow each other. May not: what is remembered
(`toolkit.sdk.ledger`), and how an event leaves (`toolkit.sdk.handling`).

The ledger hears of a task before its event leaves, so none is done that it does not know. Outside a task the events
leave only once the handler is through: the first task cannot be the last one while others are still being spawned. A
handling that is repeated spawns the same ids; their events leave again, and are acknowledged where the task was done.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolkit import contract
from toolkit.contract import Outgoing, Wiring
from toolkit.sdk import parts
from toolkit.sdk.failures import FOR_GOOD, NoSuchEdge, Refused, described
from toolkit.sdk.ledger import Begun, Ending, LedgerClient, Part, Seat
from toolkit.sdk.ledger.words import State
from toolkit.sdk.message import Message

if TYPE_CHECKING:
    from toolkit.sdk.handling import Handling

PASSING = ("UNAVAILABLE", "ABORTED", "RESOURCE_EXHAUSTED")  # a refusal with another code is a task's last word

LAST_WORD_S = 5.0  # for what has to be said of a handling that was cut off
_log = logging.getLogger(__name__)

Run = Callable[["Handling"], Awaitable[Any]]
Leaving = tuple[Message, str, str, Mapping[str, str]]  # what, its type, its id, extensions


@dataclass(frozen=True, slots=True)
class Task:
    """What a handler knows of the task that it does: `depth` counts the tasks above it, `attempt` from 1 on.

    `parent` is the task that spawned it, or the message that did.
    """

    id: str
    parent: str
    depth: int
    attempt: int


class Memory:
    """What one replica of a function has of the ledger."""

    def __init__(self, ledger: LedgerClient) -> None:
        self.ledger = ledger
        self._begun = 0
        self._saying: set[asyncio.Task[None]] = set()

    async def handle(self, handling: Handling, run: Run) -> Any:
        """What `run` gives back, if it has to run at all. Raises what it raises, and LedgerFailed."""
        if handling.wiring.join is not None:
            return await self._join(handling, run)
        request = handling.arrival.request
        if isinstance(request, Message) and contract.TASK_EXTENSION in request.extensions:
            begun = await self._begin(handling)
            if begun.state is not None:
                return await self._task(handling, run, begun)
        return await self._plain(handling, run)

    async def close(self) -> None:
        if self._saying:
            await asyncio.wait(self._saying, timeout=LAST_WORD_S)
        await self.ledger.close()

    async def _plain(self, handling: Handling, run: Run) -> Any:
        """Of what is no task: the tasks that it spawned begin once it is through, and were never there if it fails."""
        try:
            value = await run(handling)
            await _release(handling)
        except BaseException:
            if handling.leaving:
                unborn = [identity for _, _, identity, _ in handling.leaving]
                await self._say(self.ledger.withdraw(handling.arrival.call, unborn))
            raise
        return value

    async def _say(self, word: Coroutine[Any, Any, None]) -> None:
        """Though the handling is over, and perhaps cancelled again meanwhile. Waits for up to `LAST_WORD_S`."""
        saying = asyncio.ensure_future(word)
        self._saying.add(saying)
        saying.add_done_callback(self._said)
        await asyncio.wait([saying], timeout=LAST_WORD_S)

    def _said(self, saying: asyncio.Task[None]) -> None:
        self._saying.discard(saying)
        if not saying.cancelled() and (error := saying.exception()) is not None:
            _log.warning("the ledger could not be told how a handling ended: %s", error)

    # --- tasks --------------------------------------------------------------------------------------------------------

    async def spawn(self, handling: Handling, value: Any, to: str | None, key: str | None) -> str:
        """The new task's id. Raises LedgerFailed beyond the edge's bound, NoSuchEdge, and TypeError."""
        edge, function, message = _edge(handling.wiring, to), handling.wiring.function, Message.of(value)
        parent, task = handling.arrival.message, handling.task
        if key is None:
            name, handling.positions = f"{handling.positions}", handling.positions + 1
        else:
            name = f"key/{key}"
        identity = contract.child_id(parent, f"{function}/task/{edge.to}/{name}", 0)
        if identity in handling.spawned:
            return identity
        depth = 0 if task is None else task.depth + 1
        state = await self.ledger.spawn(
            call=handling.arrival.call,
            task=identity,
            parent=parent,
            function=function,
            to=edge.to,
            depth=depth,
            most=edge.tasks or 0,
        )
        if identity not in handling.spawned:  # by somebody else meanwhile
            handling.spawned.add(identity)  # which holds only what the ledger agreed to
            said = {contract.TASK_EXTENSION: parent, contract.DEPTH_EXTENSION: str(depth)}
            await _leave(handling, state, (message, edge.type or "", identity, said))
        return identity

    async def results(self, handling: Handling) -> list[tuple[str, Message]]:
        found = await self.ledger.results(handling.arrival.call)
        return [(task, Message(data, kind)) for task, kind, data in found]

    async def _begin(self, handling: Handling) -> Begun:
        self._begun += 1
        arrival = handling.arrival
        attempt = f"{handling.replica}/{self._begun}"
        return await self.ledger.begin(arrival.call, arrival.message, handling.wiring.function, attempt)

    async def _task(self, handling: Handling, run: Run, begun: Begun) -> None:
        call, task = handling.arrival.call, handling.arrival.message
        if begun.state != "running":
            handling.waits = True
            await self._tell(handling, begun.ending)
            return
        handling.task = Task(task, begun.parent, begun.depth, begun.attempt)
        try:
            value = await run(handling)
            result = None if value is None else Message.of(value)
            kind, data = (None, None) if result is None else (result.content_type, result.data)
            ended = await self.ledger.finish(call, task, kind, data)
        except asyncio.CancelledError:
            if _is_last(handling, None, begun.attempt):
                await self._say(self._failed(handling, "it was cut off in its last attempt"))
            raise
        except (Exception, SystemExit) as error:
            if _is_last(handling, error, begun.attempt):
                await self._failed(handling, described(error))
            raise
        await self._tell(handling, ended.ending)

    async def _failed(self, handling: Handling, why: str) -> None:
        ended = await self.ledger.fail(handling.arrival.call, handling.arrival.message, why)
        await self._tell(handling, ended.ending)

    async def _tell(self, handling: Handling, ending: Ending | None) -> None:
        """The one event that says that all tasks of the call are done, if that is this handling's to say."""
        if ending is None:
            return
        call, data = handling.arrival.call, {"tasks": ending.tasks, "failed": ending.failed}
        if ending.cancelled:
            data["cancelled"] = ending.cancelled
        for index, kind in enumerate(_done_types(handling.wiring)):
            await handling.post(Message.of(data), kind, contract.child_id(call, "done", index), {})
        await self.ledger.told(call)

    # --- joins --------------------------------------------------------------------------------------------------------

    async def _join(self, handling: Handling, run: Run) -> Any:
        """Runs with all parts once this message completes them, and else not."""
        call, function, message = handling.arrival.call, handling.wiring.function, handling.arrival.message
        own = _part(message, handling.arrival.sender, handling.arrival.request)
        found = await self.ledger.join(call, function, _seat(handling, own), own)
        if found is None:
            handling.waits = True
            return None
        handling.joined = tuple(part.message for part in found if part.message != message)
        stacks = [parts.read(part.extensions) for part in found]
        handling.parts = parts.shared(stacks) if handling.wiring.join else stacks[0][1:]
        handling.arrival.request = [
            Message(part.data, part.content_type, part.type, part.source, part.message, part.extensions)
            for part in found
        ]
        value = await self._plain(handling, run)
        await self.ledger.joined(call, function, message)
        return value


def _edge(wiring: Wiring, name: str | None) -> Outgoing:
    """The edge of tasks to the function `name`, or the only one there is; raises NoSuchEdge."""
    tasks = [edge for edge in wiring.outgoing if edge.tasks is not None]
    found = [edge for edge in tasks if name in (None, edge.to, edge.alias)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(edge.alias or edge.to for edge in tasks) or "none"
    wrong = f"not to {name!r}" if name else "say which with to=" if tasks else "give an edge of its chain `tasks:`"
    raise NoSuchEdge(f"{wiring.function} has edges of tasks to: {known}; {wrong}")


def _done_types(wiring: Wiring) -> list[str]:
    """The types of the events that say that all tasks of a call are done, each once."""
    return list(dict.fromkeys(edge.type or "" for edge in wiring.outgoing if edge.done))


async def _leave(handling: Handling, state: State, leaving: Leaving) -> None:
    """What the ledger knows of: at once from inside a task, else once the handler is through."""
    if state == "cancelled":
        return
    if handling.task is None:
        handling.leaving.append(leaving)
        return
    try:
        await handling.post(*leaving)
    except BaseException:
        handling.spawned.discard(leaving[2])  # spawned again, it leaves again
        raise


async def _release(handling: Handling) -> None:
    """The tasks that were spawned outside a task begin."""
    while handling.leaving:
        await handling.post(*handling.leaving[0])
        del handling.leaving[0]


def _is_last(handling: Handling, error: BaseException | None, attempt: int) -> bool:
    """Whether nobody is going to try this task again: the broker's attempts are over, or it was refused for good."""
    if isinstance(error, FOR_GOOD) or (isinstance(error, Refused) and error.code not in PASSING):
        return True
    return handling.wiring.attempts is not None and attempt >= handling.wiring.attempts


def _seat(handling: Handling, part: Part) -> Seat:
    """Where it belongs. Raises Refused where only the message could say so, and does not."""
    wiring = handling.wiring
    if not wiring.join:
        return _scattered(wiring.function, parts.read(part.extensions))
    if not wiring.slots:
        return Seat(wiring.join, room=wiring.join)
    edge = f"{part.source} {part.type}"
    if edge not in wiring.slots:
        raise Refused("INVALID_ARGUMENT", f"{wiring.function} joins no events of type {part.type} from {part.source}")
    return Seat(wiring.join, slot=edge, room=wiring.slots[edge])


def _scattered(function: str, stack: parts.Stack) -> Seat:
    if not stack or not stack[0].scatter or stack[0].index >= stack[0].total:
        raise Refused(
            "INVALID_ARGUMENT",
            f"{function} joins as many parts as were scattered (`join: parts`), and this event does not say how many, "
            f"of which scatter, and which it is: {stack[0] if stack else 'it is no part'}",
        )
    place = stack[0]
    return Seat(place.total, place.scatter, f"part {place.index}", once=True)


def _part(message: str, sender: str, request: Message) -> Part:
    stack = parts.read(request.extensions)
    index = stack[0].index if stack else None
    return Part(message, sender, index, request.data, request.content_type, request.type, request.extensions)
