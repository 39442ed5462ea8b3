"""The data that passes between the parts."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.report.sample import REPORT
from toolkit.results import CallRecord, Load


def test_a_load_with_workers_is_closed_and_one_with_a_rate_open() -> None:
    assert Load(requests=1, concurrency=1).model == "closed"
    assert Load(requests=1, rate=1.0).model == "open"


def test_only_ok_is_ok() -> None:
    call = CallRecord(0, "c", "t", True, 0, 0, None, None)
    assert [replace(call, status=status).ok for status in ("OK", "UNAVAILABLE", None)] == [True, False, False]


def test_one_broken_promise_breaks_the_run() -> None:
    assert not REPORT.passed
    assert replace(REPORT, checks=REPORT.checks[:1]).passed
