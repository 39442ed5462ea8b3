"""The one use-case: deploy → load → collect → measure and judge → report. Short enough to read aloud.

May live here: the order of the steps, and what is kept when somebody interrupts them. The steps themselves live below.
"""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from toolkit import answers, cold, environment
from toolkit import plan as plans
from toolkit.checks import judge
from toolkit.contract import Tracing
from toolkit.engines.base import Bound, Deployment, Driven, Engine, Source, Watched
from toolkit.engines.collector import Collector
from toolkit.engines.here import Here
from toolkit.engines.settling import Account
from toolkit.engines.tasks import remembered
from toolkit.engines.waiting import unless as unless
from toolkit.engines.waiting import until
from toolkit.errors import EngineError
from toolkit.measure import measure, notes, told
from toolkit.measure.cold import ColdSample
from toolkit.plan import Plan
from toolkit.results import CallRecord, Check, Elapsed, Evidence, Incident, Load, Measurement, Progress, Report
from toolkit.spec.model import ChainSpec
from toolkit.traces.matches import Matches, match_calls
from toolkit.traces.model import Span

SETTLE_S = 30.0  # at most, for the receipts of an asynchronous chain
SETTLE_STOPPED_S = 1.0  # the same, once somebody pressed Ctrl-C and waits for it
STOPPED_PATIENCE_S = 5.0  # for the judge of an answer, likewise
QUIET_S = 0.3  # without a new receipt, and nothing under way: nobody is going to send one
LOOK_S = 0.02
REACHED_WITHIN_S = 15.0  # a function connects before it is ready


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for: a chain under a load. `settle_s` bounds the wait for receipts after the last answer."""

    chain: ChainSpec
    load: Load
    settle_s: float = SETTLE_S
    attributes: tuple[tuple[str, str], ...] = ()  # on every span


@dataclass(frozen=True, slots=True)
class Outcome:
    """The report, and everything it was made of."""

    report: Report
    calls: Sequence[CallRecord]
    evidence: Evidence
    cold: Sequence[ColdSample] = ()  # one a repetition, where cold starts were forced


@dataclass(frozen=True, slots=True)
class _Observed:
    """What came out of one deployment; all of it empty when it was interrupted before it stood."""

    bound: Bound | None
    calls: Sequence[CallRecord]
    evidence: Evidence
    driven: Driven
    matches: Matches
    platform: Mapping[str, str] = field(default_factory=dict)
    load_started: str | None = None


async def run(
    order: Order,
    engine: Engine,
    *,
    source: Source | None = None,
    stop: asyncio.Event | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Outcome:
    """Runs the order and takes everything down again, also when `stop` is set meanwhile: then the report is partial.

    `source` sends the load; without one, this process does. Raises EngineError when the chain could not be brought up,
    UsageError for a load that makes no sense.
    """
    stop = stop or asyncio.Event()
    started = datetime.now(UTC)
    plan = plan_of(order, started)
    async with Collector(await engine.host()) as collector:
        observed = await _observe(plan, order, engine, source or Here(), collector, stop, on_progress)
    observed = dataclasses.replace(observed, evidence=await _with_verdicts(order, observed, stop))
    samples = cold.samples(plan.chain, observed.calls, observed.evidence, observed.driven, emulated=engine.emulated)
    report = _report(plan, order, engine, observed, samples, started, partial=stop.is_set())
    return Outcome(report, observed.calls, observed.evidence, samples)


def plan_of(order: Order, started: datetime | None = None) -> Plan:
    """The plan of a run of this order, under a name of its own."""
    tracing = Tracing(sample=order.load.sample, attributes=dict(order.attributes))
    run = name(order.chain, started or datetime.now(UTC))
    return plans.make(order.chain, run, seed=order.load.seed, tracing=tracing)


def name(chain: ChainSpec, started: datetime) -> str:
    """A run's id: sortable by time, and never the same twice."""
    return f"{chain.name}-{started:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


async def _observe(
    plan: Plan,
    order: Order,
    engine: Engine,
    source: Source,
    collector: Collector,
    stop: asyncio.Event,
    on_progress: Callable[[Progress], None] | None,
) -> _Observed:
    deployment = await unless(stop, engine.deploy(plan, receipts=collector.address))
    if deployment is None:
        return _Observed(None, (), Evidence(), Driven((), (), Elapsed(0, 0)), {})
    try:
        await _reached(collector)
        driven = await source.drive(plan, deployment, order.load, stop=stop, on_progress=on_progress)
        began = _began(driven)
        await _settle(plan, collector, deployment, driven.calls, order.settle_s, stop)
        evidence = await _collect(collector, deployment, driven)
        calls = told(driven.calls, evidence, plan.chain)
        matches = _matches(plan, calls, evidence)
        return _Observed(deployment.bound, calls, evidence, driven, matches, deployment.platform, began)
    finally:
        await deployment.delete()


def _began(driven: Driven) -> str | None:
    """When the first call was due, on the wall clock; None when there was no call."""
    first_ns = min((call.due_ns for call in driven.calls), default=None)
    return None if first_ns is None else environment.wall_clock(first_ns)


async def _reached(collector: Collector) -> None:
    """Raises EngineError when no function found the collector: without receipts nothing could be judged."""

    async def somebody_came() -> bool:
        return collector.callers > 0

    if not await until(somebody_came, within_s=REACHED_WITHIN_S):
        raise EngineError(
            f"the functions are ready, and none of them reached this machine at {collector.address}: their receipts "
            "would be lost, and their spans too",
            next_step="name an address of this machine that pods reach with --advertise HOST, and see that no firewall "
            "is between",
        )


async def _collect(collector: Collector, deployment: Deployment, driven: Driven) -> Evidence:
    """All there is. A store that cannot be asked costs the run its spans, and nothing else."""
    troubles: list[Incident] = []
    spans: list[Span] = []
    try:
        spans = await deployment.spans(_told(driven.calls, collector), driven.roots)
    except EngineError as error:
        troubles.append(Incident("warning", "traces", f"the spans could not be had: {error}"))
    tasks = await remembered(deployment, [call.call for call in driven.calls], troubles)
    receipts = collector.receipts()
    if collector.unreadable:
        text = "what came as a receipt could not be read"
        troubles.append(Incident("warning", "receipts", text, count=collector.unreadable))
    incidents = [*deployment.incidents(), *driven.incidents, *troubles]
    instances = deployment.instances() if isinstance(deployment, Watched) else None
    return Evidence(receipts, spans, incidents, gaps=deployment.traces_have_gaps, instances=instances, tasks=tasks)


def _told(calls: Sequence[CallRecord], collector: Collector) -> dict[str, int]:
    """Each sampled call's trace, and how many spans of functions its receipts prove: one at either end of a message."""
    proved: Counter[str] = Counter()
    for receipt in (each.receipt for each in collector.receipts()):
        proved[receipt.call] += 1 + len(receipt.sent)
    return {call.trace: proved[call.call] for call in calls if call.sampled}


async def _with_verdicts(order: Order, observed: _Observed, stop: asyncio.Event) -> Evidence:
    """What the chain says about its own answers, once nothing else needs the processors."""
    patience_s = STOPPED_PATIENCE_S if stop.is_set() else answers.PATIENCE_S
    verdicts = await answers.judged(
        order.chain, observed.calls, observed.evidence, seed=order.load.seed, patience_s=patience_s
    )
    return dataclasses.replace(observed.evidence, judged=verdicts)


async def _settle(
    plan: Plan,
    collector: Collector,
    deployment: Deployment,
    calls: Sequence[CallRecord],
    within_s: float,
    stop: asyncio.Event,
) -> None:
    """Waits for the receipts of the calls that were answered: until each message that was accepted has been handled by
    all it was for, or nothing is under way any more."""
    account, taken = Account(plan.chain, (call.call for call in calls if call.ok)), 0
    clock = asyncio.get_running_loop().time
    began, seen, changed = clock(), -1, clock()
    while clock() - began < (min(within_s, SETTLE_STOPPED_S) if stop.is_set() else within_s):
        if collector.count != seen:
            seen, changed = collector.count, clock()
            if plan.chain.has_ledger and not stop.is_set():
                began = changed  # tasks may take any time, as long as something happens: their number is bounded
            for each in collector.receipts(taken):
                account.add(each.receipt)
                taken += 1
            if not account.open:
                return
        if clock() - changed >= QUIET_S and await deployment.idle():
            return
        await asyncio.sleep(LOOK_S)


def _report(
    plan: Plan,
    order: Order,
    engine: Engine,
    observed: _Observed,
    samples: Sequence[ColdSample],
    started: datetime,
    *,
    partial: bool,
) -> Report:
    chain, measurement = plan.chain, _measured(plan, order, observed)
    measurement = dataclasses.replace(measurement, cold_starts=cold.measured(samples, observed.driven))
    return Report(
        run=plan.run,
        chain=chain.name,
        engine=engine.name,
        emulated=engine.emulated,
        started=started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        spec_sha256=chain.sha256,
        git_commit=environment.git_commit(chain.folder),
        toolkit_version=environment.toolkit_version(),
        environment=_environment(observed),
        load=order.load,
        parameters={each.name: each.value for each in chain.parameters},
        measurement=measurement,
        checks=_judged(plan, order, observed, partial=partial),
        incidents=tuple(observed.evidence.incidents),
        partial=partial,
        edges=tuple((edge.source, edge.to, edge.via) for edge in chain.edges),
        entry=plan.entry,
        notes=(*observed.driven.notes, *notes(measurement)),
        load_started=observed.load_started,
        optional=plans.optional(chain),
    )


def _environment(observed: _Observed) -> Mapping[str, Any]:
    """This machine; and where there is more to say, the cluster, and where the load came from."""
    cluster = {"cluster": observed.platform} if observed.platform else {}
    load = {"load": observed.driven.origin} if observed.driven.origin else {}
    return {**environment.describe(), **cluster, **load}


def _matches(plan: Plan, calls: Sequence[CallRecord], evidence: Evidence) -> Matches:
    """Every sampled call's trace, held against what its receipts prove."""
    sampled = [(call.trace, call.call) for call in calls if call.sampled]
    services = [function.name for function in plan.chain.functions]
    receipts = (each.receipt for each in evidence.receipts)
    return match_calls(sampled, receipts, evidence.spans, services=services, gaps=evidence.gaps)


def _measured(plan: Plan, order: Order, observed: _Observed) -> Measurement:
    driven = observed.driven
    measured = measure(
        observed.calls,
        observed.evidence,
        chain=plan.chain,
        asked=order.load,
        elapsed=driven.elapsed,
        matches=observed.matches,
    )
    clock_error_us = driven.origin.get("clock_error_us") or None  # 0: the generators share this machine's clock
    return dataclasses.replace(measured, invalid=(*driven.invalid, *measured.invalid), clock_error_us=clock_error_us)


def _judged(plan: Plan, order: Order, observed: _Observed, *, partial: bool) -> tuple[Check, ...]:
    bound = observed.bound or Bound({})
    return judge(
        plan.chain,
        observed.calls,
        observed.evidence,
        bound=bound.targets,
        sink=bound.sink,
        sample=order.load.sample,
        partial=partial,
        matches=observed.matches,
    )
