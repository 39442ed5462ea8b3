"""What a run leaves behind, as data: calls, evidence, measurement, checks, and the report that holds them together.

May live here: frozen dataclasses and nothing that computes. Monotonic nanoseconds are the caller's own clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from toolkit.analysis import Band as Band
from toolkit.coldness import ColdSegment as ColdSegment
from toolkit.coldness import ColdStarts as ColdStarts
from toolkit.coldness import ColdWitnesses as ColdWitnesses
from toolkit.coldness import Instance as Instance
from toolkit.coldness import Quantiles as Quantiles
from toolkit.contract import Receipt
from toolkit.hops import Completions as Completions
from toolkit.hops import Hop as Hop
from toolkit.hops import PathPart as PathPart
from toolkit.traces.model import Span

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Load:
    """What to send. Open loop with `rate` (calls per second), closed loop with `concurrency`; exactly one is set.

    `requests` bounds the number of calls, `duration_s` the time; exactly one is set. `arrivals` shapes the open loop,
    or follows what was `recorded`, which has a rate of its own. `think`: between an answer and a worker's next call.
    """

    requests: int | None = None
    duration_s: float | None = None
    rate: float | None = None
    concurrency: int | None = None
    sample: float = 1.0
    seed: int = 1
    timeout_s: float = 30.0
    arrivals: str = "constant"
    think: str | None = None
    recorded: str | None = None

    @property
    def model(self) -> Literal["open", "closed"]:
        return "open" if self.concurrency is None else "closed"


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call into the entry. Latency counts from `due_ns`, service time from `sent_ns` (monotonic, caller's clock).

    `status` is a gRPC status code name (`OK`, `UNAVAILABLE`, ...); `done_ns` is None for a call that was never
    answered before the drain's deadline: lost. A `refused` one was never sent, and is no result of the chain's.
    `completed_ns` is when its last receipt came; None when one that it should have left is missing.
    """

    seq: int
    call: str
    trace: str
    sampled: bool
    due_ns: int
    sent_ns: int
    done_ns: int | None
    status: str | None
    error: str | None = None
    reply: str | None = None
    size: int = 0  # bytes of the request as it was sent
    digest: str = ""  # of the same bytes
    completed_ns: int | None = None
    reply_digest: str | None = None  # of the answer's bytes as they came back
    refused: bool = False  # by the generator itself, which had too many in flight: it was never sent
    first_ns: int | None = None  # when the first byte of an answer came
    instance: str | None = None  # of the entry: the replica that handled it, as its receipt says
    cold: bool | None = None  # whether it met a function's first message; None when no receipt came

    @property
    def ok(self) -> bool:
        return self.status == "OK"


@dataclass(frozen=True, slots=True)
class Stamped:
    """A receipt and when it reached the caller (monotonic nanoseconds of the caller's clock)."""

    receipt: Receipt
    at_ns: int


@dataclass(frozen=True, slots=True)
class Incident:
    """Something an engine noticed that a report must name.

    `kind`: `restart` (a function left and was started again), `dead-letter`, `undelivered`, `warning`.
    """

    kind: Literal["restart", "dead-letter", "undelivered", "warning"]
    subject: str  # the function, trigger or broker
    text: str
    log_tail: tuple[str, ...] = ()
    replica: str | None = None  # of the process that left
    message: str | None = None  # the message id that a dead letter or an undelivered event had, when it is known
    count: int = 1  # how many of the kind this one stands for; a flood is not told one by one


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """One task as the ledger has it. Times are wall-clock nanoseconds of the ledger's host, None: not yet."""

    call: str
    task: str  # the message that is the task
    parent: str  # the task that spawned it, or the message that did
    function: str  # that spawned it
    to: str  # that does it
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    depth: int  # tasks above it
    attempts: int  # how often its handler began
    spawned_ns: int
    ended_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that proves or disproves a run's promises. `gaps`: see `Deployment.traces_have_gaps`.

    `instances` is None where nobody tells when one came up.
    """

    receipts: Sequence[Stamped] = ()
    spans: Sequence[Span] = ()
    incidents: Sequence[Incident] = ()
    gaps: bool = False
    instances: Sequence[Instance] | None = None
    tasks: Sequence[TaskRecord] | None = None  # None: the chain has none, or its ledger could not be asked
    judged: Mapping[str, str | None] | None = None  # call -> what is wrong with its answer; None: nobody judges them


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the load has come. `planned` is None when only the time is bounded."""

    planned: int | None
    sent: int
    ok: int
    failed: int
    in_flight: int
    elapsed_s: float
    p50_us: float | None = None  # of the latencies so far, where somebody counts them
    p99_us: float | None = None


@dataclass(frozen=True, slots=True)
class Elapsed:
    """The same stretch of time on two clocks, in nanoseconds: if they disagree, somebody moved the wall clock."""

    wall_ns: int
    monotonic_ns: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """Numbers from calls, receipts and spans. Every quantile set is None when there is no data for it."""

    sent: int
    ok: int
    failed: int
    lost: int
    duplicated: int
    reordered: int
    duration_s: float
    asked_rate: float | None
    achieved_rate: float | None
    lateness_us: Quantiles | None
    latency_us: Quantiles | None
    service_time_us: Quantiles | None
    completion_us: Quantiles | None
    cold: Quantiles | None
    hops: tuple[Hop, ...]
    traces_expected: int
    traces_complete: int
    missing_spans: int
    orphans: int
    histogram: tuple[tuple[float, int], ...] = ()  # (upper bound in us, count), for the eye only
    critical_path: tuple[PathPart, ...] = ()  # by falling share; empty without complete warm traces
    invalid: tuple[str, ...] = ()  # why the generator does not trust this run; empty: it does
    refused: int = 0  # calls that the generator did not send; they are in none of the counts above
    failed_handlings: int = 0  # handlings that ended with an error, of calls and events
    retried_handlings: int = 0  # those of them whose message the same function handled after all
    platform_traces: tuple[tuple[str, int], ...] = ()  # (part of the platform, traces that have a span of it)
    witnesses: ColdWitnesses | None = None  # None: no call had a receipt
    cold_starts: ColdStarts | None = None  # None: none were forced
    completions: Completions | None = None  # None: the chain has no events
    bands: tuple[Band, ...] = ()  # the critical path from the fastest traces to the slowest; the first is of all
    clock_error_us: float | None = None  # of what is between calls and receipts; None: one clock stamped both


@dataclass(frozen=True, slots=True)
class CallNumbers:
    """Numbers of a load that is no chain's, in microseconds; quantiles are None where there is no data for them."""

    sent: int
    ok: int
    failed: int
    lost: int
    refused: int
    duration_s: float
    achieved_rate: float | None
    lateness_us: Quantiles | None
    latency_us: Quantiles | None
    service_time_us: Quantiles | None
    statuses: tuple[tuple[str, int], ...] = ()  # how calls ended, and how many
    errors: tuple[tuple[str, str, int], ...] = ()  # status, words, calls
    histogram: tuple[tuple[float, int], ...] = ()
    invalid: tuple[str, ...] = ()
    warmup: int = 0  # calls that were sent first and are in none of the counts above
    messages: int | None = None  # that came back in streams; None: there were none, or too many in a call to be counted


@dataclass(frozen=True, slots=True)
class Generator:
    """One process that sent a share of a load. What it could no longer tell is None.

    `cpu` is the processor time that it used, as a share of one processor while the load ran.
    """

    sent: int
    ended: str  # "whole", "interrupted", or what became of it
    cpu: float | None = None
    memory_bytes: int | None = None  # at most, resident
    scheduling: str | None = None  # `realtime` or `normal`: how the kernel gave it a processor


@dataclass(frozen=True, slots=True)
class LoadReport:
    """A load that is no chain's, as it is printed and stored, with the conditions that its numbers hold under.

    `statuses` and `instances` are the tables that the rows of `calls.npy` point into (`toolkit.columns`).
    """

    run: str
    target: str
    started: str  # RFC 3339, UTC
    toolkit_version: str
    environment: Mapping[str, Any]
    command: tuple[str, ...]
    load: Load
    connections: int | None  # None: as many as it takes
    drain_s: float | None
    warmup: str | None  # as it was asked for: a number of calls, or a time
    generators: tuple[Generator, ...]
    numbers: CallNumbers
    statuses: tuple[str, ...] = ("OK",)
    instances: tuple[str, ...] = ()
    partial: bool = False
    load_started: str | None = None  # as of `Report`
    endpoints: tuple[tuple[str, CallNumbers], ...] = ()  # of each target of a load that went to several in turn


@dataclass(frozen=True, slots=True)
class Check:
    """One promise, kept or not. `details` name the first few offenders."""

    name: str
    passed: bool
    wanted: str
    got: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """The run as it is printed and stored. `partial` when it was interrupted."""

    run: str
    chain: str
    engine: str
    emulated: bool
    started: str  # RFC 3339, UTC
    spec_sha256: str
    git_commit: str | None
    toolkit_version: str
    environment: Mapping[str, Any]
    load: Load
    parameters: Mapping[str, Any]
    measurement: Measurement
    checks: tuple[Check, ...]
    incidents: tuple[Incident, ...] = ()
    partial: bool = False
    edges: tuple[tuple[str, str, str], ...] = ()  # (from, to, via)
    entry: str | None = None  # the function that the calls go to
    notes: tuple[str, ...] = field(default=())
    load_started: str | None = None  # RFC 3339, UTC: when the first call was due; None: nobody knows
    optional: frozenset[tuple[str, str, str]] = frozenset()  # of `edges`, those that a call need not go over

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)
