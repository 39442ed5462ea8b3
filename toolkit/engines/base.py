"""The narrow seam between thinking and doing: an engine makes a plan run and hands back a deployment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from toolkit.plan import Plan
from toolkit.results import CallRecord, Elapsed, Incident, Instance, Load, Progress, TaskRecord
from toolkit.traces.model import Span


@dataclass(frozen=True, slots=True)
class Entry:
    """How to reach a chain: a gRPC target, and the authority to ask for when it lies behind an ingress."""

    target: str
    authority: str | None = None


@dataclass(frozen=True, slots=True)
class Bound:
    """Where the plan's names really lead: gRPC targets by function, and the sink that events are sent to."""

    targets: Mapping[str, str]
    sink: str | None = None


class Deployment(Protocol):
    """A plan that runs. `delete` may be called at any time, more than once, and leaves nothing behind."""

    @property
    def entry(self) -> Entry: ...

    @property
    def bound(self) -> Bound: ...

    @property
    def platform(self) -> Mapping[str, str]:
        """What it runs on, in versions: what a report has to say besides this machine. Nothing, where that is all."""

    @property
    def traces_have_gaps(self) -> bool:
        """Whether something traces between the functions whose spans may not be among ours: lost, or in another store.
        Then a trace that lacks nothing but such a span lacks nothing that the chain promised.
        """

    async def spans(self, traces: Mapping[str, int], caller: Sequence[Span]) -> list[Span]:
        """Stores the caller's own spans beside the others and gives back every span of these traces, in no order.

        `traces` says of each how many spans of functions its receipts prove, so that late ones can be waited for.
        Ends the load: an engine may stop the functions here, so that each has sent its last span.
        """

    async def idle(self) -> bool:
        """Whether nothing is under way between the functions: no event waits to be delivered, retried or answered."""

    def incidents(self) -> list[Incident]:
        """What went wrong so far, oldest first."""

    async def delete(self) -> None: ...


@runtime_checkable
class Watched(Protocol):
    """A deployment that knows when each instance of its functions came up."""

    def instances(self) -> Sequence[Instance]:
        """Of all that were there since it stands, those that left included, in no order."""


@runtime_checkable
class Remembering(Protocol):
    """A deployment that can tell what became of the tasks that its functions spawned."""

    async def tasks(self, calls: Collection[str]) -> Sequence[TaskRecord] | None:
        """Of these calls, in no order; None where the chain has no ledger. Raises EngineError."""


@runtime_checkable
class Cooling(Watched, Protocol):
    """A deployment whose functions can be brought to zero, and come up again when a request does."""

    @property
    def way_to_zero(self) -> str:
        """In a few words: what is done to get there, and whether the platform does it."""

    async def cool(self, within_s: float) -> None:
        """Returns once no instance of any function is left. Raises EngineError, which names those that are, when that
        takes longer than `within_s` seconds.
        """

    async def cooling_settings(self) -> Mapping[str, str]:
        """What decides when functions go to zero, as it was found; nothing where that is the engine itself."""


class Engine(Protocol):
    """Makes a plan run. `emulated` is true when the platform is a stand-in and the report has to say so."""

    name: str
    emulated: bool

    async def host(self) -> str:
        """The address of this machine at which the functions reach it. Whoever listens for them binds exactly that."""

    async def deploy(self, plan: Plan, *, receipts: str | None) -> Deployment:
        """Bring `plan` up and return once it is ready; `receipts` is the collector's address (`tcp://HOST:PORT`).

        Without a collector the functions leave no receipts.

        Raises EngineError when it cannot, having cleaned up.
        """


@dataclass(frozen=True, slots=True)
class Forced:
    """Cold starts that a source of load forced, `asked` of them; `in_vain` says why a repetition has no call."""

    asked: int
    how: str
    settings: Mapping[str, str] = field(default_factory=dict)
    in_vain: Mapping[int, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Driven:
    """What became of a load. Calls are on this machine's monotonic clock, in their order; `roots` the caller's spans.

    `elapsed` is of the clock that was moved most, of all that stamped calls. `invalid` says why it is no measurement,
    besides what the calls show; `origin`, for the report, where the load came from and which way it went, and `notes`
    what a reader of its numbers should know of that.
    """

    calls: Sequence[CallRecord]
    roots: Sequence[Span]
    elapsed: Elapsed
    origin: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    invalid: tuple[str, ...] = ()
    incidents: tuple[Incident, ...] = ()
    forced: Forced | None = None  # None: it brought nothing to zero


class Source(Protocol):
    """Where a load is sent from: this process, or somewhere nearer to the functions."""

    async def drive(
        self,
        plan: Plan,
        deployment: Deployment,
        load: Load,
        *,
        stop: asyncio.Event,
        on_progress: Callable[[Progress], None] | None,
    ) -> Driven:
        """Sends the whole load into the deployment's entry; what is there, soon after `stop` was set.

        Raises EngineError when it cannot begin. Once it has begun, whatever goes wrong is in what it gives back.
        """
