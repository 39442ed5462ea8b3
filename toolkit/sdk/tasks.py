"""Tasks and joins around a handler: whether it has to run, with what, and what the ledger is told afterwards.

May live here: the order in which ledger, handler and events follow each other. May not: what is remembered
(`toolkit.sdk.ledger`), and how an event leaves (`toolkit.sdk.handling`).

The ledger hears of a task before its event leaves, so none is done that it does not know. Outside a task the events
leave only once the handler is through: the first task cannot be the last one while others are still being spawned. A
handling that is repeated spawns the same ids; their events leave again, and are acknowledged where the task was done.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolkit import contract
from toolkit.contract import Outgoing, Wiring
from toolkit.sdk.failures import FOR_GOOD, NoSuchEdge, Refused, described
from toolkit.sdk.ledger import Begun, Ending, LedgerClient, Part
from toolkit.sdk.message import Message

if TYPE_CHECKING:
    from toolkit.sdk.handling import Handling

PASSING = ("UNAVAILABLE", "ABORTED", "RESOURCE_EXHAUSTED")  # a refusal with another code is a task's last word

Run = Callable[["Handling"], Awaitable[Any]]


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

    async def handle(self, handling: Handling, run: Run) -> Any:
        """What `run` gives back, if it has to run at all. Raises what it raises, and LedgerFailed."""
        if handling.wiring.join is not None:
            return await self._join(handling, run)
        request = handling.arrival.request
        if isinstance(request, Message) and contract.TASK_EXTENSION in request.extensions:
            begun = await self._begin(handling)
            if begun.state is not None:
                return await self._task(handling, run, begun)
        value = await run(handling)
        await _release(handling)
        return value

    async def close(self) -> None:
        await self.ledger.close()

    # --- tasks --------------------------------------------------------------------------------------------------------

    async def spawn(self, handling: Handling, value: Any, to: str | None, key: str | None) -> str:
        """The new task's id. Raises LedgerFailed beyond the edge's bound, NoSuchEdge, and TypeError."""
        edge, function, message = _edge(handling.wiring, to), handling.wiring.function, Message.of(value)
        parent, task = handling.arrival.message, handling.task
        name = f"{len(handling.spawned)}" if key is None else f"key/{key}"
        identity = contract.child_id(parent, f"{function}/task/{edge.to}/{name}", 0)
        if identity in handling.spawned:
            return identity
        handling.spawned.add(identity)
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
        if state != "cancelled":
            said = {contract.TASK_EXTENSION: parent, contract.DEPTH_EXTENSION: str(depth)}
            leaving = (message, edge.type or "", identity, said)
            if task is None:
                handling.leaving.append(leaving)
            else:
                await handling.post(*leaving)
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
        except (Exception, SystemExit) as error:
            if _is_last(handling, error, begun.attempt):
                ended = await self.ledger.fail(call, task, described(error))
                await self._tell(handling, ended.ending)
            raise
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
        parts = await self.ledger.join(call, function, _wanted(handling), own)
        if parts is None:
            handling.waits = True
            return None
        handling.joined = tuple(part.message for part in parts if part.message != message)
        handling.arrival.request = [
            Message(part.data, part.content_type, part.type, part.source, part.message, part.extensions)
            for part in parts
        ]
        value = await run(handling)
        await _release(handling)
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


async def _release(handling: Handling) -> None:
    """The tasks that were spawned outside a task begin."""
    for message, kind, identity, extensions in handling.leaving:
        await handling.post(message, kind, identity, extensions)


def _is_last(handling: Handling, error: BaseException, attempt: int) -> bool:
    """Whether nobody is going to try this task again: the broker's attempts are over, or it was refused for good."""
    if isinstance(error, FOR_GOOD) or (isinstance(error, Refused) and error.code not in PASSING):
        return True
    return handling.wiring.attempts is not None and attempt >= handling.wiring.attempts


def _wanted(handling: Handling) -> int:
    """How many parts the join waits for. Raises Refused where only the message could say so, and does not."""
    if handling.wiring.join:
        return handling.wiring.join
    text = handling.arrival.request.extensions.get(contract.PARTS_EXTENSION, "")
    if not text.isdecimal() or len(text) > 9:
        raise Refused(
            "INVALID_ARGUMENT",
            f"{handling.wiring.function} joins as many parts as were scattered (`join: parts`), and this event does "
            f"not say how many: its {contract.PARTS_EXTENSION} is {text!r}",
        )
    return int(text)


def _part(message: str, sender: str, request: Message) -> Part:
    index = request.extensions.get(contract.PART_EXTENSION, "")
    number = int(index) if index.isdecimal() and len(index) <= 9 else None
    return Part(message, sender, number, request.data, request.content_type, request.type, request.extensions)
