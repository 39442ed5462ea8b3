"""Which calls are which population, and how records become rows."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.checks.simulation import MIXED, healthy
from tests.unit.measure.columns import MS, changed, rows
from toolkit.columns import COLD, DTYPE, LOST, REFUSED, WARMUP
from toolkit.measure import measure
from toolkit.measure.rows import populations, table
from toolkit.results import Load

RUN = healthy(MIXED, 5)


def test_latency_counts_from_due_and_service_time_from_sent() -> None:
    found = populations(rows(2, latency_ns=3 * MS))
    assert found.latency.tolist() == [3 * MS, 3 * MS]
    assert found.service_time.tolist() == [3 * MS - 1_000] * 2


def test_failed_lost_refused_and_warm_up_calls_are_never_timed() -> None:
    made = rows(5, latency_ns=[1 * MS, 2 * MS, 3 * MS, 4 * MS, 5 * MS])
    made = changed(made, 0, status=1)
    made = changed(made, 1, status=LOST, done_ns=0)
    made = changed(made, 2, flags=REFUSED)
    made = changed(made, 3, flags=WARMUP)
    assert populations(made).latency.tolist() == [5 * MS]


def test_cold_calls_are_a_population_of_their_own() -> None:
    found = populations(changed(rows(2, latency_ns=[9 * MS, 2 * MS]), 0, flags=COLD))
    assert (found.cold.tolist(), found.latency.tolist()) == ([9 * MS], [2 * MS])


def test_only_calls_that_completed_have_a_completion() -> None:
    made = rows(2)
    assert populations(changed(made, 1, completed_ns=int(made["due_ns"][1]) + 7)).completion.tolist() == [7]


def test_samples_are_sorted() -> None:
    assert populations(rows(3, latency_ns=[3, 1, 2])).latency.tolist() == [1, 2, 3]


def test_records_become_rows_of_the_same_numbers() -> None:
    made = table(RUN.calls, RUN.evidence.receipts)
    measured = measure(RUN.calls, RUN.evidence, chain=MIXED, asked=Load(requests=5, rate=100.0))
    found = populations(made.rows)
    assert made.rows.dtype == DTYPE
    assert len(found.latency) == (measured.latency_us.n if measured.latency_us else 0)
    assert len(found.cold) == (measured.cold.n if measured.cold else 0)


def test_a_row_names_its_status_and_the_instance_of_the_entry() -> None:
    calls = [replace(RUN.calls[0], status="UNAVAILABLE"), *RUN.calls[1:4], replace(RUN.calls[4], done_ns=None)]
    made = table(calls, RUN.evidence.receipts)
    assert made.statuses == ("OK", "UNAVAILABLE")
    assert made.rows["status"].tolist() == [1, 0, 0, 0, LOST]
    entries = {each.receipt.replica for each in RUN.evidence.receipts if each.receipt.via == "entry"}
    assert {made.instances[at - 1] for at in made.rows["instance"]} == entries


def test_no_calls_are_no_rows() -> None:
    assert len(table([]).rows) == 0
    assert populations(table([]).rows).latency.tolist() == []
