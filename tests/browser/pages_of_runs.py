"""Pages for the browser: of an ordinary run, of one whose every text is hostile, of a large load, of two runs."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from tests.unit.measure.columns import changed_all, rows
from tests.unit.report.sample import LATENCY, REPORT
from toolkit import pages
from toolkit.columns import COLD, LOST, WARMUP
from toolkit.measure import quantiles
from toolkit.measure.rows import Rows, populations
from toolkit.report.html.page import Side
from toolkit.results import (
    CallNumbers,
    Check,
    ColdSegment,
    ColdStarts,
    ColdWitnesses,
    Generator,
    Hop,
    Incident,
    Load,
    LoadReport,
    PathPart,
    Report,
)

MS = 1_000_000
HOSTILE = (
    "</script></style></title><script>document.title='owned'</script><img src=x onerror=alert(1)> "
    "\u202e \x1b[31m {{ 7*7 }} "
)
LONG = "日本語" * 60


def calls(count: int, seed: int = 1, slower: float = 1.0) -> Rows:
    """A hundred a second, with a tail, a stall, a cold start and some that failed."""
    draw = np.random.default_rng(seed)
    took = draw.lognormal(np.log(3.5 * slower), 0.35, count) * MS
    stall = count // 2
    took[stall : stall + 20] += np.linspace(120, 0, len(took[stall : stall + 20])) * MS
    made = rows(count, every_ns=10 * MS, latency_ns=took.astype(np.int64))
    made["sent_ns"] = made["due_ns"] + draw.integers(5_000, 400_000, count)
    return changed_all(
        made,
        {0: {"flags": COLD, "done_ns": int(made["due_ns"][0]) + 210 * MS}, 30: {"status": 1}, 31: {"status": 1}}
        | {40: {"status": LOST, "done_ns": 0}},
    )


@cache
def ordinary() -> Side:
    made = calls(1200)
    found = populations(made)
    measurement = replace(
        REPORT.measurement,
        invalid=(),
        latency_us=replace(quantiles(found.latency / 1e3) or LATENCY, ci95={"p50": (3400.0, 3600.0)}),
        service_time_us=quantiles(found.service_time / 1e3),
        cold=quantiles(found.cold / 1e3),
        witnesses=ColdWitnesses(1, 1, None, 0),
        cold_starts=ColdStarts(
            asked=3,
            tried=3,
            n=2,
            how="scaled to zero by hand",
            end_to_end_us=None,
            segments=(
                ColdSegment("producer", "scheduled", 2, None, 900_000.0, 1_100_000.0, 1_000_000.0, 0.4),
                ColdSegment("producer", "started", 2, None, 1_200_000.0, 1_800_000.0, 1_500_000.0, 0.6),
            ),
            failures=("repetition 3: still there after 30 s",),
            settings={"scale-to-zero-grace-period": "30s"},
        ),
        hops=(
            Hop("caller", "producer", "call", 1196, 3400.0, 8100.0, 1.0),
            Hop("producer", "consumer", "event", 1196, 1100.0, 3100.0, 0.34),
        ),
        critical_path=(
            PathPart("caller → producer (call)", 1196, 1900.0, 4000.0, 0.55),
            PathPart("producer → consumer (event)", 1196, 900.0, 3000.0, 0.30),
            PathPart("producer", 1196, 100.0, 200.0, 0.10),
            PathPart("unattributed", 1196, 10.0, 20.0, 0.05),
        ),
    )
    good = (Check("answered", True, "all calls answered OK", "1,200 answered OK"), *REPORT.checks)
    return pages.side(
        replace(REPORT, chain="chained-eventing", measurement=measurement, checks=good, partial=False), made
    )


@cache
def hostile() -> Side:
    """Whatever a stranger can name or say is an attack, or endless."""
    report = replace(
        REPORT,
        chain=HOSTILE,
        run=HOSTILE,
        engine=HOSTILE,
        parameters={HOSTILE: HOSTILE, "long": LONG},
        environment={HOSTILE: {HOSTILE: HOSTILE}, "long": "x" * 500},
        notes=(HOSTILE, LONG),
        incidents=(Incident("restart", HOSTILE, LONG + HOSTILE, (HOSTILE, "x" * 400)),),
        checks=(Check(HOSTILE, False, HOSTILE, LONG, (HOSTILE,)),),
        measurement=replace(
            REPORT.measurement,
            hops=(Hop(HOSTILE, "y" * 300, HOSTILE, 5, 1.0, None, 0.5),),
            critical_path=(PathPart(HOSTILE, 3, 1.0, None, 1.0),),
            invalid=(HOSTILE, LONG),
        ),
    )
    return pages.side(report, calls(300))


@cache
def load() -> Side:
    """A load that is no chain's, with too many calls for a dot each."""
    made = calls(20_000)
    made["flags"][:500] |= WARMUP
    found = populations(made)
    numbers = CallNumbers(
        sent=19_500,
        ok=19_497,
        failed=2,
        lost=1,
        refused=0,
        duration_s=200.0,
        achieved_rate=100.0,
        lateness_us=quantiles((made["sent_ns"] - made["due_ns"]) / 1e3),
        latency_us=quantiles(found.latency / 1e3),
        service_time_us=quantiles(found.service_time / 1e3),
        statuses=(("OK", 19_497), ("UNAVAILABLE", 2), ("LOST", 1)),
        errors=(("UNAVAILABLE", "connection refused", 2),),
        warmup=500,
    )
    return pages.side(
        LoadReport(
            run="load-20240501-120000-abc123",
            target="h2c://127.0.0.1:50051/helloworld.Greeter/SayHello",
            started="2024-05-01T12:00:00.000Z",
            toolkit_version="0.1.0",
            environment={"cpus": 2, "python": "3.11.7"},
            command=("toolkit", "load", "--rate", "100"),
            load=Load(duration_s=200.0, rate=100.0, arrivals="poisson"),
            connections=4,
            drain_s=30.0,
            warmup="5s",
            generators=(Generator(10_000, "whole", 0.4, 90 << 20), Generator(10_000, "whole", 0.42, 91 << 20)),
            numbers=numbers,
            statuses=("OK", "UNAVAILABLE"),
        ),
        made,
    )


@cache
def nothing() -> Side:
    """A run that was interrupted before its first call."""
    empty = replace(
        REPORT.measurement,
        latency_us=None,
        service_time_us=None,
        completion_us=None,
        cold=None,
        lateness_us=None,
        achieved_rate=None,
        hops=(),
        critical_path=(),
        invalid=("nothing was sent",),
    )
    report: Report = replace(REPORT, measurement=empty, checks=(), incidents=(), notes=(), partial=True)
    return pages.side(report, rows(0))


def documents() -> dict[str, str]:
    return {
        "ordinary": pages.render(ordinary()),
        "hostile": pages.render(hostile()),
        "load": pages.render(load()),
        "nothing": pages.render(nothing()),
        "beside": pages.render(ordinary(), pages.side(REPORT, calls(900, seed=2, slower=1.3))),
    }
