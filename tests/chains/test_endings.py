"""How a run ends: not before what is under way has arrived, and never without its numbers."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.chains.running import FEW, Broken, outcome, red
from toolkit import catalog
from toolkit.engines import tracestore
from toolkit.engines.local.engine import LocalDeployment, LocalEngine
from toolkit.results import Load
from toolkit.testing.inprocess import InProcessEngine

SHAPES = Path(__file__).parent / "shapes"


@pytest.mark.parametrize("engine", [LocalEngine, InProcessEngine], ids=["local", "in-process"])
async def test_a_slow_asynchronous_chain_is_waited_for_through_its_silences(
    engine: type[LocalEngine] | type[InProcessEngine],
) -> None:
    done = await outcome(catalog.load(str(SHAPES / "slow"), {}), engine())
    assert red(done.report) == set(), [check for check in done.report.checks if not check.passed]
    failed = [each for each in done.evidence.receipts if each.receipt.error is not None]
    assert {each.receipt.function for each in failed} == {"consumer"}
    assert len(failed) == FEW.requests


async def test_a_chain_that_will_never_settle_is_given_up_and_the_events_are_named() -> None:
    """The relay takes longer than anybody waits: what it was given is cut off, and that is told."""
    chain = catalog.load(str(SHAPES / "slow"), {"pause": "60s"})
    report = (await outcome(chain, LocalEngine(), Load(requests=3, concurrency=1), settle_s=0.5)).report
    assert "clean" in red(report)
    assert sum(each.count for each in report.incidents if each.kind == "undelivered") == 3


async def test_a_zipkin_that_dies_costs_the_run_its_spans_and_nothing_else() -> None:
    store = await tracestore.serve()

    async def die(deployment: LocalDeployment) -> None:
        await store.close()

    report = (await outcome("chained-serving", Broken(LocalEngine(zipkin=store.url), then=die))).report
    assert red(report) == {"traced", "clean"}
    assert report.measurement.ok == FEW.requests
    assert any("the spans could not be had" in incident.text for incident in report.incidents)


DIES = """
import os

async def produce(ctx, request):
    if request.name == "9":
        os._exit(4)
    return "alive"
"""


@pytest.mark.parametrize("attempt", range(3))
async def test_a_function_that_dies_over_the_last_call_is_named_every_time(tmp_path: Path, attempt: int) -> None:
    (tmp_path / "chain.yaml").write_text('name: dies\nfunctions: {only: {handler: "handlers.py:produce"}}\nedges: []\n')
    (tmp_path / "handlers.py").write_text(DIES)
    report = (await outcome(str(tmp_path), load=Load(requests=10, concurrency=1))).report
    assert red(report) == {"steady"}
    assert [incident.subject for incident in report.incidents] == ["only"]
    assert "left with exit status 4" in report.incidents[0].text


async def test_a_function_that_a_real_time_signal_ended_is_named_too() -> None:
    async def end(deployment: LocalDeployment) -> None:
        pid = deployment.functions[-1].pid
        assert pid is not None
        os.kill(pid, signal.SIGRTMIN + 2)

    report = (await outcome("chained-serving", Broken(LocalEngine(), then=end))).report
    assert red(report) == {"steady"}
    assert "was ended by signal" in report.incidents[0].text or "SIGRT" in report.incidents[0].text
