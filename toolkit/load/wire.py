"""What a generator elsewhere and whoever gave it its share say to each other: one line of JSON a message.

The generator connects, and says `hello`. It is asked for its clock some times, given an `order`, and says `ready` once
it has dialled its target, and how it is scheduled. At the `start` it begins; it tells its `progress`, and what has
ended in `calls` (see `telling`), and in the end that it is `done`. `stop` ends the load, the end of the connection ends
the generator.

May live here: the messages, and their way into a line and back. May not: sockets, clocks, how calls are sent.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from toolkit.contract.typed import typed
from toolkit.load.share import Share
from toolkit.results import Elapsed, Load, Progress

VERSION = 2  # of this language; both sides have to speak the same
TOKEN = "TOOLKIT_GENERATOR_TOKEN"  # noqa: S105 - the variable by which a generator learns what to say in its hello
MAX_LINE = 16 << 20  # bytes
ENDED = b'{"calls":'  # so begins a line of what ended, and no other: it need not be read to be known
Message = Mapping[str, Any]
Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class Order:
    """What a generator is to do: its share of a load, into the gRPC target.

    Before it is ready the target has said that it serves (grpc.health.v1), at most `healthy_s` seconds later; it is not
    asked when that is 0. `connections` None: one to each address of the target.
    """

    target: str
    run: str
    chain: str
    entry: str
    load: Load
    share: Share
    authority: str | None = None
    healthy_s: float = 0.0
    connections: int | None = None


@dataclass(frozen=True, slots=True)
class Hello:
    """Who comes: `token` proves that it was sent for, `kernel` tells whether its clock is somebody else's too."""

    token: str
    index: int
    version: int
    kernel: str  # the boot's id; empty where there is none


@dataclass(frozen=True, slots=True)
class Done:
    """How a generator's part went: what passed on its two clocks, and how long it was on a processor meanwhile."""

    wall_ns: int
    monotonic_ns: int
    cpu_ns: int

    @property
    def elapsed(self) -> Elapsed:
        return Elapsed(self.wall_ns, self.monotonic_ns)


def line(**message: Any) -> bytes:
    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def message(line: bytes) -> Message:
    """Raises ValueError for what is no message."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{line[:60]!r} is no message") from error
    if not isinstance(found, dict):
        raise ValueError(f"{line[:60]!r} is no message")
    return found


def fields(record: Any) -> dict[str, Any]:
    """A flat record as JSON can say it."""
    return {name: getattr(record, name) for name in record.__slots__}


def order_line(order: Order) -> bytes:
    return line(order={**fields(order), "load": fields(order.load), "share": fields(order.share)})


def order_of(said: Any) -> Order:
    """Raises ValueError."""
    whole = _object(said)
    parts = {"load": _made(Load, whole.get("load")), "share": _made(Share, whole.get("share"))}
    return _made(Order, {**whole, **parts})


def hello_of(said: Any) -> Hello:
    return _made(Hello, said)


def progress_of(said: Any) -> Progress:
    return _made(Progress, said)


def done_of(said: Any) -> Done:
    return _made(Done, said)


def _made(kind: type[Record], said: Any) -> Record:
    """The record that was meant. Raises ValueError."""
    try:
        made = kind(**_object(said))
        return typed(made, f"{kind.__name__}.") if dataclasses.is_dataclass(made) else made
    except TypeError as error:
        raise ValueError(str(error)) from error


def _object(said: Any) -> dict[str, Any]:
    if not isinstance(said, dict):
        raise ValueError(f"{said!r:.60} is no object")
    return said
