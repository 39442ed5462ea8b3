"""Patterns that are broken in one place: verification goes red where it should, and says what is wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chains.running import Broken, outcome, red
from tests.chains.test_patterns import PATTERNS
from toolkit import catalog
from toolkit.contract import Outgoing
from toolkit.engines.local.engine import LocalEngine
from toolkit.plan import Plan
from toolkit.results import Load, Report

FEW = Load(requests=4, concurrency=2, timeout_s=20)


async def broken(pattern: str, change: Callable[[Plan], Plan], /, **parameters: object) -> Report:
    """The report of a pattern whose functions were told something else than its chain says."""
    chain = catalog.load(
        str(PATTERNS / f"{pattern}.chain.yaml"), {name: str(value) for name, value in parameters.items()}
    )
    return (await outcome(chain, Broken(LocalEngine(), change=change), FEW)).report


def edges(function: str, change: Callable[[Outgoing], Outgoing]) -> Callable[[Plan], Plan]:
    """The edges out of a function, as its scaffold knows them, are others."""

    def changed(plan: Plan) -> Plan:
        wiring = plan.wirings[function]
        outgoing = tuple(change(each) for each in wiring.outgoing)
        return dataclasses.replace(
            plan, wirings={**plan.wirings, function: dataclasses.replace(wiring, outgoing=outgoing)}
        )

    return changed


def handled_by(function: str, folder: Path, name: str, source: str) -> Callable[[Plan], Plan]:
    """Another handler in the place of a function's own, that finds the modules beside the own one."""
    text = f"import sys\nsys.path.insert(0, {str(PATTERNS)!r})\nimport work\nfrom toolkit.sdk import *\n{source}"
    (folder / "another.py").write_text(text)

    def changed(plan: Plan) -> Plan:
        wiring = dataclasses.replace(plan.wirings[function], handler=f"{folder}/another.py:{name}")
        return dataclasses.replace(plan, wirings={**plan.wirings, function: wiring})

    return changed


def free(edge: Outgoing) -> Outgoing:
    """The scaffold lets anything through."""
    return dataclasses.replace(edge, least=0, most=None, choice=None, loop=None)


def both(*changes: Callable[[Plan], Plan]) -> Callable[[Plan], Plan]:
    def changed(plan: Plan) -> Plan:
        for change in changes:
            plan = change(plan)
        return plan

    return changed


def told(report: Report, name: str) -> str:
    return next(check.got for check in report.checks if check.name == name)


ONE_TOO_FEW = """
async def scatter(ctx, request):
    numbers = work.generate_input(ctx.seed, int(ctx.parameters["size"]))
    replies = await ctx.scatter(numbers[1:])
    return str([work.worked(numbers[0]), *(reply.json() for reply in replies)])
"""
BOTH_WAYS = """
async def choose(ctx, request):
    replies = [await ctx.call("which?", to=to) for to in ("left", "right")]
    return replies[ctx.seed % 2].text
"""
WRONG_SQUARE = """
async def square(ctx, message):
    return work.worked(message.json()) + 1
"""
NEEDLESS = """
from toolkit.sdk import attempts, edges, sending
async def ask(ctx, request):
    number = work.generate_input(ctx.seed, 1)[0]
    reply = await ctx.call(number, to="moody")
    handling = ctx._handling
    deputy = next(each for each in handling.wiring.outgoing if each.to == "deputy")
    await sending.call(handling, deputy, Message.of(number), 5.0, handling.next_id())
    return str([reply.json()])
"""


async def test_a_scatter_that_leaves_out_a_part_is_followeds_though_its_answer_is_right(tmp_path: Path) -> None:
    change = both(edges("split", free), handled_by("split", tmp_path, "scatter", ONE_TOO_FEW))
    report = await broken("scatter", change)
    assert red(report) == {"followed"}
    assert "split sent a call to worker 3 times, not 4" in told(report, "followed")


async def test_both_branches_of_a_choice_are_followeds(tmp_path: Path) -> None:
    change = both(edges("chooser", free), handled_by("chooser", tmp_path, "choose", BOTH_WAYS))
    report = await broken("choice", change)
    assert red(report) == {"followed"}
    assert "chooser took 2 edges of the choice way, not 1: a call to left and a call to right" in told(
        report, "followed"
    )


@pytest.mark.parametrize("pattern", ["loop", "circle"])
async def test_a_loop_beyond_its_bound_is_followeds(pattern: str) -> None:
    report = await broken(pattern, edges("counter", free), size=6, bound=4)
    assert red(report) == {"followed"}
    assert "times over counter → counter, which may loop 4 times" in told(report, "followed")


async def test_more_attempts_than_the_chain_says_are_followeds() -> None:
    change = edges("caller-of-it", lambda edge: dataclasses.replace(edge, retry=5) if edge.to == "moody" else edge)
    report = await broken("retry", change, refusals=3, retries=1)
    assert red(report) == {"followed"}
    assert "caller-of-it tried a call to moody 4 times, not 1 to 2" in told(report, "followed")


async def test_a_fallback_before_the_attempts_were_made_is_followeds() -> None:
    change = edges("caller-of-it", lambda edge: dataclasses.replace(edge, retry=0))
    report = await broken("retry", change, refusals=-1, retries=2)
    assert red(report) == {"followed"}
    assert "caller-of-it tried a call to moody 1 times, not 3, before it gave up" in told(report, "followed")


async def test_a_fallback_that_nobody_needed_is_followeds(tmp_path: Path) -> None:
    change = both(edges("caller-of-it", free), handled_by("caller-of-it", tmp_path, "ask", NEEDLESS))
    report = await broken("retry", change, refusals=0)
    assert red(report) == {"followed"}
    assert "caller-of-it sent a call to deputy 1 times in the place of nothing" in told(report, "followed")


async def test_a_wrong_answer_is_expecteds_and_nothing_elses(tmp_path: Path) -> None:
    report = await broken("scatter", handled_by("worker", tmp_path, "square", WRONG_SQUARE))
    assert red(report) == {"expected"}
    assert told(report, "expected").startswith("4 wrong: call 0 (")


async def test_a_join_that_runs_without_all_parts_is_found(tmp_path: Path) -> None:
    """The function waits for three of five."""

    def change(plan: Plan) -> Plan:
        wiring = dataclasses.replace(plan.wirings["reducer"], join=3)
        return dataclasses.replace(plan, wirings={**plan.wirings, "reducer": wiring})

    report = await broken("map", change, size=5)
    assert red(report) == {"delivered", "expected"}
    assert "reducer joined 3 of 5" in told(report, "delivered")


async def test_a_join_that_waits_for_ever_is_delivereds_and_has_no_answer() -> None:
    def change(plan: Plan) -> Plan:
        wiring = dataclasses.replace(plan.wirings["last"], join=3)
        return dataclasses.replace(plan, wirings={**plan.wirings, "last": wiring})

    report = await broken("join", change)
    assert red(report) == {"delivered", "expected"}
    assert "the join of last never ran though all 2 came" in told(report, "delivered")
