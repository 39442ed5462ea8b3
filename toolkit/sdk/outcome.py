"""What a handler may return in place of a value: where its message goes on, or the final answer with its status.

May live here: both, and what they come to. May not: any import of grpc or protobuf: a handler's module loads this.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolkit import contract
from toolkit.sdk import edges
from toolkit.sdk.message import Message

if TYPE_CHECKING:
    from toolkit.sdk.handling import Handling

_TYPE = re.compile("[ -~]*")  # what a header can say: no line ends, no control characters, ASCII
PENDING = Message(b"pending", contract.PENDING, status=202)  # the reply of whoever went on by an event


@dataclass(frozen=True, slots=True)
class Invoke:
    """Continue at the function `to`, over a call edge or an event edge: which one is taken is decided at run time.

    Of a call, its reply is this handler's; of an event, the reply is `pending`, and the answer comes by another event.
    Whether there is such an edge, and whether it may still be taken, is held to the chain.
    """

    to: str
    value: Any = None

    def __post_init__(self) -> None:
        if not isinstance(self.to, str):
            raise TypeError(f"Invoke(to, value): to is a function's name, not a {type(self.to).__name__}")


@dataclass(frozen=True, slots=True)
class Response:
    """The final answer. `status` is as HTTP counts them; `content_type` follows from the value where it is not said."""

    value: Any = None
    status: int = 200
    content_type: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.status, bool) or not isinstance(self.status, int):
            raise TypeError(f"Response: status is a number such as 200, not a {type(self.status).__name__}")
        if not 100 <= self.status <= 599:
            raise ValueError(f"Response: {self.status} is no HTTP status (100..599)")
        if self.content_type is not None and not isinstance(self.content_type, str):
            raise TypeError(f"Response: content_type is a text, not a {type(self.content_type).__name__}")
        if not _TYPE.fullmatch(self.content_type or ""):
            raise ValueError(
                f"Response: no header can say the content type {self.content_type!r:.100}: printable ASCII only"
            )

    @property
    def message(self) -> Message:
        """Raises TypeError for a value that cannot be sent."""
        value = b"" if self.value is None else self.value
        return dataclasses.replace(Message.of(value, content_type=self.content_type), status=self.status)


async def settled(handling: Handling, value: Any) -> Any:
    """What a handler's value comes to: itself, or the reply of whoever it goes on to. None: all is said."""
    if isinstance(value, Invoke):
        edge, passed = edges.invoked(handling.wiring, value.to), value.value
        if edge.via == "call":
            return await handling.invoke(edge, passed)
        message = Message() if passed is None else Message.of(passed)
        await handling.emit(message, edge.type, None)
        return None if handling.arrival.via == "event" else PENDING
    if isinstance(value, Response):
        return value.message if handling.arrival.via != "event" else await _told(handling, value.message)
    return value


async def _told(handling: Handling, answer: Message) -> None:
    """Nobody waits for what an event's handler returns: its answer leaves over the edge that leads to the gateway."""
    kind = edges.answer_type(handling.wiring)
    handling.replied(answer)
    if kind is not None:
        await handling.emit(answer, kind, None)
