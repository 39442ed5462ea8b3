"""The report a person reads."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.report.sample import MEASUREMENT, REPORT
from toolkit.report.drawing import chain_lines
from toolkit.report.tables import milliseconds, percent, rate, seconds
from toolkit.report.text import render
from toolkit.results import Check, Load, Report

GOOD = replace(
    REPORT,
    checks=(Check("answered", True, "all calls answered OK", "1203 answered OK"),),
    incidents=(),
    partial=False,
    measurement=replace(MEASUREMENT, invalid=()),
)

WHOLE = """\
pair · local engine (emulated) · run pair-20240501-120000-abc123 · PARTIAL: it was interrupted

  caller ─▶ producer ~event~▶ consumer

load         open loop at 50/s, 1,203 calls, seed 7
set          payload=4096 · name=héllo
calls        1,203 sent · 1,200 ok · 2 failed · 1 lost · 0 duplicated · 49.98/s over 24.1 s
lateness     p50 0.080 · p99 0.24 · max 2.00 ms, the generator's own

                        n      min      p50      p90      p95      p99    p99.9      max   ms
latency             1,200     1.20     2.10     3.30     4.00     9.10        —     17.3
service time        1,200     1.10     2.00     3.20     3.90     9.00        —     17.0
cold                    1    0.042        —        —        —        —        —    0.042

       ≤ 1.50 ms  ████████████████▌ 300
       ≤ 3.00 ms
       ≤ 6.00 ms  ██████████████████████████████████████████████████ 900

hop                                 n   p50 ms   p99 ms    share
producer ~event~▶ consumer      1,199     0.81        —      34%

critical path                        n   p50 ms   p99 ms    share
producer → consumer (event)      1,199     0.70        —      75%
producer                         1,199    0.001    0.002      25%

traces       1,200 of 1,203 complete · 4 spans missing · 1 orphan

✓ answered   1203 answered OK
✗ steady     wanted no function started again
             got    consumer was started again once
             · consumer: killed

restart: consumer: left with status 1
  │ first line
  │ last line

note: few samples
INVALID measurement: the generator was late
✗ FAILED: steady (1 of 2 checks)
"""


@pytest.mark.parametrize(
    ("failed", "retried", "line"),
    [
        (5, 5, "handlings    5 handlings failed and were retried with success"),
        (1, 1, "handlings    1 handling failed and was retried with success"),
        (5, 2, "handlings    5 handlings failed, 2 of them retried with success"),
    ],
)
def test_failed_handlings_are_never_silent(failed: int, retried: int, line: str) -> None:
    measurement = replace(MEASUREMENT, failed_handlings=failed, retried_handlings=retried)
    assert line in render(replace(GOOD, measurement=measurement)).splitlines()
    assert "handlings " not in render(GOOD)


def test_calls_that_were_never_sent_stand_beside_those_that_were() -> None:
    assert "1 lost · 15 never sent ·" in render(replace(GOOD, measurement=replace(MEASUREMENT, refused=15)))
    assert "never sent" not in render(GOOD)


def test_calls_that_were_lost_come_with_a_next_step_unless_the_generator_was_late() -> None:
    told = "next         what was lost had no answer in time; try --concurrency 4, or a lower --rate"
    trusted = replace(MEASUREMENT, invalid=())
    assert told in render(replace(GOOD, measurement=replace(trusted, lost=1))).splitlines()
    assert told not in render(replace(GOOD, measurement=replace(trusted, lost=0)))
    assert told not in render(replace(GOOD, measurement=replace(trusted, lost=1, invalid=("it was late",))))


def test_parts_of_the_platform_that_tell_the_same_of_stand_together() -> None:
    parts = (("broker filter", 1199), ("activator", 1203), ("queue-proxy", 1203))
    said = render(replace(GOOD, measurement=replace(MEASUREMENT, platform_traces=parts)))
    line = "platform     spans of broker filter in 1,199 traces · activator, queue-proxy in 1,203 traces"
    assert line in said.splitlines()
    assert "platform " not in render(GOOD)


def test_a_whole_report_reads_like_this() -> None:
    assert render(REPORT) == WHOLE


def test_the_local_engine_always_says_that_it_is_emulated() -> None:
    assert "local engine (emulated)" in render(GOOD)
    assert "knative engine · run" in render(replace(GOOD, engine="knative", emulated=False))


def test_a_good_run_ends_with_one_green_line() -> None:
    assert render(GOOD, colour=True).endswith("\x1b[32m✓ PASSED: all 1 checks\x1b[0m\n")


def test_colour_is_only_there_when_asked_for() -> None:
    assert "\x1b" not in render(REPORT)
    assert re.sub(r"\x1b\[\d+m", "", render(REPORT, colour=True)) == render(REPORT)


def test_a_terminal_without_unicode_gets_ascii() -> None:
    text = render(REPORT, unicode=False)
    assert text.isascii()
    assert "caller -> producer ~event~> consumer" in text
    assert "x FAILED: steady" in text


def test_no_data_is_a_dash_or_nothing_never_a_zero() -> None:
    empty = replace(
        MEASUREMENT, sent=0, ok=0, failed=0, lost=0, latency_us=None, service_time_us=None, cold=None, histogram=(),
        hops=(), critical_path=(), achieved_rate=None, traces_expected=0,
    )  # fmt: skip
    text = render(replace(REPORT, measurement=empty))
    assert "0 sent" in text
    assert "— over" in text
    assert "latency" not in text
    assert "none: no call was sampled" in text


def test_what_a_function_says_cannot_reach_the_terminal_as_a_command() -> None:
    evil = "\x1b[2J\x07\u202egnp\r\nnext\x00"
    report = replace(
        REPORT,
        chain=evil,
        checks=(Check("answered", False, evil, evil, (f"detail {evil}",)),),
        incidents=(replace(REPORT.incidents[0], subject=evil, text=evil, log_tail=(evil,)),),
        notes=(evil,),
        parameters={evil: evil},
        edges=((evil, evil, evil),),
        entry=evil,
    )
    assert set(render(report)) & {"\x1b", "\x07", "\u202e", "\r", "\x00"} == set()


def test_a_narrow_terminal_loses_columns_not_the_right_edge() -> None:
    lines = render(REPORT, width=60).splitlines()
    table = [line for line in lines if line.startswith((" " * 20, "latency"))]
    assert all(len(line) <= 60 for line in table)
    assert "p50" in table[0]
    assert "max" in table[0]
    assert "p99.9" not in table[0]


def test_a_closed_loop_says_how_many_at_a_time() -> None:
    text = render(replace(REPORT, load=Load(duration_s=90.0, concurrency=8, seed=1)))
    assert "load         closed loop, 8 at a time, 90 s, seed 1" in text


def test_poisson_arrivals_are_named() -> None:
    assert "Poisson arrivals at 50/s" in render(replace(REPORT, load=replace(REPORT.load, arrivals="poisson")))


def drawn(*edges: tuple[str, str, str], entry: str | None = "a", width: int = 100) -> list[str]:
    return list(chain_lines(replace(REPORT, edges=edges, entry=entry), width))


def test_a_single_function_is_a_chain() -> None:
    assert drawn() == ["  caller ─▶ a"]


def test_a_mixed_chain_is_one_line() -> None:
    assert drawn(("a", "b", "call"), ("b", "c", "event"), ("c", "d", "call")) == [
        "  caller ─▶ a ─call─▶ b ~event~▶ c ─call─▶ d"
    ]


def test_a_diamond_shows_every_edge_once() -> None:
    assert drawn(("a", "b", "call"), ("a", "c", "call"), ("b", "d", "call"), ("c", "d", "call")) == [
        "  caller ─▶ a ─call─▶ b ─call─▶ d",
        "  a ─call─▶ c ─call─▶ d",
    ]


def test_a_cycle_is_drawn_and_ends() -> None:
    assert drawn(("a", "b", "call"), ("b", "a", "call")) == ["  caller ─▶ a ─call─▶ b ─call─▶ a"]


def test_a_long_chain_is_folded_between_functions() -> None:
    names = [f"function-{at}" for at in range(6)]
    edges = tuple((one, two, "event") for one, two in pairwise(names))
    lines = drawn(*edges, entry="function-0", width=60)
    assert lines == [
        "  caller ─▶ function-0 ~event~▶ function-1",
        "    ~event~▶ function-2 ~event~▶ function-3",
        "    ~event~▶ function-4 ~event~▶ function-5",
    ]


def test_a_report_that_does_not_name_its_entry_starts_with_its_first_edge() -> None:
    assert drawn(("x", "y", "call"), entry=None) == ["  caller ─▶ x ─call─▶ y"]
    assert drawn(entry=None) == []


def test_numbers_have_the_digits_that_mean_something() -> None:
    assert [milliseconds(value) for value in (42, 1250, 17_312, 1_204_000, None)] == [
        "0.042",
        "1.25",
        "17.3",
        "1,204",
        "—",
    ]
    assert [percent(share) for share in (0.345, 1.0, 0.001, 0.0, None)] == ["34%", "100%", "<1%", "0%", "—"]
    assert [rate(each) for each in (49.98, 0.5, 12_345.6, None)] == ["49.98/s", "0.5/s", "12,346/s", "—"]
    assert [seconds(each) for each in (0.5, 24.06, 3600.0, None)] == ["0.5 s", "24.1 s", "3,600 s", "—"]


names = st.text(max_size=12)


@given(
    checks=st.lists(
        st.builds(Check, names, st.booleans(), names, names, st.lists(names, max_size=3).map(tuple)), max_size=4
    ),
    edges=st.lists(st.tuples(names, names, st.sampled_from(["call", "event"])), max_size=6).map(tuple),
    entry=st.none() | names,
    width=st.integers(1, 200),
    unicode=st.booleans(),
)
def test_every_report_can_be_drawn(
    checks: list[Check], edges: tuple[tuple[str, str, str], ...], entry: str | None, width: int, unicode: bool
) -> None:
    report: Report = replace(REPORT, checks=tuple(checks), edges=edges, entry=entry)
    text = render(report, width=width, unicode=unicode)
    assert text.endswith("\n")
    assert all(each.isprintable() or each == "\n" for each in text)
