"""The JSON report is a contract: its keys, its nulls, and the way back."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.report.sample import MEASUREMENT, REPORT
from toolkit.errors import UsageError
from toolkit.report.json import to_json
from toolkit.report.reading import from_json
from toolkit.results import Load, Measurement

EMPTY = Measurement(0, 0, 0, 0, 0, 0, 0.0, None, None, None, None, None, None, None, (), 0, 0, 0, 0)


def through_text(document: object) -> Any:
    return json.loads(json.dumps(document, allow_nan=False))


def test_the_keys_are_those_that_scripts_rely_on() -> None:
    document = to_json(REPORT)
    assert list(document)[:3] == ["schema", "run", "load"]
    assert set(document) == {
        "schema", "run", "load", "latency_us", "service_time_us", "completion_us", "completions", "clock_error_us",
        "cold", "cold_starts", "histogram", "hops", "critical_path", "bands", "traces", "checks", "passed",
        "partial", "parameters", "edges", "incidents", "notes",
    }  # fmt: skip
    assert set(document["run"]) == {
        "id", "chain", "entry", "engine", "emulated", "started", "load_started", "seed", "spec_sha256", "git_commit",
        "toolkit_version", "environment",
    }  # fmt: skip
    assert set(document["load"]) == {
        "model", "asked", "asked_rate", "achieved_rate", "sent", "ok", "failed", "lost", "refused", "duplicated",
        "reordered", "failed_handlings", "retried_handlings", "duration_s", "lateness_us", "valid", "invalid",
    }  # fmt: skip
    assert set(document["latency_us"]) == {"n", "min", "p50", "p90", "p95", "p99", "p999", "max", "mean", "ci95"}
    assert set(document["hops"][0]) == {"from", "to", "via", "n", "p50_us", "p99_us", "share", "parts"}
    assert set(document["critical_path"][0]) == {"segment", "n", "p50_us", "p99_us", "share", "what"}
    assert set(document["traces"]) == {"expected", "complete", "missing_spans", "orphans", "platform"}
    assert set(document["checks"][0]) == {"name", "passed", "wanted", "got", "details"}


def test_values_are_those_of_the_run() -> None:
    document = to_json(REPORT)
    assert document["schema"] == 1
    assert (document["run"]["id"], document["run"]["seed"]) == ("pair-20240501-120000-abc123", 7)
    assert (document["load"]["model"], document["load"]["valid"]) == ("open", False)
    assert (document["latency_us"]["p99"], document["latency_us"]["p999"]) == (9100.0, None)
    assert (document["passed"], document["partial"]) == (False, True)
    assert document["hops"][0]["from"] == "producer"
    assert document["incidents"][0]["log_tail"] == ["first line", "last line"]


def test_no_data_is_null_never_zero() -> None:
    document = to_json(dataclasses.replace(REPORT, measurement=EMPTY))
    for key in ("latency_us", "service_time_us", "completion_us", "cold", "critical_path"):
        assert document[key] is None
    assert document["load"]["lateness_us"] is None
    assert document["load"]["asked_rate"] is None


def test_what_json_cannot_say_becomes_null_or_text() -> None:
    strange = {"nan": math.nan, "inf": -math.inf, "bytes": b"x", "deep": [{"nan": math.nan}]}
    document = through_text(to_json(dataclasses.replace(REPORT, environment=strange)))
    assert document["run"]["environment"] == {"nan": None, "inf": None, "bytes": "b'x'", "deep": [{"nan": None}]}


def test_a_report_survives_the_way_through_its_file() -> None:
    assert from_json(through_text(to_json(REPORT)), "report.json") == REPORT


def test_a_report_from_before_failed_handlings_were_counted_can_be_read() -> None:
    document = through_text(to_json(REPORT))
    for key in ("refused", "failed_handlings", "retried_handlings"):
        del document["load"][key]
    assert from_json(document, "report.json") == REPORT


def test_when_the_load_began_is_kept_and_reports_from_before_have_none() -> None:
    began = dataclasses.replace(REPORT, load_started="2024-05-01T12:00:41.000250Z")
    document = through_text(to_json(began))
    assert from_json(document, "there").load_started == "2024-05-01T12:00:41.000250Z"
    del document["run"]["load_started"]
    assert from_json(document, "there") == dataclasses.replace(REPORT, load_started=None)


def test_a_report_says_in_how_many_traces_each_part_of_the_platform_has_spans() -> None:
    measurement = dataclasses.replace(MEASUREMENT, platform_traces=(("activator", 1203), ("queue-proxy", 1200)))
    report = dataclasses.replace(REPORT, measurement=measurement)
    document = through_text(to_json(report))
    assert document["traces"]["platform"] == {"activator": 1203, "queue-proxy": 1200}
    assert from_json(document, "report.json") == report
    assert to_json(REPORT)["traces"]["platform"] is None


def test_a_report_from_before_the_platform_traced_can_be_read() -> None:
    document = through_text(to_json(REPORT))
    del document["traces"]["platform"]
    assert from_json(document, "report.json") == REPORT


def test_an_empty_report_survives_as_well() -> None:
    empty = dataclasses.replace(
        REPORT, measurement=EMPTY, checks=(), incidents=(), edges=(), entry=None, notes=(), environment={},
        parameters={}, load=Load(duration_s=1.0, concurrency=3),
    )  # fmt: skip
    assert from_json(through_text(to_json(empty)), "report.json") == empty


def refused(document: object) -> str:
    with pytest.raises(UsageError) as error:
        from_json(document, "runs/x/report.json")
    assert error.value.next_step
    assert str(error.value).startswith("runs/x/report.json: not a report of this toolkit: ")
    return str(error.value).removeprefix("runs/x/report.json: not a report of this toolkit: ")


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (None, "the document is None, not an object"),
        ([], "the document is [], not an object"),
        ("hello", "the document is 'hello', not an object"),
        ({}, "schema is None, and this toolkit reads 1"),
        ({"schema": 2}, "schema is 2, and this toolkit reads 1"),
        ({"schema": 1}, "run is None, not an object"),
    ],
)
def test_foreign_documents_are_refused_in_words(document: object, told: str) -> None:
    assert refused(document) == told


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("run", "chain"), 3, "run.chain is 3, not text"),
        (("run", "emulated"), "yes", "run.emulated is 'yes', not true or false"),
        (("load", "sent"), True, "load.sent is True, not a whole number"),
        (("load", "sent"), 1.5, "load.sent is 1.5, not a whole number"),
        (("load", "asked", "arrivals"), 3, "load.asked.arrivals is 3, not text"),
        (("load", "duration_s"), None, "load.duration_s is None, not a number"),
        (("latency_us", "p50"), "fast", "load.latency_us.p50 is 'fast', not a number"),
        (("checks",), {}, "checks is {}, not a list"),
        (("checks", 0), 7, "checks[0] is 7, not an object"),
        (("checks", 0, "passed"), None, "checks[0].passed is None, not true or false"),
        (("edges", 0, "via"), None, "edges[0].via is None, not text"),
        (("incidents", 0, "kind"), "fire", "incidents[0].kind is 'fire', not 'restart' or 'dead-letter' or "),
        (("traces", "complete"), "all", "load.traces_complete is 'all', not a whole number"),
        (("histogram", 0), 3, "histogram is 3, not an object"),
    ],
)
def test_a_spoiled_report_is_refused_with_the_place(path: tuple[str | int, ...], value: object, told: str) -> None:
    document = through_text(to_json(REPORT))
    *above, last = path
    there = document
    for key in above:
        there = there[key]
    there[last] = value
    assert refused(document).startswith(told)


def test_a_missing_field_is_named() -> None:
    document = through_text(to_json(REPORT))
    del document["checks"][0]["wanted"]
    assert refused(document) == "checks[0].wanted is missing"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(key=st.sampled_from(list(to_json(REPORT))), value=anything)
def test_whatever_stands_in_a_report_reading_it_ends_in_a_report_or_in_words(key: str, value: object) -> None:
    document = {**to_json(REPORT), key: value}
    told = ""
    try:
        told = from_json(document, "report.json").run
    except UsageError as error:
        told = str(error)
    assert told == REPORT.run or told.startswith("report.json: not a report of this toolkit: ")


def test_every_number_of_the_measurement_is_in_the_document() -> None:
    document = json.dumps(to_json(REPORT))
    for field in dataclasses.fields(MEASUREMENT):
        value = getattr(MEASUREMENT, field.name)
        if isinstance(value, float | int):
            assert json.dumps(value) in document


def test_edges_that_a_call_need_not_go_over_are_marked_and_survive() -> None:
    first, *_ = REPORT.edges
    report = dataclasses.replace(REPORT, optional=frozenset({first}))
    document = through_text(to_json(report))
    assert [edge.get("optional") for edge in document["edges"]] == [True, *[None] * (len(REPORT.edges) - 1)]
    assert from_json(document, "report.json").optional == {first}
