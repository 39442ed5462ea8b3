"""The order of things when cold starts are forced: to zero, one call, again; and what is kept when it goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from toolkit import catalog, cold
from toolkit import plan as plans
from toolkit.cold import FromZero
from toolkit.engines.base import Bound, Deployment, Driven, Entry
from toolkit.errors import EngineError
from toolkit.plan import Plan
from toolkit.results import CallRecord, Elapsed, Evidence, Incident, Instance, Load, Progress
from toolkit.traces.model import Span

CHAIN = catalog.load("chained-serving", {})
PLAN = plans.make(CHAIN, "r")
LOAD = Load(requests=3, concurrency=1)


@dataclass
class Fake:
    """A deployment that says what was asked of it, and stays warm from the `warm_at`-th time on."""

    entry: Entry = field(default_factory=lambda: Entry("nowhere"))
    bound: Bound = field(default_factory=lambda: Bound({}))
    platform: Mapping[str, str] = field(default_factory=dict)
    traces_have_gaps: bool = False
    way_to_zero: str = "asked nicely"
    warm_at: int | None = None
    on_cool: Callable[[], None] = lambda: None
    steps: list[str] = field(default_factory=list)

    async def cool(self, within_s: float) -> None:
        if self.steps.count("zero") == self.warm_at:
            raise EngineError(f"pod consumer-1 is kept after {within_s:g} s")
        self.steps.append("zero")
        self.on_cool()

    async def cooling_settings(self) -> Mapping[str, str]:
        return {"window": "6s"}

    def instances(self) -> Sequence[Instance]:
        return ()

    async def spans(self, traces: Mapping[str, int], caller: Sequence[Span]) -> list[Span]:
        return list(caller)

    async def idle(self) -> bool:
        return True

    def incidents(self) -> list[Incident]:
        return []

    async def delete(self) -> None: ...


@dataclass
class One:
    """Sends one call, which is answered; tells the run's ids apart."""

    steps: list[str]
    runs: list[str] = field(default_factory=list)

    async def drive(
        self,
        plan: Plan,
        deployment: Deployment,
        load: Load,
        *,
        stop: asyncio.Event,
        on_progress: Callable[[Progress], None] | None,
    ) -> Driven:
        assert (load.requests, load.concurrency) == (1, 1)
        self.steps.append("call")
        self.runs.append(plan.run)
        call = CallRecord(0, plan.run, plan.run, True, 1, 1, 2, "OK")
        return Driven([call], [], Elapsed(1, 1), {"from": "here"})


async def driven(deployment: Fake, *, times: int = 3, stop: asyncio.Event | None = None) -> Driven:
    source = FromZero(times, One(deployment.steps), within_s=7.0)
    return await source.drive(PLAN, deployment, LOAD, stop=stop or asyncio.Event(), on_progress=None)


async def test_each_call_is_sent_once_all_are_at_zero() -> None:
    deployment = Fake()
    found = await driven(deployment)
    assert deployment.steps == ["zero", "call"] * 3
    assert [each.seq for each in found.calls] == [0, 1, 2]
    assert len({each.call for each in found.calls}) == 3, "no two calls have the same id"
    assert found.forced is not None
    assert (found.forced.asked, found.forced.how, found.forced.settings) == (3, "asked nicely", {"window": "6s"})


async def test_a_chain_that_never_gets_to_zero_is_an_error_with_the_cause() -> None:
    with pytest.raises(EngineError, match="consumer-1 is kept after 7 s"):
        await driven(Fake(warm_at=0))


async def test_what_does_not_go_away_later_ends_the_repetitions_and_is_told_and_counted() -> None:
    deployment = Fake(warm_at=2)
    found = await driven(deployment, times=5)
    assert deployment.steps == ["zero", "call"] * 2
    assert [each.text for each in found.incidents] == ["repetition 3 was given up: pod consumer-1 is kept after 7 s"]
    samples = cold.samples(CHAIN, found.calls, Evidence(), found, emulated=True)
    told = cold.measured(samples, found)
    assert told is not None
    assert (told.asked, told.tried, told.n) == (5, 3, 0)
    assert told.failures[2] == "repetition 3: pod consumer-1 is kept after 7 s"
    assert "no receipt of producer, consumer came" in told.failures[0], "who answered without a receipt proves nothing"


async def test_whoever_interrupts_keeps_the_repetitions_that_are_there() -> None:
    stop = asyncio.Event()
    deployment = Fake()
    deployment.on_cool = lambda: stop.set() if deployment.steps.count("zero") == 2 else None
    found = await driven(deployment, times=9, stop=stop)
    assert deployment.steps == ["zero", "call", "zero"]
    assert [each.seq for each in found.calls] == [0]
    told = cold.measured(cold.samples(CHAIN, found.calls, Evidence(), found, emulated=True), found)
    assert told is not None
    assert (told.asked, told.tried) == (9, 1)


async def test_a_load_that_forces_nothing_has_no_samples() -> None:
    plain = Driven((), (), Elapsed(0, 0))
    assert cold.samples(CHAIN, (), Evidence(), plain, emulated=True) == []
    assert cold.measured([], plain) is None
