"""Forced cold starts: to zero, one call, again and again; and what became of each.

May live here: the order of these steps. May not: how an engine gets to zero (`engines`), where the time went
(`measure.cold`).
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable, Sequence

from toolkit.engines.base import Cooling, Deployment, Driven, Forced, Source
from toolkit.engines.waiting import unless, until
from toolkit.errors import EngineError, UsageError
from toolkit.measure.cold import AS_PROCESSES, ON_A_CLUSTER, ColdSample, cold_starts, sample
from toolkit.plan import Plan
from toolkit.results import CallRecord, ColdStarts, Elapsed, Evidence, Incident, Load, Progress
from toolkit.spec.model import ChainSpec, Function
from toolkit.traces import tree
from toolkit.traces.model import Span

COOL_WITHIN_S = 180.0
SETTLE_S = 10.0  # for events that are still under way after the answer
WINDOW_S, RETENTION_S = 6.0, 0.0  # the shortest that Knative's autoscaler knows
ONE = Load(requests=1, concurrency=1)


def soon_asleep(chain: ChainSpec) -> ChainSpec:
    """The chain, its functions told to go to zero as soon as they may where it says nothing of that.

    Raises UsageError for a chain that keeps instances.
    """
    kept = [f"{each.name} has {why}" for each in chain.functions if (why := _what_keeps(each)) is not None]
    if kept:
        raise UsageError(
            f"{chain.name} never is at zero: {', '.join(kept)}",
            next_step="change that in its chain.yaml, or run without --cold",
        )
    return dataclasses.replace(chain, functions=tuple(map(_soon_asleep, chain.functions)))


def _what_keeps(function: Function) -> str | None:
    """What keeps an instance of it for ever; None where nothing does. The horizontal pod autoscaler never gets to 0."""
    scale = function.scale
    if (scale.min or 0) > 0:
        return f"scale.min {scale.min}"
    if scale.autoscaler == "hpa" or (scale.autoscaler is None and scale.metric in ("cpu", "memory")):
        return f"scale.{'autoscaler hpa' if scale.autoscaler else f'metric {scale.metric}'}"
    return None


def _soon_asleep(function: Function) -> Function:
    scale = function.scale
    window_s = WINDOW_S if scale.window_s is None else scale.window_s
    retention_s = RETENTION_S if scale.retention_s is None else scale.retention_s
    return dataclasses.replace(function, scale=dataclasses.replace(scale, window_s=window_s, retention_s=retention_s))


class FromZero:
    """A source of load whose calls all meet a chain at zero: `repetitions` of them, each sent by `one`."""

    def __init__(
        self,
        repetitions: int,
        one: Source,
        *,
        within_s: float = COOL_WITHIN_S,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._asked, self._one, self._within_s, self._tell = repetitions, one, within_s, tell

    async def drive(
        self,
        plan: Plan,
        deployment: Deployment,
        load: Load,
        *,
        stop: asyncio.Event,
        on_progress: Callable[[Progress], None] | None,
    ) -> Driven:
        """Raises EngineError when the chain does not get to zero the first time."""
        if not isinstance(deployment, Cooling):
            raise EngineError(
                "this engine cannot bring functions to zero", next_step="run with --engine local or --engine knative"
            )
        settings = await deployment.cooling_settings()
        began, done = Elapsed(time.time_ns(), time.monotonic_ns()), list[Driven]()
        in_vain: dict[int, str] = {}
        for seq in range(self._asked):
            self._tell(f"cold start {seq + 1} of {self._asked}: waits for zero")
            try:
                asleep = await unless(stop, _asleep(deployment, self._within_s))
            except EngineError as error:
                if not done:
                    raise
                in_vain[seq] = str(error)
                break  # what did not go away once keeps the rest from being cold too
            if asleep is None or stop.is_set():
                break
            self._tell(f"cold start {seq + 1} of {self._asked}: calls")
            done.append(await self._call(plan, deployment, load, seq, stop))
            await until(deployment.idle, within_s=SETTLE_S)
        elapsed = Elapsed(time.time_ns() - began.wall_ns, time.monotonic_ns() - began.monotonic_ns)
        return _together(done, elapsed, Forced(self._asked, deployment.way_to_zero, settings, in_vain))

    async def _call(self, plan: Plan, deployment: Deployment, load: Load, seq: int, stop: asyncio.Event) -> Driven:
        """Its ids follow from the repetition too: no two calls have the same."""
        own = dataclasses.replace(plan, run=f"{plan.run}/{seq}")
        one = dataclasses.replace(ONE, sample=load.sample, seed=load.seed, timeout_s=load.timeout_s)
        driven = await self._one.drive(own, deployment, one, stop=stop, on_progress=None)
        return dataclasses.replace(driven, calls=[dataclasses.replace(each, seq=seq) for each in driven.calls])


async def _asleep(deployment: Cooling, within_s: float) -> bool:
    await deployment.cool(within_s)
    return True


def _together(done: Sequence[Driven], elapsed: Elapsed, forced: Forced) -> Driven:
    troubles = [
        Incident("warning", "cold start", f"repetition {seq + 1} was given up: {why}")
        for seq, why in forced.in_vain.items()
    ]
    calls: list[CallRecord] = [call for each in done for call in each.calls]
    roots: list[Span] = [span for each in done for span in each.roots]
    incidents = (*(incident for each in done for incident in each.incidents), *troubles)
    origin = dict(done[0].origin) if done else {}
    return Driven(calls, roots, elapsed, origin, incidents=incidents, forced=forced)


def samples(
    chain: ChainSpec, calls: Sequence[CallRecord], evidence: Evidence, driven: Driven, *, emulated: bool
) -> list[ColdSample]:
    """One for each repetition that was tried; none where nothing was forced."""
    if driven.forced is None:
        return []
    traces = tree.by_trace(evidence.spans)
    steps = AS_PROCESSES if emulated else ON_A_CLUSTER
    called = [sample(each, evidence, chain, traces.get(each.trace, []), steps=steps) for each in calls]
    given_up = [ColdSample(seq, None, None, why_not=why) for seq, why in driven.forced.in_vain.items()]
    return sorted([*called, *given_up], key=lambda each: each.seq)


def measured(found: Sequence[ColdSample], driven: Driven) -> ColdStarts | None:
    """None where nothing was forced."""
    forced = driven.forced
    if forced is None:
        return None
    return cold_starts(found, asked=forced.asked, how=forced.how, settings=forced.settings, notes=forced.notes)
