"""How intervals, comparisons, trials and searches for a capacity are told."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np

from tests.unit.report.sample import LATENCY, REPORT
from toolkit.measure import comparison
from toolkit.measure.comparison import Sample
from toolkit.report import capacity, compare, trials
from toolkit.report.json import to_json
from toolkit.report.reading import from_json
from toolkit.report.tables import quantile_table
from toolkit.verdicts import Capacity, Comparison, Difference, Group, Interval, Judged, Side, Spread, Step, Trial

KNOWN = replace(LATENCY, ci95={"p50": (2050.0, 2150.0), "p99": (8000.0, 11_000.0)})


def compared(shift: float, n: int = 2000) -> Comparison:
    random, none = np.random.default_rng(1), np.empty(0)
    a, b = (Sample(k * random.lognormal(8, 0.2, n), none, none, np.zeros(n, dtype=np.bool_)) for k in (1.0, shift))
    rows = comparison.compare([a], [b])
    differ = (Difference("engine", "local", "knative\x1b[2J", True), Difference("commit", "a", "b", False))
    sides = Side("first", ("run-1",), n), Side("second", ("run-2", "run-3"), n)
    second = comparison.second_opinion([a], [b])
    return Comparison(*sides, 0.05, 0.95, rows, comparison.overall(rows), differ, second, ("a note",))


def test_a_latency_table_ends_with_where_the_quantiles_are() -> None:
    *_, last = quantile_table({"latency": KNOWN}, 120)
    assert last == "latency, 95 % sure: p50 2.05 to 2.15 · p99 8.00 to 11.0 ms"
    assert "sure" not in "".join(quantile_table({"latency": LATENCY}, 120))


def test_intervals_survive_the_way_through_a_file() -> None:
    report = replace(REPORT, measurement=replace(REPORT.measurement, latency_us=KNOWN))
    document = json.loads(json.dumps(to_json(report)))
    assert document["latency_us"]["ci95"] == {"p50": [2050.0, 2150.0], "p99": [8000.0, 11_000.0]}
    assert document["service_time_us"]["ci95"] is None
    assert from_json(document, "report.json") == report


def test_a_report_from_before_there_were_intervals_can_be_read() -> None:
    document = json.loads(json.dumps(to_json(REPORT)))
    del document["latency_us"]["ci95"]
    assert from_json(document, "report.json") == REPORT


def test_a_comparison_tells_both_sides_every_metric_and_the_verdict() -> None:
    told = compare.text(compared(1.5))
    assert "A  first · run-1" in told
    assert "B  second · 2 runs" in told
    assert "✗ worse" in told
    assert "✗ B is WORSE than A" in told
    assert "Cliff's delta" in told
    assert "note: a note" in told
    assert "! engine: local → knative" in told
    assert "\x1b" not in told


def test_the_verdict_on_two_single_runs_says_that_it_is_about_them_only() -> None:
    found = compared(1.5)
    assert "of these two runs only" not in compare.text(found)
    assert "of these two runs only" in compare.text(replace(found, b=replace(found.b, runs=("run-2",))))


def test_noise_is_told_with_how_many_calls_would_tell() -> None:
    told = compare.text(compared(1.0, 100))
    assert "indistinguishable (too noisy; about" in told
    assert "too few samples: a run needs 1,000 calls for it" in told
    assert compare.text(compared(1.0), unicode=False).isascii()


def test_a_comparison_as_json_has_null_where_nothing_is_known() -> None:
    document = json.loads(json.dumps(compare.as_json(compared(1.0, 100)), allow_nan=False))
    p99 = next(each for each in document["metrics"] if each["metric"] == "latency p99")
    assert (p99["a"], p99["ratio"], p99["interval"], p99["verdict"]) == (None, None, None, "too few samples")


def test_trials_tell_their_spread_and_the_next_command() -> None:
    sure = Interval(900.0, 1100.0, 0.95, "any")
    rows = {"payload=1": (Spread("latency p50", 5, 1000.0, 0.07, sure),), "payload=2": ()}
    group = Group("g", "pair", 1, 4, (Trial("a", 0, {"payload": "1"}),), partial=True)
    told = trials.text(group, rows)
    assert "±7.0%" in told
    assert "0.90 to 1.10 ms" in told
    assert "PARTIAL: 4 were planned" in told
    assert "too few calls a trial" in told
    assert "toolkit compare g --by payload" in told


def test_a_capacity_is_told_with_every_step_and_json_knows_no_infinity() -> None:
    open_end = Interval(10_000.0, math.inf, 0.95, "any")
    steps = (
        Step(50.0, 10.0, 500, "kept", (Judged("p99<50ms", 9000.0, Interval(8000.0, 9500.0, 0.95, "any"), "kept"),)),
        Step(100.0, 10.0, 1000, "broken", (Judged("p99<50ms", math.inf, open_end, "broken"),)),
    )
    found = Capacity("pair", ("p99<50ms",), 50.0, 100.0, steps, "the gap is within 5%", True, {})
    told = capacity.text(found)
    assert "capacity: from 50/s (kept) to 100/s (broken)" in told
    assert "p99<50ms: ∞ [10.0 ms, ∞]" in told
    document = json.loads(json.dumps(capacity.as_json(found), allow_nan=False))
    assert document["steps"][1]["judged"][0]["got"] is None
    assert "none that was found; broken at 100/s" in capacity.text(replace(found, kept=None))
    assert "at least 50/s" in capacity.text(replace(found, broken=None))
    chain = (Judged("completions keep up", 0.123, None, "broken"), Judged("check delivered", None, None, "broken"))
    assert "completions keep up: 12.3% · check delivered: failed" in capacity.step_line(replace(steps[1], judged=chain))
    unknown = replace(found, broken=None, steps=(steps[0], replace(steps[1], verdict="undecided")))
    assert "at least 50/s, undecided at 100/s; no rate was seen to break" in capacity.text(unknown)
