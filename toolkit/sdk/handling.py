"""One message being handled: its place in the trace, and the state of all that is sent on its behalf.

May live here: ids, records, bounds and deadlines. May not: how a message leaves (`sending`), over which edges, and how
often it is tried (`patterns`).
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import AsyncIterable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from toolkit import contract
from toolkit.contract import Outgoing, Sent, Wiring
from toolkit.sdk import answers, bounds, edges, parts, patterns, sending
from toolkit.sdk.arrival import Arrival, Incoming
from toolkit.sdk.cloudevents import Event, Headers
from toolkit.sdk.failures import EdgeTaken, Refused, Unanswerable
from toolkit.sdk.message import Message
from toolkit.sdk.tracing import AnySpan, Kind, Tracing
from toolkit.sdk.transfers import STORES, carrying
from toolkit.sdk.transfers.carrying import Parcel, Transfers

if TYPE_CHECKING:
    from toolkit.sdk.tasks import Memory, Task

DEFAULT_DEADLINE_S = 30.0  # of what is sent on behalf of a message that came without a deadline
_log = logging.getLogger(__name__)


class Calls(Protocol):
    """The client side of call edges; `Channels` is the real one."""

    async def call(
        self, to: str, address: str, path: str, request: bytes, metadata: Any, timeout_s: float
    ) -> bytes: ...

    async def stream(
        self, to: str, address: str, path: str, requests: AsyncIterable[bytes], metadata: Any, timeout_s: float
    ) -> bytes: ...


class Sinks(Protocol):
    """The client side of event edges; `Sink` is the real one."""

    url: str | None
    overrides: Mapping[str, str]

    async def post(self, headers: Headers, body: bytes, timeout_s: float) -> int: ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every handling of a function has in common."""

    wiring: Wiring
    replica: str
    tracing: Tracing
    calls: Calls
    sink: Sinks
    transfers: Transfers = field(default_factory=Transfers)
    memory: Memory | None = None  # of tasks and joins


class Handling:
    """The state of one message. Its ids are derived, so that a redelivered message sends what it sent before."""

    __slots__ = (
        *("_ids", "_keyed", "_sent", "answer", "around", "arrival", "said", "span", "taken", "wiring"),
        *("joined", "leaving", "parts", "positions", "scatters", "spawned", "task", "waits"),
    )

    def __init__(self, around: Surroundings, arrival: Arrival, span: AnySpan) -> None:
        self.around, self.wiring = around, around.wiring
        self.arrival, self.span = arrival, span
        self.answer: bytes | None = None  # of a call, as it is about to leave
        self.said: str | None = None  # the chain's answer
        self.taken = edges.Taken(self.wiring)
        self._sent: list[list[Any]] = []  # the fields of `Sent`, in the order in which sending began
        self._ids = 0
        self._keyed: set[str] | None = None  # the ids of messages with keys
        self.task: Task | None = None  # that is being done
        self.spawned: set[str] = set()  # tasks
        self.leaving: list[
            tuple[Message, str, str, Mapping[str, str]]
        ] = []  # what is posted once the handler is through
        self.parts = parts.read(arrival.headers) if arrival.via == "event" else ()  # a join sets what is left of them
        self.scatters, self.positions = 0, 0  # how many there were, and how many tasks were spawned without a key
        self.joined: tuple[str, ...] = ()  # messages that are handled with this one
        self.waits = False  # the handler does not run: others are missing, or it ran before

    @property
    def replica(self) -> str:
        return self.around.replica

    @property
    def memory(self) -> Memory:
        """Raises Refused where no ledger is wired."""
        if self.around.memory is None:
            raise Refused("FAILED_PRECONDITION", f"{self.wiring.function} has no ledger: its chain spawns no tasks")
        return self.around.memory

    @property
    def sent(self) -> tuple[Sent, ...]:
        """What left so far; what is still under way counts as not accepted."""
        return tuple(Sent(*fields) for fields in self._sent)

    @property
    def loops(self) -> bounds.Loops | None:
        """How often the way to this message led over edges that loop, of several the most; None: it cannot be read."""
        arrival = self.arrival
        if arrival.via == "call":
            return bounds.read(arrival.headers.get(contract.LOOPS_KEY))
        if arrival.via == "entry":
            return {}  # a way begins here, whatever a caller says
        if isinstance(arrival.request, list):
            return bounds.longest(
                bounds.read(each.extensions.get(contract.LOOPS_EXTENSION)) for each in arrival.request
            )
        return bounds.read(arrival.headers.get(contract.LOOPS_EXTENSION))

    @property
    def part(self) -> Mapping[str, str]:
        """Which part of something scattered this message is: what is sent for it is the same part."""
        return parts.written(self.parts)

    async def call(self, request: Any, to: str | None, timeout_s: float | None, key: str | None = None) -> Any:
        """Over a call edge; the reply. Raises CallFailed, NoSuchEdge, and TypeError for a request of another type."""
        return await patterns.over(self, edges.to(self.wiring, to), request, timeout_s, key)

    async def invoke(self, edge: Outgoing, request: Any) -> Any:
        """Over this call edge, as far as it may still be taken; the reply."""
        return await patterns.over(self, edge, request)

    async def emit(
        self,
        data: Any,
        type: str | None,  # noqa: A002 - the event's word
        content_type: str | None,
        key: str | None = None,
    ) -> None:
        """To the sink; returns once it took the event. Raises EmitFailed, NoSink, NoSuchEdge, and TypeError."""
        await patterns.emit(self, Message.of(data, content_type=content_type), type, key)

    async def forward(self, value: Any) -> list[Any]:
        """Over every steady edge at once; the replies of the calls. Raises the first failure after all have ended."""
        return await patterns.forward(self, value)

    async def scatter(self, items: Iterable[Any], to: str | None, kind: str | None, limit: int | None) -> list[Any]:
        """One message each over one edge, all at once; the replies of calls, in order."""
        return await patterns.scatter(self, items, to, kind, limit)

    def tell(self, value: Any) -> None:
        """The chain's answer, if anybody asks for it. Raises Unanswerable."""
        text = answers.text(value)
        if self.wiring.answers:
            self.said = text

    def replied(self, value: Any) -> None:
        """What the entry replied is the answer, where nobody said one and it can be one."""
        if self.wiring.answers and self.said is None:
            try:
                self.said = answers.text(value)
            except Unanswerable as why:  # the reply is all right, and whoever judges misses an answer
                _log.warning("no answer to judge: %s", why)

    async def post(
        self, message: Message, kind: str, identity: str | None = None, said: Mapping[str, str] | None = None
    ) -> None:
        """As an event of a type known to be right, which counts for no edge; `said` are extensions of its own."""
        await sending.emit(self, message, kind, identity or self.next_id(), said or {})

    def reply(self, value: Any) -> Event:
        """The event that answers an event; recorded as sent."""
        message = Message.of(value)
        kind = edges.reply_type(self.wiring, message.type)
        self.taken.event(kind)
        return sending.reply(self, message, kind, self.next_id())

    def timeout(self, timeout_s: float | None) -> float:
        """Seconds for something sent now: what was asked for, within what the sender of our message left us."""
        remaining = self.arrival.remaining_s()
        if remaining is None:
            return DEFAULT_DEADLINE_S if timeout_s is None else timeout_s
        return max(0.0, remaining if timeout_s is None else min(timeout_s, remaining))

    async def whole(self, message: Any) -> Any:
        """`message` with its data, if that lies in a store or comes in pieces. Raises TransferFailed, and Refused."""
        if isinstance(message, list):  # of a join
            return list(await asyncio.gather(*(self.whole(each) for each in message)))
        if isinstance(message, Incoming):
            streamed = self.arrival.method == contract.GENERIC_STREAM and "stream" in self.wiring.takes
            return await carrying.joined(message) if streamed else message
        found = carrying.referred(self.wiring, self.arrival.call, message)
        if found is None:
            return message
        carrying.told(self.span, found.transfer, found.size)
        work = self.around.transfers.get(found, self.timeout(None))
        data = await carrying.noted(self.start(None, f"get {found.transfer}"), found.transfer, found.size, work)
        return dataclasses.replace(message, data=data, content_type=found.content_type)

    async def packed(self, transfer: str, value: Any) -> Parcel | None:
        """What goes into a store, None where the data travels with its message."""
        return await carrying.pack(transfer, Message.of(value)) if transfer in STORES else None

    async def put(self, parcel: Parcel, above: AnySpan, timeout_s: float) -> float:
        """Puts the data where the receiver will look for it; the seconds that are left. Raises TransferFailed."""
        clock = asyncio.get_running_loop().time
        began = clock()
        carrying.told(above, parcel.transfer, parcel.size)
        work = self.around.transfers.put(parcel, timeout_s)
        await carrying.noted(self.start(None, f"put {parcel.transfer}"), parcel.transfer, parcel.size, work)
        return max(0.0, timeout_s - (clock() - began))

    def start(self, kind: Kind | None, name: str) -> AnySpan:
        """A span below the one that is current where the handler is."""
        tracing = self.around.tracing
        return tracing.start(kind, name, tracing.current(self.span))

    def next_id(self) -> str:
        """The id of the next message, which goes by how many began to be sent before it.

        So it is the same again for a handler that sends in the same order again. One whose messages race, because each
        has something else to wait for first, has to say which is which: `keyed_id`.
        """
        index, self._ids = self._ids, self._ids + 1
        return contract.child_id(self.arrival.message, self.wiring.function, index)

    def keyed_id(self, via: str, name: str, key: str) -> str:
        """The id of the message that the handler calls `key`, over the call edge to `name`, or of the type `name`.

        Raises TypeError for a key that is no text, and EdgeTaken for one that this handling has had over this edge.
        """
        if not isinstance(key, str):
            raise TypeError(f"key={key!r:.60}: the key of a message is a text, not a {type(key).__name__}")
        function = self.wiring.function  # no function and no type holds a blank: no two keys say the same
        identity = contract.child_id(self.arrival.message, f"{function}/{via} {name} {key}", 0)
        if self._keyed is None:
            self._keyed = set()
        if identity in self._keyed:
            raise EdgeTaken(f"{function} has sent a message with key={key!r:.60} to {name} in this handling already")
        self._keyed.add(identity)
        return identity

    def open(
        self,
        via: str,
        message: str,
        data: bytes,
        address: str,
        to: str | None = None,
        type: str | None = None,  # noqa: A002
    ) -> list[Any]:
        """The record of something that is about to leave."""
        record = [via, message, contract.digest(data), len(data), address, to, type, False, None, None, None]
        self._sent.append(record)
        return record

    def gave_up(self, message: str, left_s: float) -> None:
        """Of an attempt: no other follows, though the edge has more, with so many seconds left for them."""
        for record in reversed(self._sent):
            if record[1] == message:
                record[sending.LEFT_S] = left_s
                return
