"""`toolkit trace import` and `export`: spans out of files into a store and back, whole or not at all."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_trace import serving
from tests.unit.traces.recorded import COLD, EVENT
from toolkit import runs
from toolkit.cli import main
from toolkit.traces import zipkin, zipkinproto
from toolkit.traces.model import Span

SPANS = [*EVENT, *COLD]
LEAST = {"traceId": "a" * 32, "id": "b" * 16, "timestamp": 1795321593143664}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[str]:
    """The address of an empty store."""
    with serving(tmp_path / "served") as url:
        yield url


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's folder, as far as its spans go."""
    folder = tmp_path / "runs" / "a-run"
    folder.mkdir(parents=True)
    (folder / runs.REPORT).write_text("{}")
    (folder / runs.SPANS).write_bytes(zipkin.encode(SPANS))
    return folder


def exported(tmp_path: Path, *words: str) -> bytes:
    out = tmp_path / "exported"
    assert main(["trace", "export", *words, "--to", str(out)]) == 0
    return out.read_bytes()


def found(spans: list[Span]) -> set[str]:
    return {f"{each.trace} {each.id} {each.kind} {each.name}" for each in spans}


@pytest.mark.parametrize("form", ["json", "ndjson", "protobuf"])
def test_what_is_exported_imported_and_exported_again_is_the_same_bytes(
    store: str, run: Path, tmp_path: Path, form: str
) -> None:
    first = exported(tmp_path, "--run", str(run), "-o", form)
    (tmp_path / "first").write_bytes(first)
    assert main(["trace", "import", str(tmp_path / "first"), "--zipkin", store]) == 0
    assert exported(tmp_path, "--zipkin", store, "--lookback", "100000h", "-o", form) == first
    assert main(["trace", "import", str(tmp_path / "first"), "--store", str(tmp_path / "kept")]) == 0
    assert exported(tmp_path, "--store", str(tmp_path / "kept"), "-o", form) == first


def test_an_export_holds_each_span_of_the_run_once(run: Path, tmp_path: Path) -> None:
    assert found(zipkin.decode(exported(tmp_path, "--run", str(run)))) == found(SPANS)
    lines = exported(tmp_path, "--run", str(run), "-o", "ndjson").splitlines()
    assert found(zipkin.decode(b"[" + b",".join(lines) + b"]")) == found(SPANS)
    assert found(zipkinproto.decode(exported(tmp_path, "--run", str(run), "-o", "protobuf"))) == found(SPANS)


def test_spans_imported_twice_are_there_once(store: str, run: Path, tmp_path: Path) -> None:
    for _ in range(2):
        assert main(["trace", "import", str(run), "--zipkin", store]) == 0
    spans = zipkin.decode(exported(tmp_path, "--zipkin", store, "--lookback", "100000h"))
    assert len(spans) == len(SPANS)


def test_an_endpoints_address_survives_the_way(store: str, tmp_path: Path) -> None:
    span = {**LEAST, "localEndpoint": {"serviceName": "a", "ipv4": "10.0.0.1", "ipv6": "::1", "port": 80}}
    (tmp_path / "one").write_text(json.dumps([span]))
    assert main(["trace", "import", str(tmp_path / "one"), "--zipkin", store]) == 0
    assert json.loads(exported(tmp_path, "--zipkin", store, "--lookback", "100000h")) == [span]


def test_standard_input_is_a_file_as_any(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(zipkin.encode(COLD)))))
    assert main(["trace", "import", "-", "--zipkin", store]) == 0
    assert capsys.readouterr().out == f"{len(COLD)} spans imported into {store}\n"


def test_a_file_whose_name_says_so_is_gzipped(run: Path, tmp_path: Path) -> None:
    assert main(["trace", "export", "--run", str(run), "--to", str(tmp_path / "spans.json.gz")]) == 0
    assert found(zipkin.decode(gzip.decompress((tmp_path / "spans.json.gz").read_bytes()))) == found(SPANS)


def test_an_export_through_links_writes_what_they_lead_to(run: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    (there / "old").write_bytes(b"old")
    (tmp_path / "link").symlink_to("there/old")
    (tmp_path / "dangling").symlink_to("there/new")
    for link, target in (("link", "old"), ("dangling", "new")):
        assert main(["trace", "export", "--run", str(run), "--to", str(tmp_path / link)]) == 0
        assert (tmp_path / link).is_symlink()
        assert found(zipkin.decode((there / target).read_bytes())) == found(SPANS)
    assert sorted(each.name for each in there.iterdir()) == ["new", "old"]


def test_an_export_to_a_pipe_is_read_at_its_other_end(run: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    assert main(["trace", "export", "--run", str(run), "--to", str(pipe)]) == 0
    reader.join(10)
    assert found(zipkin.decode(read[0])) == found(SPANS)
    assert pipe.is_fifo()
    assert [each for each in tmp_path.iterdir() if each.name.startswith(".pipe")] == []


def test_an_export_to_a_file_that_is_open_is_written_there(run: Path, tmp_path: Path) -> None:
    with (tmp_path / "open").open("w+b") as file:
        assert main(["trace", "export", "--run", str(run), "--to", f"/proc/self/fd/{file.fileno()}"]) == 0
        assert found(zipkin.decode(file.read())) == found(SPANS)


def test_traces_of_one_service_are_exported_alone(store: str, run: Path, tmp_path: Path) -> None:
    assert main(["trace", "import", str(run), "--zipkin", store]) == 0
    lookback = ("--lookback", "100000h")
    spans = zipkin.decode(exported(tmp_path, "--zipkin", store, "--service", "broker.ingress", *lookback))
    assert {each.trace for each in spans} == {each.trace for each in SPANS if each.service == "broker.ingress"}
    assert spans


def test_a_trace_that_no_search_finds_is_exported_from_its_file(tmp_path: Path) -> None:
    timeless = [{"traceId": "a" * 32, "id": f"{each:016x}"} for each in range(1, 4)]
    (tmp_path / "some").write_text(json.dumps(timeless))
    assert main(["trace", "import", str(tmp_path / "some"), "--store", str(tmp_path / "kept")]) == 0
    assert json.loads(exported(tmp_path, "--store", str(tmp_path / "kept"))) == timeless


def test_a_file_that_is_no_store_is_not_touched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").write_text("precious")
    (tmp_path / "some").write_text(json.dumps([LEAST]))
    for words in (["export"], ["import", str(tmp_path / "some")]):
        assert main(["trace", *words, "--store", str(tmp_path / "mine")]) == 3
        assert "is no trace store" in capsys.readouterr().err
    assert (tmp_path / "mine").read_text() == "precious"


def test_every_bad_span_is_told_and_nothing_is_imported(
    store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad: list[Any] = [LEAST, {}, LEAST, {**LEAST, "id": "zz"}]
    (tmp_path / "bad").write_text(json.dumps(bad))
    (tmp_path / "torn").write_text("[{}")
    words = [str(tmp_path / "bad"), str(tmp_path / "torn"), "--zipkin", store]
    assert main(["trace", "import", *words]) == 2
    said = capsys.readouterr().err
    assert f"{tmp_path / 'bad'}: span 1: traceId is missing" in said
    assert f"{tmp_path / 'bad'}: span 3: id 'zz' is not lower-case hex" in said
    assert f"{tmp_path / 'torn'}: not JSON: 'the end' where , or ] should be" in said
    assert "next: nothing was imported" in said
    assert exported(tmp_path, "--zipkin", store, "--lookback", "100000h") == b"[]\n"


def test_of_very_many_bad_spans_the_first_are_told(
    tmp_path: Path, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad").write_text("{}\n" * 1000)
    assert main(["trace", "import", str(tmp_path / "bad"), "--zipkin", store]) == 2
    said = capsys.readouterr().err
    assert "span 99: traceId is missing\n… and 900 more spans" in said
    assert "span 100:" not in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["import", "nowhere.json"], "nowhere.json: No such file or directory"),
        (["import", "a", "--zipkin", "http://127.0.0.1:9", "--store", "x"], "not allowed with argument"),
        (["import"], "the following arguments are required: FILE"),
        (["export", "--run", "nothing"], "nothing"),
        (["export", "--store", "nothing"], "nothing is not there"),
        (["export", "--service", "a"], "--service says nothing without --zipkin or --store"),
        (["export", "--lookback", "soon"], "'soon' is not a duration"),
        (["export", "--lookback", "0s"], "'0s' is no time to look back"),
        (["export", "-o", "thrift"], "invalid choice: 'thrift'"),
    ],
)
def test_what_makes_no_sense_is_refused(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["trace", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_store_that_is_not_there_is_told_with_what_was_taken(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "import", str(run), "--zipkin", "http://127.0.0.1:9"]) == 3
    said = capsys.readouterr().err
    assert "http://127.0.0.1:9/api/v2/spans cannot be reached" in said
    assert "(0 spans before that were taken)" in said
    assert "then do the same again" in said


def test_a_file_that_cannot_be_written_leaves_nothing_behind(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").mkdir()
    assert main(["trace", "export", "--run", str(run), "--to", str(tmp_path / "taken")]) == 2
    assert "taken cannot be written" in capsys.readouterr().err
    assert sorted(each.name for each in tmp_path.iterdir()) == ["runs", "taken"]


def test_a_run_with_broken_spans_is_told_and_writes_nothing(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run / runs.SPANS).write_text("[{}]")
    assert main(["trace", "export", "--run", str(run), "--to", str(tmp_path / "out")]) == 2
    assert "spans.json: span 0: traceId is missing" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
