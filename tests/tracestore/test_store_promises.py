"""What a store has promised it keeps: each of these was once broken."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.tracestore.asking import asking, wire
from toolkit.engines.tracestore import TraceFile, block, fingerprints, normal, serve
from toolkit.engines.tracestore import database as files
from toolkit.engines.tracestore.committing import MOST_BYTES, Committer
from toolkit.engines.tracestore.database import open_database
from toolkit.engines.tracestore.forgetting import Bounds
from toolkit.engines.tracestore.planning import Sizes
from toolkit.engines.tracestore.store import Store
from toolkit.errors import EngineError


def spans(*fields: dict[str, Any]) -> list[normal.Stored]:
    return normal.read(json.dumps(fields).encode())


async def test_a_link_to_a_stores_file_is_the_same_store(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "spans.db")
    async with asking(tmp_path / "spans.db") as it:
        await it.put(wire(1))
        with pytest.raises(EngineError, match="belongs to a store that is running"):
            await serve(store=tmp_path / "link.db")
        with TraceFile.open(tmp_path / "link.db") as kept:
            assert len(list(kept.traces())) == 1


async def test_a_file_with_two_names_is_refused_under_either(tmp_path: Path) -> None:
    async with asking(tmp_path / "spans.db") as it:
        await it.put(wire(1))
        (tmp_path / "other.db").hardlink_to(tmp_path / "spans.db")
        with pytest.raises(EngineError, match="has 2 names"):
            await serve(store=tmp_path / "other.db")


def test_a_log_of_another_trace_is_damage(tmp_path: Path) -> None:
    database = open_database(tmp_path / "spans.db")
    store = Store(database, Bounds(), lambda: 1.0)
    store.keep(spans(wire(1)))
    with database.writing() as connection:
        files.append(connection, 0, [block.Entry(0, wire(2)["traceId"], 1, normal.text(spans(wire(2))[0]))])
    with pytest.raises(EngineError, match="is damaged: the log has spans of"):
        Store(database, Bounds(), lambda: 1.0)
    database.close()


_KILLED = """
import asyncio, json, os, subprocess, sys
from pathlib import Path
from tests.tracestore.asking import asking, wire
from toolkit.engines.tracestore import TraceFile, serve
from toolkit.errors import EngineError

async def main(file):
    async with asking(file) as it:
        await it.put(wire(1))
        with TraceFile.open(file) as kept:
            assert len(list(kept.traces())) == 1
        try:
            await serve(store=file)
        except EngineError:
            pass
        count = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('select count(*) from log').fetchall()"
        subprocess.run([sys.executable, "-c", count, str(file)], check=True)
        for trace in range(2, 12):
            await it.put(wire(trace))
        os.kill(os.getpid(), 9)

asyncio.run(main(Path(sys.argv[1])))
"""


def test_a_store_whose_own_process_reads_its_file_loses_nothing_to_another_program(tmp_path: Path) -> None:
    file = tmp_path / "spans.db"
    ended = subprocess.run([sys.executable, "-c", _KILLED, file], check=False, cwd=Path(__file__).parents[2])
    assert ended.returncode == -9
    with TraceFile.open(file) as kept:
        assert len(list(kept.traces())) == 11


def test_a_clock_that_was_ahead_does_not_keep_traces_for_ever() -> None:
    now = [2_000_000_000.0]
    database = open_database(None)
    store = Store(database, Bounds(age=60), lambda: now[0])
    store.keep(spans(wire(1)))
    now[0] = 1_795_000_000.0
    store.keep(spans(wire(2)))
    store.forget()
    assert len(store) == 2
    now[0] += 61
    store.forget()
    assert len(store) == 0
    database.close()


def test_when_a_store_is_empty_again_its_file_has_nothing_of_what_it_held(tmp_path: Path) -> None:
    now = [1000.0]
    database = open_database(tmp_path / "spans.db")
    store = Store(database, Bounds(age=60), lambda: now[0], ("env",))
    store.keep(spans(wire(1, tags={"env": "prod"})))
    now[0] += 61
    store.forget()
    assert store.values("env", database.own()) == []
    with database.writing() as connection:
        tables = ("blocks", "directories", "texts", "ids", "names", "terms", "log")
        assert [connection.execute(f"SELECT count(*) FROM {each}").fetchone() for each in tables] == [(0,)] * 7
    store.keep(spans(wire(2)))
    assert len(store) == 1
    database.close()


def test_what_is_forgotten_leaves_the_file_of_a_quiet_store_within_the_same_age_again(tmp_path: Path) -> None:
    now = [1000.0]
    database = open_database(tmp_path / "spans.db")
    store = Store(database, Bounds(age=60), lambda: now[0], ("env",))
    for trace in range(1, 20):  # one trace in every 30 seconds
        store.keep(spans(wire(trace, tags={"env": f"e{trace}"})))
        store.forget()
        now[0] += 30
    values = store.values("env", database.own())
    with database.writing() as connection:
        bodies = connection.execute("SELECT body FROM log UNION ALL SELECT body FROM texts").fetchall()
    database.close()
    assert values == ["e17", "e18", "e19"]
    assert not any(b'"e1"' in body or b'"e10"' in body for (body,) in bodies)
    with TraceFile.open(tmp_path / "spans.db") as kept:
        assert len(list(kept.traces())) <= 3


@pytest.mark.parametrize("blocks", [1, 8])
def test_values_and_names_are_those_of_traces_that_are_there(blocks: int) -> None:
    database = open_database(None)
    store = Store(database, Bounds(spans=2), lambda: 1.0, ("env",), sizes=Sizes(traces=4, blocks=blocks))
    for trace in range(1, 8):
        store.keep(spans(wire(trace, name=f"n{trace}", tags={"env": f"e{trace}"})))
        store.forget()
        store.settle()
    assert store.values("env", database.own()) == ["e6", "e7"]
    assert store.span_names("a", database.own()) == ["n6", "n7"]
    database.close()


def _at_rest() -> tuple[files.Database, Store]:
    database = open_database(None)
    store = Store(database, Bounds(), lambda: 1.0, sizes=Sizes(traces=2, blocks=1))
    for trace in range(1, 61):
        store.keep(spans(wire(trace, tags={"a": "b"})))
        store.settle()
    return database, store


def test_new_and_late_spans_of_one_request_are_kept_together_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    database, store = _at_rest()
    append, calls = files.append, []

    def full(*arguments: Any) -> int:
        calls.append(1)
        if len(calls) > 1:
            raise sqlite3.OperationalError("database or disk is full")
        return append(*arguments)

    sent = spans(wire(100), *(wire(trace, 2) for trace in range(1, 51)))
    with monkeypatch.context() as broken:
        broken.setattr(files, "append", full)
        with pytest.raises(EngineError, match="disk is full"):
            store.keep(sent)
    reader = database.own()
    assert len(calls) == 2
    assert [store.text(each.trace_id, reader) is None for each in sent[:1]] == [True]
    assert all((store.text(each.trace_id, reader) or b"").count(b'"id"') == 1 for each in sent[1:])
    store.keep(sent)
    assert all((store.text(each.trace_id, reader) or b"").count(b'"id"') == 2 for each in sent[1:])
    assert (len(store), store.forgetting.spans) == (61, 111)
    database.close()


def test_late_spans_that_say_the_same_again_add_nothing_to_the_index() -> None:
    database, store = _at_rest()
    for number in range(2, 100):
        store.keep(spans(wire(1 + 2 * (number % 4), number, tags={"a": "b"})))
        store.settle()
    with database.writing() as connection:
        assert connection.execute("SELECT max(length(body)) FROM terms").fetchone() == (4,)
    database.close()


def test_four_bytes_of_two_neighbours_are_no_fingerprint() -> None:
    assert not fingerprints.holds(b"abcdefgh", b"cdef")
    assert fingerprints.holds(b"abcdefghcdef", b"cdef")


async def test_one_commit_has_no_more_bytes_than_it_may_and_one_failure_is_not_everybodys() -> None:
    database = open_database(None)
    store = Store(database, Bounds(), lambda: 1.0)
    counts: list[int] = []

    class Watched(Store):
        def keep(self, spans: Any) -> None:
            some = list(spans)
            counts.append(len(some))
            if any(each.name == "bad" for each in some):
                raise EngineError("no room", next_step="make room")
            store.keep(some)

    committer = Committer(Watched(database, Bounds(), lambda: 1.0))
    large = [committer.keep(spans(wire(trace)), MOST_BYTES // 2) for trace in range(1, 10)]
    await asyncio.gather(*large)
    assert max(counts) <= 2
    small = [committer.keep(spans(wire(trace, name="bad" if trace == 25 else "work"))) for trace in range(20, 40)]
    told = await asyncio.gather(*small, return_exceptions=True)
    await committer.close()
    assert [str(each) for each in told if each] == ["no room"]
    assert len(store) == 9 + 19
    database.close()
