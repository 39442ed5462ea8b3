"""What the ledger and its clients tell each other, as data. Bounds that both sides hold to are here too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

MOST_RESULT = 1 << 20  # bytes that one task leaves
MOST_RESULTS = 256 << 20  # bytes that the tasks of a call leave
MOST_PARTS = 10_000  # that wait for one join
MOST_PARTS_BYTES = 64 << 20  # of their data and attributes
MOST_HEAD = 64 << 10  # of the attributes of one
MOST_TEXT = 1024  # characters of an id, a name, an error
PAGE_BYTES = 8 << 20  # of results in one answer; a single larger one comes alone
PAGE_TASKS = 1000

State = Literal["waiting", "running", "done", "failed", "cancelled"]
OPEN: tuple[State, ...] = ("waiting", "running")


@dataclass(frozen=True, slots=True)
class Ending:
    """No task of a call is left. Told to whoever has to say so, until it was confirmed that it was said."""

    tasks: int
    failed: int
    cancelled: int


@dataclass(frozen=True, slots=True)
class Begun:
    """What a message is to the ledger. `state` is `running` where the handler has to run, None where it is no task."""

    state: State | None
    attempt: int = 0  # from 1 on
    parent: str = ""
    depth: int = 0
    ending: Ending | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a task: of several ends the `first` wins."""

    state: State
    first: bool
    ending: Ending | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A message that is handled together with others. `index` is which part it is, where parts were scattered."""

    message: str
    source: str
    index: int | None = None
    data: bytes = b""
    content_type: str | None = None
    type: str | None = None
    extensions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a part belongs: `wanted` of a `group` are handled together, among them `room` of this `slot`.

    `once`: there is one round of a group, and what is too many for it is a mistake.
    """

    wanted: int
    group: str = ""  # the scatter
    slot: str = ""
    room: int = 1
    once: bool = False


class Refusal(Exception):
    """Something that the ledger will not do, however often it is asked; the text says why."""
