"""Blocks at rest: what is found in the file is what was found in memory, and no more is opened than it takes."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.tracestore.asking import NOW_US, wire
from toolkit.engines.tracestore import TraceFile, normal, query
from toolkit.engines.tracestore.database import open_database
from toolkit.engines.tracestore.dependencies import Dependencies
from toolkit.engines.tracestore.forgetting import Bounds, age
from toolkit.engines.tracestore.planning import Sizes
from toolkit.engines.tracestore.reading import Reader
from toolkit.engines.tracestore.store import Store
from toolkit.traces.links import links

SMALL = Sizes(traces=8, blocks=2)
NOW = NOW_US // 1000 + 100_000_000  # milliseconds, after everything
SEARCHES: tuple[dict[str, str], ...] = (
    {},
    {"limit": "3"},
    {"limit": "1000"},
    {"serviceName": "a"},
    {"serviceName": "rare"},
    {"serviceName": "a", "spanName": "get"},
    {"spanName": "get", "limit": "1000"},
    {"serviceName": "b", "remoteServiceName": "db", "limit": "1000"},
    {"remoteServiceName": "db"},
    {"serviceName": "a", "remoteServiceName": "nobody"},
    {"annotationQuery": "error", "limit": "1000"},
    {"annotationQuery": "error=x"},
    {"annotationQuery": "retry", "serviceName": "b", "limit": "1000"},
    {"annotationQuery": "number=77"},
    {"annotationQuery": "number=77 and error", "serviceName": "a"},
    {"minDuration": "4000", "limit": "1000"},
    {"minDuration": "4000", "serviceName": "a", "limit": "1000"},
    {"minDuration": "100", "maxDuration": "200", "serviceName": "b", "limit": "1000"},
    {"endTs": str(NOW_US // 1000 + 100), "lookback": "60", "limit": "1000"},
    {"endTs": str(NOW_US // 1000 + 100), "serviceName": "b", "spanName": "post"},
)


def drawn(draw: random.Random, trace: int) -> list[dict[str, Any]]:
    """Up to five spans of a trace, parents first."""
    made = []
    for number in range(1, draw.randint(2, 6)):
        span = wire(trace, number, duration=draw.randint(0, 5000), name=draw.choice(["get", "post", "Put"]))
        span["timestamp"] = NOW_US + trace * 1000 + draw.randint(0, 5000)
        span["kind"] = draw.choice(["CLIENT", "SERVER"])
        span["localEndpoint"] = {"serviceName": "rare" if draw.random() < 0.003 else draw.choice("abc")}
        if number > 1:
            span["parentId"] = f"{draw.randint(1, number):016x}"
        if draw.random() < 0.2:
            span["remoteEndpoint"] = {"serviceName": "db"}
        span["tags"] = {"number": str(trace)} | ({"error": draw.choice("xy")} if draw.random() < 0.05 else {})
        if draw.random() < 0.05:
            span["annotations"] = [{"timestamp": NOW_US, "value": "retry"}]
        made.append(span)
    return made


def put(store: Store, *spans: dict[str, Any]) -> None:
    store.keep(normal.read(json.dumps(spans).encode()))
    store.forget()
    store.settle()


@contextmanager
def opened(path: Path | None, sizes: Sizes = SMALL, now: list[float] | None = None, **bounds: Any) -> Iterator[Store]:
    database = open_database(path)
    clock = now if now is not None else [1000.0]
    try:
        yield Store(database, Bounds(**bounds), lambda: clock[0], ("error",), sizes=sizes)
    finally:
        database.close()


@contextmanager
def reading(store: Store) -> Iterator[Reader]:
    reader = store._database.reader()
    try:
        yield reader
    finally:
        reader.close()


def filled(store: Store, seed: int, traces: int = 200) -> dict[str, list[dict[str, Any]]]:
    """Traces whose spans come in any order within some dozen traces, some late and some twice; what was put."""
    draw = random.Random(seed)
    spans = [span for trace in range(1, traces + 1) for span in drawn(draw, trace)]
    at = sorted(range(len(spans)), key=lambda each: each + draw.randint(0, 60) + 400 * (draw.random() < 0.02))
    for begin in range(0, len(at), 25):
        put(store, *(spans[each] for each in at[begin : begin + 25]))
        put(store, spans[at[draw.randint(0, begin)]])
    whole: dict[str, list[dict[str, Any]]] = {}
    for span in spans:
        whole.setdefault(span["traceId"], []).append(span)
    return whole


def answers(store: Store) -> list[Any]:
    """Everything that can be asked."""
    with reading(store) as reader:
        found: list[Any] = []
        for given in SEARCHES:
            best = store.search(query.parse({"lookback": str(NOW), **given}, NOW), reader)
            found.append([(key, sorted(normal.texts(text))) for key, text in best.found])
        services = store.services(reader)
        names = [(store.span_names(each, reader), store.remote_services(each, reader)) for each in services]
        linked = Dependencies(store)
        begins = (0, NOW_US + 50_000)
        edges = [linked.links(begin, NOW * 1000, reader) for begin in (*begins, *begins)]
        return [found, services, names, store.values("error", reader), store.values("number", reader), edges]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("in_file", [True, False])
def test_what_is_at_rest_is_found_as_if_it_were_in_memory(tmp_path: Path, seed: int, in_file: bool) -> None:
    file = tmp_path / "spans.db" if in_file else None
    with opened(None, Sizes()) as held, opened(file) as resting:
        filled(held, seed)
        filled(resting, seed)
        wanted = answers(held)
        assert answers(resting) == wanted
        assert (len(resting), resting.forgetting.spans, resting.forgetting.bytes) == (
            *(len(held), held.forgetting.spans, held.forgetting.bytes),
        )
    if file is not None:
        with opened(file) as again:
            assert answers(again) == wanted


def test_every_trace_is_whole_in_the_file_while_the_store_runs_and_afterwards(tmp_path: Path) -> None:
    file = tmp_path / "spans.db"
    with opened(file) as store:
        put_in = {each: len(spans) for each, spans in filled(store, 7).items()}
        with TraceFile.open(file) as running:
            assert {trace[0].trace: len(trace) for trace in running.traces()} == put_in
    with TraceFile.open(file) as ended:
        assert {trace[0].trace: len(trace) for trace in ended.traces()} == put_in


def test_dependencies_are_those_of_whole_traces(tmp_path: Path) -> None:
    file = tmp_path / "spans.db"
    with opened(file) as store, reading(store) as reader:
        filled(store, 5)
        found = Dependencies(store).links(0, NOW * 1000, reader)
    with TraceFile.open(file) as kept:
        assert found == links(kept.traces())


@pytest.mark.parametrize(
    "given",
    [
        {"serviceName": "a"},
        {"serviceName": "a", "spanName": "get"},
        {},
        {"serviceName": "a", "annotationQuery": "number=3"},
        {"annotationQuery": "number=3"},
        {"annotationQuery": "number=none"},
        {"serviceName": "a", "minDuration": "1000000"},
        {"minDuration": "1000000"},
        {"serviceName": "nobody"},
    ],
)
def test_ten_times_the_traces_are_no_more_blocks_to_open(given: dict[str, str]) -> None:
    opened_blocks = []
    for traces in (400, 4000):
        with opened(None) as store, reading(store) as reader:
            for begin in range(1, traces, 40):
                put(store, *(wire(at, name="get", tags={"number": str(at)}, timestamp=NOW_US + at * 1000)
                             for at in range(begin, begin + 40)))  # fmt: skip
            best = store.search(query.parse({"lookback": str(NOW), **given}, NOW), reader)
            opened_blocks.append(best.opened)
    assert opened_blocks[1] <= opened_blocks[0] <= 4


def test_questions_are_answered_from_indexes(tmp_path: Path) -> None:
    with opened(tmp_path / "spans.db") as store:
        filled(store, 1)
        plans = {}
        connection = store._database._connection
        asked: list[str] = []
        connection.set_trace_callback(asked.append)
        answers(store)
        reader = store._database.own()
        store.search(query.parse({"lookback": str(NOW), "serviceName": "a", "minDuration": "1"}, NOW), reader)
        store.search(query.parse({"lookback": str(NOW), "annotationQuery": "error=x"}, NOW), reader)
        store.services(reader)
        connection.set_trace_callback(None)
        for question in asked:
            if question.startswith(("SELECT", "WITH")):
                plans[question] = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {question}")]
    assert len(plans) > 5
    assert not [plan for plan in plans.values() if any(step.startswith("SCAN blocks") for step in plan)]
    assert not [plan for plan in plans.values() if any("TEMP B-TREE" in step for step in plan)]


def test_a_store_that_is_full_forgets_the_oldest_traces_whole_wherever_they_lie(tmp_path: Path) -> None:
    with opened(tmp_path / "spans.db", spans=300) as store, reading(store) as reader:
        whole = filled(store, 3)
        assert 280 < store.forgetting.spans <= 300
        kept = {each: len(normal.texts(text)) for each in whole if (text := store.text(each, reader)) is not None}
        assert len(kept) == len(store)
        assert sum(kept.values()) == store.forgetting.spans
        late = next(iter(whole))
        assert late not in kept
        put(store, whole[late][0])
        text = store.text(late, reader)
        assert text is not None
        assert len(normal.texts(text)) == 1


def test_the_file_stays_as_large_as_its_bounds_make_it(tmp_path: Path) -> None:
    file = tmp_path / "spans.db"
    with opened(file, spans=1000) as store:
        sizes = []
        for begin in range(1, 12_000, 50):
            put(store, *(wire(at, tags={"payload": "x" * 500}) for at in range(begin, begin + 50)))
            if begin % 3000 == 1:
                store._database._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                sizes.append(file.stat().st_size)
    assert sizes[-1] <= sizes[1] * 1.2
    assert sizes[-1] < 8 << 20


def test_traces_that_came_too_long_ago_are_forgotten(tmp_path: Path) -> None:
    now = [1000.0]
    with opened(tmp_path / "spans.db", now=now, age=60.0) as store, reading(store) as reader:
        put(store, *(wire(at) for at in range(1, 50)))
        now[0] += 40
        put(store, wire(1, 2), wire(50))
        now[0] += 21
        store.forget()
        assert len(store) == 1
        assert store.text(wire(1)["traceId"], reader) is None
        assert store.forgetting.expired_traces == 49
        now[0] += 40
        store.forget()
        assert len(store) == 0
        assert store.services(reader) == []


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("90m", 5400), ("12h", 43_200), ("7d", 604_800)])
def test_an_age_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert age(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "0s", "-1s", "1", "1.5h", "٣s", "1w", "9" * 30 + "d"])
def test_what_is_no_age_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write 30s, 90m, 12h or 7d"):
        age(text)
