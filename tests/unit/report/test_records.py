"""Each call as one object, and those as NDJSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from tests.unit.checks.simulation import MIXED, healthy
from toolkit.columns import COLD, LOST, REFUSED, SAMPLED, WARMUP
from toolkit.report.records import KEYS, as_csv, ndjson, of_call, of_rows

CALL = replace(healthy(MIXED, 1).calls[0], due_ns=100, sent_ns=130, done_ns=900, instance="r1", cold=True)


def row(**changes: int) -> tuple[int, ...]:
    fields = {
        "seq": 0, "due": 100, "sent": 130, "first": 800, "done": 900, "completed": 0,
        "size": 7, "reply": 9, "instance": 1, "status": 0, "flags": SAMPLED, "messages": 0,
    }  # fmt: skip
    return tuple({**fields, **changes}.values())


def told(*made: tuple[int, ...]) -> list[dict[str, object]]:
    traces = [f"{at:032x}" for at in range(20)]
    return [dict(each) for each in of_rows("run", made, traces, ("OK", "UNAVAILABLE"), ("r1",))]


def test_a_record_of_a_call_has_every_key_in_order() -> None:
    assert tuple(of_call("run", CALL)) == KEYS
    assert tuple(told(row())[0]) == KEYS


def test_latency_counts_from_due_and_service_time_from_sent() -> None:
    for found in (of_call("run", CALL), told(row())[0]):
        assert (found["lateness_ns"], found["latency_ns"], found["service_time_ns"]) == (30, 800, 770)


def test_what_is_not_known_is_none() -> None:
    (found,) = told(row(first=0, done=0, status=LOST, instance=0))
    assert [found[key] for key in ("first_byte_ns", "done_ns", "latency_ns", "service_time_ns", "instance")] == [
        None
    ] * 5
    assert found["status"] == "LOST"


def test_a_call_without_an_answer_is_lost() -> None:
    assert of_call("run", replace(CALL, done_ns=None, status=None))["status"] == "LOST"


def test_a_call_that_was_never_sent_has_no_status() -> None:
    refused = told(row(flags=REFUSED))[0]
    assert (refused["refused"], refused["status"], refused["sent_ns"]) == (True, None, None)
    assert of_call("run", replace(CALL, refused=True))["sent_ns"] is None


def test_flags_are_told_one_by_one() -> None:
    found = told(row(flags=COLD | WARMUP))[0]
    assert (found["cold"], found["warmup"], found["sampled"], found["refused"]) == (True, True, False, False)


def test_each_row_has_the_trace_of_its_place_also_behind_a_gap() -> None:
    assert [found["trace_id"][-1] for found in told(row(seq=0), row(seq=3), row(seq=4))] == ["0", "3", "4"]  # type: ignore[index]


def test_ndjson_is_an_object_a_line() -> None:
    lines = "".join(ndjson([of_call("run", CALL)] * 3)).splitlines()
    assert [json.loads(line)["latency_ns"] for line in lines] == [800] * 3


def test_csv_is_read_back_by_its_keys() -> None:
    text = "".join(as_csv([of_call("run", CALL)] * 3000))
    found = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len(found) == 3000
    assert (found[0]["latency_ns"], found[0]["cold"], found[0]["first_byte_ns"]) == ("800", "true", "")


def test_csv_of_nothing_has_its_head() -> None:
    assert "".join(as_csv([])) == ",".join(KEYS) + "\r\n"


@pytest.mark.parametrize("words", ["=1+1", "+1", "-1", "@x"])
def test_a_spreadsheet_computes_nothing_that_a_stranger_said(words: str) -> None:
    text = "".join(as_csv([of_call("run", replace(CALL, error=words))]))
    assert next(csv.DictReader(io.StringIO(text)))["error"] == "'" + words


def test_a_strangers_commas_quotes_and_line_breaks_stay_in_their_cell() -> None:
    text = "".join(as_csv([of_call("run", replace(CALL, error='a,"b"\r\nc\x1b[31m'))]))
    assert next(csv.DictReader(io.StringIO(text)))["error"] == 'a,"b"  c�[31m'


def test_a_row_that_points_behind_its_table_is_told_by_its_number() -> None:
    (found,) = told(row(status=7, instance=9))
    assert (found["status"], found["instance"]) == ("number 7", "number 8")
