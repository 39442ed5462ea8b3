"""A load that comes from elsewhere: what its source tells is in the report."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from toolkit import catalog
from toolkit.engines.base import Deployment, Driven
from toolkit.engines.here import Here
from toolkit.plan import Plan
from toolkit.report.text import render
from toolkit.results import Incident, Load, Progress
from toolkit.run import Order, run
from toolkit.testing.inprocess import InProcessEngine

LOST = "generator 2 of 2 was gone during the load: it was killed"


class Elsewhere:
    """Sends the load from here, and tells of it as a source would that lost a generator with one call."""

    async def drive(
        self,
        plan: Plan,
        deployment: Deployment,
        load: Load,
        *,
        stop: asyncio.Event,
        on_progress: Callable[[Progress], None] | None,
    ) -> Driven:
        found = await Here().drive(plan, deployment, load, stop=stop, on_progress=on_progress)
        *others, last = found.calls
        lost = replace(last, done_ns=None, status=None, reply=None, reply_digest=None, size=0, digest="", error=LOST)
        return replace(
            found,
            calls=[*others, lost],
            origin={"from": "elsewhere", "generators": 2, "clock_error_us": 120.0},
            notes=("it came from elsewhere",),
            invalid=(LOST,),
            incidents=(Incident("warning", "load-x-1", LOST),),
        )


async def test_what_a_source_lost_makes_the_run_no_measurement_and_is_told() -> None:
    order = Order(catalog.load("chained-serving"), Load(requests=10, rate=100.0))
    report = (await run(order, InProcessEngine(), source=Elsewhere())).report
    assert report.environment["load"] == {"from": "elsewhere", "generators": 2, "clock_error_us": 120.0}
    assert report.measurement.clock_error_us == 120.0
    assert LOST in report.measurement.invalid
    assert report.notes[0] == "it came from elsewhere"
    assert [each.text for each in report.incidents] == [LOST]
    assert (report.measurement.ok, report.measurement.lost) == (9, 1)
    red = {each.name for each in report.checks if not each.passed}
    assert red == {"answered", "clean"}  # and not `intact`: nobody knows what left


async def test_without_a_source_the_load_comes_from_here() -> None:
    order = Order(catalog.load("chained-serving"), Load(requests=5, rate=100.0))
    report = (await run(order, InProcessEngine())).report
    origin = report.environment["load"]
    assert (origin["from"], origin["generators"]) == ("here", 1)
    assert report.measurement.clock_error_us is None  # one clock


async def test_a_chain_with_events_tells_whether_it_kept_up() -> None:
    order = Order(catalog.load("chained-eventing"), Load(requests=10, rate=100.0))
    report = (await run(order, InProcessEngine())).report
    found = report.measurement.completions
    assert found is not None
    assert found.completed == report.measurement.ok == 10
    assert "behind when the last was sent" in render(report)
