"""What a person reads of many traces, and what a run's report keeps of them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.unit.measure.many import EDGES, Lasting, trace
from tests.unit.report.sample import REPORT
from toolkit.analysis import Analysis, Band, Completeness, MissingEdge, Share, Skew
from toolkit.catalog import load
from toolkit.measure import breakdown
from toolkit.measure.traces import analyse, change
from toolkit.report import json as as_json
from toolkit.report import text
from toolkit.report.reading import from_json
from toolkit.report.tables import hop_table, path_table
from toolkit.report.traces_text import finding, render, render_change, slowest
from toolkit.results import Hop, PathPart, Report
from toolkit.traces.model import Span

FOUND = analyse([trace(number, Lasting(way=3000 if number > 180 else 30)) for number in range(1, 201)], EDGES)


def lines(found: Analysis, **more: int) -> list[str]:
    return [" ".join(line.split()) for line in render(found, "it", None, **more).splitlines()]  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [40, 60, 80, 118, 200])
def test_every_width_shows_every_band(width: int) -> None:
    told = lines(FOUND, width=width)
    assert sum(line.endswith("p99–p100") for line in told) == 1
    assert "traces 200 100 80 18 2" in told


def test_a_terminal_without_unicode_gets_ascii() -> None:
    assert render(FOUND, "it", None, unicode=False).isascii()
    assert render_change(change(FOUND, FOUND), "a", "b", unicode=False).isascii()


def test_segments_beyond_a_screenful_are_summed_up_and_the_column_still_adds_up() -> None:
    shares = tuple(Share(f"s{number}", "work", 10, 10.0 + number, None, None, 0.0) for number in range(30))
    whole = sum(share.mean_us for share in shares)
    band = Band(0.0, 1.0, 10, 1, 1000, whole, shares)
    told = lines(replace(FOUND, bands=(band,)), width=80)
    rest = sum(share.mean_us for share in shares[:10])
    assert f"10 more segments {rest / 1000:.2f} {rest / whole:.0%}" in told


def test_however_many_services_there_are_what_is_read_is_a_page() -> None:
    strange = [[replace(each, service=f"{each.service}{number}") for each in trace(number)] for number in range(1, 101)]
    told = lines(analyse(strange, EDGES), width=100)
    assert len(told) < 100
    assert {"and 180 hops with fewer messages", "and 182 more edges"} <= set(told)


def test_clocks_and_what_is_missing_are_told() -> None:
    skews = (
        Skew("a", "b", 7, 3, 1500, 2500),
        Skew("a", "c", 7, 1, 9, -9),
        Skew("a", "d", 7, 1, 4000, None),
        Skew("a", "e", 7, 1, None, 10),
    )
    missing = Completeness(5, 3, (MissingEdge("a", "b", "event", 2),), (MissingEdge("a", "x", "call", 1),), orphans=4)
    told = lines(replace(FOUND, skews=skews, completeness=missing), width=120)
    assert "clocks: 3 of 7 messages between a and b cannot be: that of b is 1.50 to 2.50 ms ahead" in told
    assert "clocks: 1 of 7 messages between a and c cannot be: one of the two moved" in told
    assert "clocks: 1 of 7 messages between a and d cannot be: that of d is at least 4.00 ms ahead" in told
    assert "clocks: 1 of 7 messages between a and e cannot be: that of e is ahead" in told
    assert "3 of 5 traces show every edge of the chain" in told
    assert "a ~event~▶ b is missing in 2 traces" in told
    assert "a ─call─▶ x is in 1 trace, and not in the chain" in told
    assert "4 spans of functions without the span above" in told


def test_what_makes_traces_slow_is_said_of_enough_traces_only() -> None:
    (said,) = slowest(FOUND.bands)
    assert said == (
        "traces from p90 to p99 take 2.97 ms longer than the faster half, most of all a → b (event): network +2.97 ms"
    )
    assert list(slowest(analyse([trace(1), trace(2, Lasting(way=99_999))]).bands)) == []
    assert list(slowest(analyse([trace(number) for number in range(1, 2001)]).bands)) == []
    assert list(slowest(())) == []


def test_a_segment_that_grew_more_than_the_whole_is_told_in_time_and_not_as_a_share() -> None:
    def elsewhere(number: int, name: str, work: int) -> list[Span]:
        return [replace(each, service=name if each.service == "b" else each.service)
                for each in trace(number, Lasting(work=work))]  # fmt: skip

    found = analyse(
        elsewhere(number, "db" if number > 900 else "cache", 1080 if number > 900 else 980) for number in range(1, 1001)
    )
    (said,) = slowest(found.bands)
    assert "take 0.10 ms longer" in said
    assert "db: work +1.08 ms" in said
    assert "%" not in said.partition("take")[2]
    told = finding(found)
    assert told is not None
    assert (told.low, told.high, told.n, told.longer_us) == (0.99, 1.0, 10, 100)
    assert told.growths[0] == ("db", "work", 1080)
    assert told.growths[-1] == ("cache", "work", -980)
    assert sum(us for _, _, us in told.growths) == told.longer_us


def test_what_is_found_is_of_the_slowest_band_with_ten_traces() -> None:
    few = analyse([trace(number, Lasting(way=3000 if number > 15 else 30)) for number in range(1, 31)])
    told = finding(few)
    assert told is not None
    assert (told.low, told.n) == (0.5, 12)
    assert finding(analyse([])) is None


def test_a_segment_says_what_it_was_spent_on_where_that_does_not_go_without_saying() -> None:
    path = [
        PathPart("a", 1, None, None, 0.25, "work"),
        PathPart("a → b (call)", 1, None, None, 0.25, "network"),
        PathPart("a → b (call)", 1, None, None, 0.25, "queue"),
        PathPart("activator (platform)", 1, None, None, 0.25, "cold wait"),
    ]
    assert [line.split("  ")[0] for line in path_table(path, 100)][1:] == [
        "a", "a → b (call)", "a → b (call): queue", "activator (platform): cold wait",
    ]  # fmt: skip


def test_hops_of_a_run_say_what_they_were_spent_on() -> None:
    hops = [Hop("a", "b", hop.via, hop.n, None, None, 0.5, hop.parts) for hop in FOUND.hops]
    told = [line.rpartition("  ")[2] for line in hop_table(hops, 100)]
    assert told == ["spent on", "network 100%", "work 68% · network 32%"]
    assert list(hop_table([], 100)) == []
    assert "spent on" not in "".join(hop_table([replace(each, parts=()) for each in hops], 100))


def stored() -> Report:
    measured = replace(
        REPORT.measurement,
        critical_path=breakdown.critical_path(FOUND),
        bands=FOUND.bands,
        hops=tuple(Hop(each.source, each.to, each.via, each.n, 1.0, None, 0.5, each.parts) for each in FOUND.hops),
    )
    return replace(REPORT, measurement=measured)


def test_what_queue_proxy_does_under_a_functions_name_is_no_part_of_a_calls_time() -> None:
    scope = {"otel.scope.name": "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"}
    spans = trace(1)
    late = replace(spans[1], id="9" * 16, tags=scope, duration=500_000)
    chain = load("chained-eventing")
    (event,) = [each for each in breakdown.hops(chain, analyse([spans]), [[*spans, late]]) if each.via == "event"]
    assert event.share == 0.3


def test_a_report_with_bands_comes_back_as_it_was() -> None:
    document = json.loads(json.dumps(as_json.to_json(stored()), allow_nan=False))
    assert from_json(document, "here") == stored()


def test_a_report_from_before_there_were_bands_is_read() -> None:
    document = json.loads(json.dumps(as_json.to_json(REPORT)))
    del document["bands"]
    for row in (*document["hops"], *document["critical_path"]):
        row.pop("parts", None)
        row.pop("what", None)
    assert from_json(document, "here") == REPORT


def test_a_run_says_what_makes_its_slow_traces_slow() -> None:
    assert "most of all a → b (event): network" in " ".join(text.render(stored()).split())
