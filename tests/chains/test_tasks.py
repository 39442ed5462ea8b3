"""Tasks on the local engine: each done once, whoever is killed meanwhile, and never more than the chain allows."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import signal
from collections import Counter
from pathlib import Path

from tests.chains.running import Broken, outcome, red
from toolkit import catalog
from toolkit.contract import LEDGER
from toolkit.engines.local.engine import LocalDeployment, LocalEngine
from toolkit.engines.waiting import until
from toolkit.results import Check, Load, TaskRecord
from toolkit.run import Order, Outcome, run
from toolkit.sdk.ledger import LedgerClient
from toolkit.spec.model import ChainSpec

SHAPES = Path(__file__).parent / "shapes"
ONE = Load(requests=1, concurrency=1, timeout_s=20)
FEW = Load(requests=6, concurrency=3, timeout_s=20)


def dying(benchmark: str, function: str, **parameters: str) -> ChainSpec:
    """The benchmark, with a function whose process is killed once between a task's beginning and its end."""
    chain, name = catalog.load(benchmark, parameters), f"handlers.py:{function}"
    functions = tuple(
        dataclasses.replace(each, handler=name, folder=str(SHAPES / "dying")) if each.name == function else each
        for each in chain.functions
    )
    return dataclasses.replace(chain, functions=functions)


def tasks_of(found: Outcome) -> list[TaskRecord]:
    assert found.evidence.tasks is not None
    return list(found.evidence.tasks)


def check(found: Outcome, name: str) -> Check:
    return next(each for each in found.report.checks if each.name == name)


async def test_calls_at_once_count_and_sort_for_themselves() -> None:
    for benchmark in ("counter", "quicksort"):
        found = await outcome(benchmark, load=FEW)
        assert red(found.report) == set(), found.report.checks
        assert len({each.call for each in tasks_of(found)}) == FEW.requests


async def test_a_count_to_a_thousand_is_right_though_a_worker_is_killed_midway() -> None:
    found = await outcome(dying("counter", "step", limit="1000"), load=ONE)
    assert red(found.report) == {"steady"}, found.report.checks
    assert check(found, "tasks").got == "1,000 tasks done once; 1 task begun more than once"
    assert [each.subject for each in found.report.incidents if each.kind == "restart"] == ["step"]


async def test_a_hundred_thousand_numbers_are_sorted_though_a_worker_is_killed_midway() -> None:
    found = await outcome(dying("quicksort", "sort", size="100000"), load=ONE)
    assert red(found.report) == {"steady"}, found.report.checks
    assert Counter(each.state for each in tasks_of(found)).keys() == {"done"}
    assert check(found, "expected").got == "1 right"


class LedgerKiller:
    """Kills the ledger's process once it knows of so many tasks."""

    def __init__(self, tasks: int) -> None:
        self._tasks = tasks
        self.killed: asyncio.Task[None] | None = None

    async def meet(self, deployment: LocalDeployment) -> None:
        self.killed = asyncio.create_task(self._kill(deployment))

    async def _kill(self, deployment: LocalDeployment) -> None:
        assert deployment.ledger is not None
        client = LedgerClient(deployment.ledger)

        async def far_enough() -> bool:
            return (await client.state())["tasks"] >= self._tasks

        assert await until(far_enough, within_s=30)
        await client.close()
        (ledger,) = (each for each in deployment.services if each.name == LEDGER)
        ledger.signal(signal.SIGKILL)


async def test_a_killed_ledger_goes_on_where_it_was() -> None:
    killer = LedgerKiller(tasks=100)
    order = Order(catalog.load("counter", {"limit": "300"}), ONE)
    found = await run(order, Broken(LocalEngine(), then=killer.meet))
    assert killer.killed is not None
    await killer.killed
    assert red(found.report) == {"steady"}, found.report.checks
    assert [each.subject for each in found.report.incidents] == [LEDGER]
    assert check(found, "tasks").got.startswith("300 tasks done once")


async def test_a_runaway_is_stopped_by_the_bound_and_its_call_still_ends() -> None:
    found = await outcome(str(SHAPES / "runaway"), load=ONE)
    counts = Counter(each.state for each in tasks_of(found))
    assert len(tasks_of(found)) == 101
    assert counts.keys() == {"done", "failed"}
    assert red(found.report) == {"tasks"}, found.report.checks
    assert check(found, "tasks").got.startswith(f"1 wrong: {counts['failed']} of 101 tasks failed")
    errors = {each.receipt.error for each in found.evidence.receipts} - {None}
    allowed = "the edge from breed to breed allows 100 tasks of a call (`tasks: 100`), and that many were spawned"
    assert errors == {f"FAILED_PRECONDITION: {allowed}"}


async def test_whoever_finds_cancels_the_others_and_the_end_is_told_once() -> None:
    found = await outcome(dataclasses.replace(catalog.load(str(SHAPES / "search"), {}), expect="none"), load=ONE)
    states = Counter(each.state for each in tasks_of(found))
    assert sum(states.values()) == 40
    assert states.keys() == {"done", "cancelled"}
    (answer,) = {each.receipt.answer for each in found.evidence.receipts if each.receipt.function == "finish"}
    assert json.loads(answer or "") == {
        "said": {"tasks": 40, "failed": 0, "cancelled": states["cancelled"]},
        "found": [{"found": 0, "cancelled": True}],
    }
