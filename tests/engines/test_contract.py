"""One contract for every engine: what the real one keeps, the stand-in keeps too."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Callable

import pytest

from tests.chains.running import FEW, red
from toolkit import catalog
from toolkit import plan as plans
from toolkit.engines.base import Engine
from toolkit.engines.collector import Collector
from toolkit.engines.local.engine import LocalEngine
from toolkit.engines.local.from_zero import EngineFromZero
from toolkit.errors import EngineError
from toolkit.run import Order, run
from toolkit.testing.inprocess import InProcessEngine

ENGINES = {"local": LocalEngine, "from-zero": EngineFromZero, "in-process": InProcessEngine}
EVERY = pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
MakeEngine = Callable[[], Engine]


def answers(target: str) -> bool:
    host, _, port = target.rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


@EVERY
@pytest.mark.parametrize("chain", ["chained-serving", "chained-eventing", "chained-mixed"])
async def test_a_chain_keeps_its_promises(engine: MakeEngine, chain: str) -> None:
    report = (await run(Order(catalog.load(chain, {"payload": "10KiB"}), FEW), engine())).report
    assert red(report) == set(), [check for check in report.checks if not check.passed]
    assert report.measurement.traces_complete == FEW.requests
    assert report.emulated


async def test_a_run_says_when_its_load_began_and_not_only_when_it_was_deployed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("toolkit.environment.wall_clock", lambda monotonic_ns: f"at {monotonic_ns}")
    found = await run(Order(catalog.load("chained-serving", {}), FEW), InProcessEngine())
    assert found.report.load_started == f"at {min(call.due_ns for call in found.calls)}"


@EVERY
async def test_a_deployment_can_be_deleted_more_than_once_and_listens_no_more(engine: MakeEngine) -> None:
    plan = plans.make(catalog.load("chained-mixed", {}), "run")
    async with Collector() as collector:
        deployment = await engine().deploy(plan, receipts=collector.address)
        targets = list(deployment.bound.targets.values())
        assert len(targets) == 4
        assert all(map(answers, targets))
        await deployment.delete()
        await deployment.delete()
    assert not any(map(answers, targets))


@EVERY
async def test_the_entry_is_where_the_plan_binds_it(engine: MakeEngine) -> None:
    plan = plans.make(catalog.load("chained-eventing", {}), "run")
    async with Collector() as collector:
        deployment = await engine().deploy(plan, receipts=collector.address)
        try:
            assert deployment.entry.target == deployment.bound.targets["producer"]
            assert deployment.bound.sink is not None
            assert deployment.bound.sink.endswith("/chained-eventing/default")
            assert deployment.incidents() == []
            assert await deployment.spans([], []) == []
        finally:
            await deployment.delete()


@EVERY
async def test_a_handler_that_cannot_be_loaded_is_an_engine_error_with_the_reason(engine: MakeEngine) -> None:
    plan = plans.make(catalog.load("chained-serving", {}), "run")
    consumer = dataclasses.replace(plan.wirings["consumer"], handler="no_such_module:handle")
    broken = dataclasses.replace(plan, wirings={**plan.wirings, "consumer": consumer})
    async with Collector() as collector:
        with pytest.raises(EngineError, match="no_such_module"):
            await engine().deploy(broken, receipts=collector.address)
