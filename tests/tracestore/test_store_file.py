from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.tracestore.asking import asking, wire
from toolkit.engines.tracestore import serve
from toolkit.errors import EngineError


async def test_what_was_accepted_is_there_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "spans.ndjson"
    async with asking(file) as it:
        await it.put(wire(1, tags={"ä": "\u2028"}), wire(2))
        await it.put(wire(1), wire(1, 2))
        before = await it.json(f"/api/v2/trace/{wire(1)['traceId']}")
    async with asking(file) as it:
        assert await it.json(f"/api/v2/trace/{wire(1)['traceId']}") == before
        await it.put(wire(3))
        assert it.warnings == []
    assert [json.loads(line)["id"] for line in file.read_text().splitlines()] == [wire(1)["id"]] * 3 + [
        wire(1, 2)["id"],
        wire(1)["id"],
    ]


async def test_a_span_that_is_known_is_not_written_again(tmp_path: Path) -> None:
    file = tmp_path / "spans.ndjson"
    for _ in range(2):
        async with asking(file) as it:
            await it.put(wire(1), wire(1))
    assert len(file.read_text().splitlines()) == 1


async def test_a_torn_last_line_is_dropped_and_said_and_written_over(tmp_path: Path) -> None:
    file = tmp_path / "spans.ndjson"
    async with asking(file) as it:
        await it.put(wire(1), wire(2))
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    async with asking(file) as it:
        torn = len(whole.splitlines()[1]) - 19
        assert it.warnings == [f"{file}: the last line ({torn} bytes) was torn and is dropped; 1 spans were read"]
        await it.put(wire(2))
    assert file.read_bytes() == whole


async def test_a_line_torn_before_any_was_whole_is_dropped_too(tmp_path: Path) -> None:
    file = tmp_path / "spans.ndjson"
    file.write_bytes(b'{"traceId":"00')
    async with asking(file) as it:
        assert len(it.warnings) == 1
    assert file.read_bytes() == b""


@pytest.mark.parametrize(
    "content", ["chain: mine\n", "no newline", "\n", "[]\n", "{}\n", "{},{}\n", '{"traceId":"1"}\n', "\x00\xff\n"]
)
async def test_a_file_that_holds_something_else_is_refused_and_left_alone(tmp_path: Path, content: str) -> None:
    file = tmp_path / "chain.yaml"
    file.write_text(content)
    with pytest.raises(EngineError) as caught:
        await serve(store=file)
    assert str(caught.value).startswith(str(file))
    assert caught.value.next_step == "give --store a path of its own"
    assert file.read_text() == content


async def test_a_bad_line_is_named_by_its_number(tmp_path: Path) -> None:
    file = tmp_path / "spans.ndjson"
    file.write_text(json.dumps(wire(1)) + "\n" + json.dumps({**wire(2), "id": "x"}) + "\n")
    with pytest.raises(EngineError, match=r"spans\.ndjson:2: not a span: id 'x' is not lower-case hex"):
        await serve(store=file)


async def test_two_stores_do_not_share_a_file(tmp_path: Path) -> None:
    file = tmp_path / "spans.ndjson"
    async with asking(file):
        with pytest.raises(EngineError, match="belongs to a store that is running"):
            await serve(store=file)
    async with asking(file) as it:
        await it.put(wire(1))


@pytest.mark.parametrize("path", [".", "missing/spans.ndjson"])
async def test_a_file_that_cannot_be_had_is_named(tmp_path: Path, path: str) -> None:
    with pytest.raises(EngineError, match="cannot be opened"):
        await serve(store=tmp_path / path)


@contextmanager
def small_files() -> Iterator[None]:
    """The system takes no file beyond 1000 bytes from this process: to a writer it looks like a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_full_disk_is_told_to_whoever_sends_spans_and_leaves_no_torn_line(tmp_path: Path) -> None:
    file = tmp_path / "spans.ndjson"
    many = [wire(trace) for trace in range(1, 21)]
    async with asking(file) as it:
        await it.put(many[0])
        for _ in range(2):
            with small_files():
                answer = await it.post(json.dumps(many).encode())
            assert answer.status == 503
            assert answer.body == f"{file} cannot be written: File too large".encode()
        await it.put(many[1])
    assert [json.loads(line)["traceId"] for line in file.read_text().splitlines()] == [
        many[0]["traceId"],
        many[1]["traceId"],
    ]


async def test_what_is_no_file_is_refused_and_not_read() -> None:
    with pytest.raises(EngineError, match="/dev/zero is no regular file"):
        await serve(store=Path("/dev/zero"))


async def test_a_port_that_is_taken_is_an_os_error_and_frees_the_file(tmp_path: Path) -> None:
    file = tmp_path / "spans.ndjson"
    async with asking() as it:
        with pytest.raises(OSError, match="address already in use"):
            await serve("127.0.0.1", it.store.port, file)
    async with asking(file) as it:
        assert it.warnings == []


async def test_reading_back_keeps_within_the_bounds(tmp_path: Path) -> None:
    file = tmp_path / "spans.ndjson"
    async with asking(file) as it:
        await it.put(*(wire(trace) for trace in range(1, 2501)))
    async with asking(file, max_spans=100) as it:
        assert (await it.json("/info"))["store"]["spans"] == 100
        assert it.warnings


async def test_a_span_that_is_longer_in_the_file_than_it_was_sent_is_read_back(tmp_path: Path) -> None:
    file, text = tmp_path / "spans.ndjson", "é" * 4_000_000
    async with asking(file) as it:
        assert (await it.post(json.dumps([wire(1, tags={"a": text})], ensure_ascii=False).encode())).status == 202
        await it.put(wire(2))
    assert file.stat().st_size > 16 << 20
    async with asking(file) as it:
        (kept,) = await it.json(f"/api/v2/trace/{wire(1)['traceId']}")
        assert kept["tags"]["a"] == text
        assert it.warnings == []
