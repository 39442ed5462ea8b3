"""The local engine's functions at zero: nobody is there, the first request starts them, and every call is cold."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping

import pytest

from tests.chains.running import red
from toolkit import catalog
from toolkit import plan as plans
from toolkit.cold import FromZero, soon_asleep
from toolkit.engines import health
from toolkit.engines.collector import Collector
from toolkit.engines.here import Here
from toolkit.engines.local.activator import EMPTY_SETTINGS, Opening
from toolkit.engines.local.engine import LocalEngine
from toolkit.engines.local.from_zero import DeploymentFromZero, EngineFromZero
from toolkit.errors import EngineError, UsageError
from toolkit.results import ColdStarts, Load
from toolkit.run import Order, Outcome, run
from toolkit.spec.model import ChainSpec, Scale
from toolkit.testing.inprocess import InProcessEngine

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
ACK = bytes((0, 0, 0, 4, 1, 0, 0, 0, 0))
REQUEST = bytes((0, 0, 3, 1, 4, 0, 0, 0, 1)) + b"abc"


async def cold(chain: str, times: int, parameters: Mapping[str, str] | None = None) -> Outcome:
    order = Order(soon_asleep(catalog.load(chain, parameters or {})), Load(requests=times, concurrency=1))
    return await run(order, EngineFromZero(), source=FromZero(times, Here()))


def starts(outcome: Outcome) -> ColdStarts:
    found = outcome.report.measurement.cold_starts
    assert found is not None
    return found


@pytest.mark.parametrize("chain", ["chained-serving", "chained-eventing"])
async def test_every_call_is_cold_and_its_time_is_split(chain: str) -> None:
    outcome = await cold(chain, 2)
    assert red(outcome.report) == set(), outcome.report.incidents
    found, said = starts(outcome), outcome.report.measurement.witnesses
    assert (found.asked, found.n, found.failures) == (2, 2, ())
    assert said is not None
    assert (said.instance, said.pod, said.disagree) == (2, 2, 0)
    assert {each.function for each in found.segments} == {"producer", "consumer", None}
    assert all(each.cold and each.instance for each in outcome.calls)
    assert len({each.instance for each in outcome.calls}) == 2, "each call met another process"
    for each in outcome.cold:
        assert each.end_to_end_us == pytest.approx(sum(stretch.us for stretch in each.stretches))


async def test_at_zero_no_process_is_left_and_one_request_brings_one_back() -> None:
    plan = plans.make(catalog.load("chained-serving", {}), "run")
    async with Collector() as collector:
        deployment = await EngineFromZero().deploy(plan, receipts=collector.address)
        try:
            assert isinstance(deployment, DeploymentFromZero)
            await deployment.cool(10.0)
            assert [each.pid for each in deployment.functions] == [None, None]
            assert deployment.instances() == []
            asked = await asyncio.gather(*(health.complaint(deployment.entry.target) for _ in range(5)))
            assert asked == [None] * 5
            awake = {each.name: each.pid is not None for each in deployment.functions}
            assert awake == {"producer": True, "consumer": False}
            assert [each.function for each in deployment.instances()] == ["producer"], "five requests, one start"
            await deployment.cool(10.0)
            assert [each.pid for each in deployment.functions] == [None, None]
        finally:
            await deployment.delete()


async def test_a_function_that_does_not_come_up_is_a_failed_call_never_a_time() -> None:
    class Broken(DeploymentFromZero):
        async def cool(self, within_s: float) -> None:
            await super().cool(within_s)
            self._environment = {"consumer": {"TOOLKIT_WIRING": "{"}}

    class Engine(EngineFromZero):
        @property
        def _deployment(self) -> type[Broken]:
            return Broken

    order = Order(soon_asleep(catalog.load("chained-serving", {})), Load(requests=1, concurrency=1))
    outcome = await run(order, Engine(), source=FromZero(1, Here()))
    found = starts(outcome)
    assert (found.tried, found.n, found.failed) == (1, 0, 1)
    assert "repetition 1: the call failed: UNAVAILABLE" in found.failures[0]
    assert found.end_to_end_us is None
    assert red(outcome.report) == {"steady"}, "it was started again and again"


async def test_an_engine_that_cannot_is_told_apart() -> None:
    order = Order(catalog.load("chained-serving", {}), Load(requests=1, concurrency=1))
    for engine in (LocalEngine(), InProcessEngine()):
        with pytest.raises(EngineError, match="cannot bring functions to zero"):
            await run(order, engine, source=FromZero(1, Here()))


def scaled(scale: Scale) -> ChainSpec:
    """chained-serving whose producer says so."""
    chain = catalog.load("chained-serving", {})
    producer, consumer = chain.functions
    own = dataclasses.replace(producer, scale=scale)
    return dataclasses.replace(chain, functions=(own, consumer))


@pytest.mark.parametrize(
    ("scale", "why"),
    [
        (Scale(min=2), r"scale\.min 2"),
        (Scale(metric="cpu"), r"scale\.metric cpu"),
        (Scale(autoscaler="hpa"), r"scale\.autoscaler hpa"),
    ],
)
def test_a_chain_that_keeps_instances_is_refused_before_anything_runs(scale: Scale, why: str) -> None:
    with pytest.raises(UsageError, match=f"producer has {why}"):
        soon_asleep(scaled(scale))


def test_a_chain_s_own_window_is_left_alone() -> None:
    producer, consumer = soon_asleep(scaled(Scale(window_s=20.0))).functions
    assert (producer.scale.window_s, producer.scale.retention_s) == (20.0, 0.0)
    assert (consumer.scale.window_s, consumer.scale.retention_s) == (6.0, 0.0)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_opening_is_passed_on_without_the_answer_to_our_settings(size: int) -> None:
    whole = PREFACE + EMPTY_SETTINGS + ACK + REQUEST + ACK
    opening, passed = Opening(), b""
    for at in range(0, len(whole), size):
        passed += opening.feed(whole[at : at + size])
    assert opening.requested
    assert passed == PREFACE + EMPTY_SETTINGS + REQUEST + ACK, "the second one answers the function's own"


def test_a_dialled_connection_is_no_request() -> None:
    opening = Opening()
    opening.feed(PREFACE + EMPTY_SETTINGS + ACK)
    assert not opening.requested
