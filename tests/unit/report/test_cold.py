"""How cold starts are told, to people and to programs, and that they are read back."""

from __future__ import annotations

import dataclasses
import json

from tests.unit.report.sample import REPORT
from toolkit.report.cold import segment_table, start_lines, witness_line
from toolkit.report.json import to_json
from toolkit.report.reading import from_json
from toolkit.report.text import render
from toolkit.results import ColdSegment, ColdStarts, ColdWitnesses, Measurement, Quantiles

SEGMENTS = (
    ColdSegment("consumer", "import", 3, None, 1_000.0, 3_000.0, 2_000.0, 0.8),
    ColdSegment(None, "unattributed", 3, None, 400.0, 600.0, 500.0, 0.2),
)
STARTS = ColdStarts(
    *(5, 4, 3, "asked \x1b[31mnicely", Quantiles(3, 2.0, max=3.0, mean=2.5), SEGMENTS),
    failures=("repetition 4: it was warm",),
    settings={"window": "6s"},
)


def measured(**change: object) -> Measurement:
    return dataclasses.replace(REPORT.measurement, **change)  # type: ignore[arg-type]  # fields of a measurement


def test_what_the_witnesses_say_is_one_line() -> None:
    found = measured(witnesses=ColdWitnesses(3, 2, None, 2, 1))
    assert witness_line(found) == (
        "3 calls, natural · told by instance 3, activator 2, pod — · they disagree about 2 calls "
        "(1 of a ready instance's first message)"
    )


def test_a_witness_that_is_alone_is_said_to_be_alone() -> None:
    found = measured(witnesses=ColdWitnesses(1, None, None, 0))
    assert witness_line(found) == "1 call, natural · told by instance 1, by nobody else"


def test_where_nothing_was_cold_nothing_is_said() -> None:
    assert witness_line(measured(witnesses=ColdWitnesses(0, 0, None, 0))) is None
    assert witness_line(measured(witnesses=None)) is None
    assert list(start_lines(None)) == []
    assert list(segment_table(None, 80)) == []


def test_failures_and_what_was_never_tried_are_told_without_control_characters() -> None:
    lines = list(start_lines(STARTS))
    assert lines[0].startswith("3 of 5 timed · 1 failed · 1 never tried · asked ")
    assert lines[1:] == ["not timed: repetition 4: it was warm", "window=6s"]
    assert "\x1b" not in "".join(lines)


def test_a_segment_that_a_repetition_was_without_is_said_to_count_as_zero() -> None:
    rare = dataclasses.replace(STARTS, segments=(dataclasses.replace(SEGMENTS[0], n=2, min_us=0.0), SEGMENTS[1]))
    *_, last = segment_table(rare, 100)
    assert last == "a segment's n is below 3 where a repetition was without it: it counts as 0 there"


def test_a_median_of_too_few_is_a_dash() -> None:
    head, loading, rest = segment_table(STARTS, 100)
    assert head.split()[:4] == ["cold", "start", "n", "min"]
    assert loading.split() == ["consumer:", "import", "3", "1.00", "—", "2.00", "3.00", "80%"]
    assert rest.startswith("unattributed")


def test_the_report_has_them_and_is_read_back() -> None:
    known = ColdWitnesses(3, None, 3, 0)
    report = dataclasses.replace(
        REPORT, measurement=measured(cold=Quantiles(3, 1.0, max=2.0), cold_starts=STARTS, witnesses=known)
    )
    document = json.loads(json.dumps(to_json(report)))
    assert document["cold"]["how"] == "forced"
    assert document["cold_starts"]["failed"] == 1
    assert document["cold_starts"]["segments"][1]["function"] is None
    back = from_json(document, "report.json").measurement
    assert (back.cold_starts, back.witnesses, back.cold) == (STARTS, known, report.measurement.cold)
    assert "3 of 5 timed" in render(report)


def test_a_witness_who_saw_one_where_no_call_is_labelled_so_is_told() -> None:
    report = dataclasses.replace(REPORT, measurement=measured(cold=None, witnesses=ColdWitnesses(0, 1, 0, 1)))
    document = json.loads(json.dumps(to_json(report)))
    assert (document["cold"]["n"], document["cold"]["witnesses"]["activator"]) == (0, 1)
    back = from_json(document, "report.json").measurement
    assert (back.cold, back.witnesses) == (None, ColdWitnesses(0, 1, 0, 1))


def test_a_report_from_before_is_read_without() -> None:
    document = json.loads(json.dumps(to_json(REPORT)))
    del document["cold_starts"]
    assert from_json(document, "report.json").measurement.cold_starts is None
