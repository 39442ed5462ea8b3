from __future__ import annotations

import json
import os
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.tracestore.asking import asking, wire
from toolkit.engines.tracestore import TraceFile, serve
from toolkit.errors import EngineError


def path_of(trace: int) -> str:
    return f"/api/v2/trace/{wire(trace)['traceId']}"


async def test_what_was_accepted_is_there_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "spans.db"
    async with asking(file) as it:
        await it.put(wire(1, tags={"ä": "\u2028"}), wire(2))
        await it.put(wire(1), wire(1, 2))
        before = await it.json(path_of(1))
        assert len(before) == 3
    async with asking(file) as it:
        assert await it.json(path_of(1)) == before
        await it.put(wire(3))
        assert (await it.json("/info"))["store"]["spans"] == 5
        assert it.warnings == []


async def test_a_span_that_is_known_is_not_written_again(tmp_path: Path) -> None:
    file = tmp_path / "spans.db"
    for _ in range(2):
        async with asking(file) as it:
            await it.put(wire(1), wire(1))
    with TraceFile.open(file) as kept:
        assert [len(trace) for trace in kept.traces()] == [1]


async def test_the_file_is_a_database_with_a_write_ahead_log(tmp_path: Path) -> None:
    file = tmp_path / "spans.db"
    async with asking(file) as it:
        await it.put(wire(1))
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as beside:
            assert beside.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            assert beside.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    "content", ["chain: mine\n", "no newline", "\n", "[]\n", json.dumps(wire(1)) + "\n", "\x00\xff\n"]
)
async def test_a_file_that_holds_something_else_is_refused_and_left_alone(tmp_path: Path, content: str) -> None:
    file = tmp_path / "chain.yaml"
    file.write_text(content)
    with pytest.raises(EngineError) as caught:
        await serve(store=file)
    assert str(caught.value) == f"{file} is no trace store: it holds something else"
    assert "toolkit trace import" in (caught.value.next_step or "")
    assert file.read_text() == content
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("application", [0, 77])
async def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path: Path, application: int) -> None:
    file = tmp_path / "theirs.db"
    with closing(sqlite3.connect(file)) as theirs:
        theirs.executescript(f"PRAGMA application_id={application}; CREATE TABLE mine (a); INSERT INTO mine VALUES (1)")
    before = file.read_bytes()
    with pytest.raises(EngineError, match="it is a database of another program"):
        await serve(store=file)
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


async def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    file = tmp_path / "spans.db"
    file.touch()
    async with asking(file) as it:
        await it.put(wire(1))


async def test_a_file_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "spans.db"
    async with asking(file) as it:
        await it.put(wire(1))
    with closing(sqlite3.connect(file)) as newer:
        newer.execute("PRAGMA user_version=2")
    before = file.read_bytes()
    with pytest.raises(EngineError, match=r"was written by a newer version \(its form is 2, this one knows 1\)"):
        await serve(store=file)
    assert file.read_bytes() == before


async def test_a_damaged_file_is_told_in_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "spans.db"
    async with asking(file) as it:
        await it.put(*(wire(trace) for trace in range(1, 100)))
    whole = file.read_bytes()
    file.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    with pytest.raises(EngineError, match=f"{file} (cannot be (read|used|written)|is damaged)"):
        await serve(store=file)


async def test_a_file_that_cannot_be_written_is_told_in_one_sentence(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        file = Path("/proc/version")  # nobody may write it, root neither
    else:
        file = tmp_path / "spans.db"
        file.touch(mode=0o400)
    with pytest.raises(EngineError) as caught:
        await serve(store=file)
    assert str(file) in str(caught.value)


async def test_two_stores_do_not_share_a_file(tmp_path: Path) -> None:
    file = tmp_path / "spans.db"
    async with asking(file):
        with pytest.raises(EngineError, match="belongs to a store that is running"):
            await serve(store=file)
    async with asking(file) as it:
        await it.put(wire(1))


@pytest.mark.parametrize(("path", "said"), [(".", "is no regular file"), ("missing/spans.db", "cannot be opened")])
async def test_a_file_that_cannot_be_had_is_named(tmp_path: Path, path: str, said: str) -> None:
    with pytest.raises(EngineError, match=said):
        await serve(store=tmp_path / path)


@contextmanager
def small_files(most: int) -> Iterator[None]:
    """The system takes no file beyond `most` bytes from this process: to a writer it looks like a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_full_disk_is_told_to_whoever_sends_spans_and_nothing_accepted_is_lost(tmp_path: Path) -> None:
    file = tmp_path / "spans.db"
    large = [wire(trace, tags={"payload": "x" * 1000}) for trace in range(1, 201)]
    async with asking(file) as it:
        await it.put(large[0])
        for _ in range(2):
            with small_files((tmp_path / "spans.db-wal").stat().st_size + 5000):
                answer = await it.post(json.dumps(large).encode())
            assert answer.status == 503
            assert answer.body.startswith(f"{file} cannot be written: ".encode())
            assert (await it.get(path_of(2))).status == 404
        await it.put(large[1])
    async with asking(file) as it:
        assert (await it.json("/info"))["store"]["spans"] == 2
        assert len(await it.json(f"/api/v2/traceMany?traceIds={large[0]['traceId']},{large[1]['traceId']}")) == 2


async def test_what_is_no_file_is_refused_and_not_read() -> None:
    with pytest.raises(EngineError, match="/dev/zero is no regular file"):
        await serve(store=Path("/dev/zero"))


async def test_a_port_that_is_taken_is_an_os_error_and_frees_the_file(tmp_path: Path) -> None:
    file = tmp_path / "spans.db"
    async with asking() as it:
        with pytest.raises(OSError, match="address already in use"):
            await serve("127.0.0.1", it.store.port, file)
    async with asking(file) as it:
        assert it.warnings == []


async def test_a_file_beyond_the_bounds_is_cut_with_the_next_spans(tmp_path: Path) -> None:
    file = tmp_path / "spans.db"
    async with asking(file) as it:
        await it.put(*(wire(trace) for trace in range(1, 2501)))
    async with asking(file, max_spans=100) as it:
        await it.put(wire(3000))
        assert (await it.json("/info"))["store"]["spans"] == 100
        assert it.warnings
        assert (await it.get(path_of(2400))).status == 404
        assert (await it.get(path_of(2402))).status == 200


async def test_a_span_that_is_longer_in_the_file_than_it_was_sent_is_read_back(tmp_path: Path) -> None:
    file, text = tmp_path / "spans.db", "\u0001" * 2_000_000
    async with asking(file) as it:
        assert (await it.post(json.dumps([wire(1, tags={"a": text})]).encode())).status == 202
        await it.put(wire(2))
    async with asking(file) as it:
        (kept,) = await it.json(path_of(1))
        assert kept["tags"]["a"] == text
        assert it.warnings == []


@pytest.mark.parametrize(
    ("content", "said"), [(None, "cannot be opened: No such file"), (b"x", "it holds something else"), (b"", None)]
)
def test_a_file_to_read_is_a_stores_file(tmp_path: Path, content: bytes | None, said: str | None) -> None:
    file = tmp_path / "spans.db"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(EngineError, match=said or "cannot be read"), TraceFile.open(file) as kept:
        list(kept.traces())


async def test_a_file_with_spans_of_a_store_that_was_killed_can_be_read(tmp_path: Path) -> None:
    file, copy = tmp_path / "spans.db", tmp_path / "copy.db"
    async with asking(file) as it:
        await it.put(wire(1))
        for end in ("", "-wal"):
            (tmp_path / f"copy.db{end}").write_bytes((tmp_path / f"spans.db{end}").read_bytes())
    with TraceFile.open(copy) as kept:
        assert [len(trace) for trace in kept.traces()] == [1]
