"""`toolkit trace ui` and `toolkit trace diff` as a user runs them: real processes, and what they say of bad input."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli import program
from tests.unit.report.traces.made import edge, eventing, problems
from toolkit import spanfile
from toolkit.errors import Exit

WITHIN_S = 60.0
TRACES = [eventing(number, slower=1 + number) for number in range(30)]


@pytest.fixture
def spans(tmp_path: Path) -> Path:
    path = tmp_path / "spans.json"
    spanfile.write(path, [span for spans in TRACES for span in spans])
    return path


@contextmanager
def running(folder: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, and the first line that it prints."""
    with program.start(folder, *words) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def ask(address: str) -> Any:
    with urllib.request.urlopen(address, timeout=20) as answer:
        return json.loads(answer.read())


def until(address: str, holds: Callable[[Any], bool]) -> Any:
    """The first answer of which it holds."""
    end = time.monotonic() + WITHIN_S
    while not holds(found := ask(address)):
        assert time.monotonic() < end, found["note"]
        time.sleep(0.3)  # between two looks, as often as a page does
    return found


def test_a_file_of_spans_is_served_until_ctrl_c(tmp_path: Path, spans: Path) -> None:
    with running(tmp_path, "trace", "ui", "--file", str(spans), "--chain", "chained-eventing") as (process, address):
        found = ask(f"{address}data/overview")
        assert problems("overview", found) == []
        assert (found["source"], found["chain"], len(found["traces"])) == ("file", "chained-eventing", 30)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        assert process.returncode == Exit.OK
        assert "Traceback" not in said
    with pytest.raises(urllib.error.URLError):
        ask(f"{address}data/overview")


@pytest.mark.parametrize("place", ["[::1]:0", "localhost:0"])
def test_every_name_of_this_machine_is_quiet(tmp_path: Path, spans: Path, place: str) -> None:
    with running(tmp_path, "trace", "ui", "--file", str(spans), "--listen", place) as (process, address):
        assert ask(f"{address}data/overview")["traces"]
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=20)[1] == "Ctrl-C ends it\n"


def test_a_page_for_others_is_told(tmp_path: Path, spans: Path) -> None:
    with running(tmp_path, "trace", "ui", "--file", str(spans), "--listen", "0.0.0.0:0") as (process, _):
        process.send_signal(signal.SIGTERM)
        assert "whoever reaches 0.0.0.0 can read these traces" in process.communicate(timeout=20)[1]


def test_a_file_beside_another(tmp_path: Path, spans: Path) -> None:
    with running(tmp_path, "trace", "ui", "--file", str(spans), "--against", str(spans)) as (_, address):
        change = ask(f"{address}data/overview")["against"]["change"]
    assert change
    assert all(each["one_us"] == each["other_us"] for each in change)


def test_a_stores_file_is_looked_at_without_its_store(tmp_path: Path, spans: Path) -> None:
    with running(tmp_path, "trace", "serve", "--listen", "127.0.0.1:0", "--store", "kept") as (_, said):
        url = said.removeprefix("spans are taken at ")
        request = urllib.request.Request(url, spans.read_bytes(), {"Content-Type": "application/json"})
        assert urllib.request.urlopen(request, timeout=20).status == 202
    with running(tmp_path, "trace", "ui", "--store", "kept") as (_, address):
        found = ask(f"{address}data/overview")
    assert (found["source"], found["analysis"]["traces"]) == ("store", 30)


def test_a_load_is_seen_while_it_runs(tmp_path: Path) -> None:
    """Three terminals: a store, the page over it, and a run that sends its spans there."""
    with running(tmp_path, "trace", "serve", "--listen", "127.0.0.1:0") as (store, said):
        url = said.removeprefix("spans are taken at ").removesuffix("/api/v2/spans")
        with running(tmp_path, "trace", "ui", "--zipkin", url) as (_, address):
            before = ask(f"{address}data/overview")
            assert (before["live"], before["traces"]) == (True, [])
            load = ("run", "chained-eventing", "--duration", "6s", "--rate", "20", "--zipkin", url)
            with program.start(tmp_path, *load) as run:
                seen = until(f"{address}data/overview", lambda found: len(found["traces"]) > 20)
                assert run.poll() is None
                assert 5 < edge(seen["graph"], "caller", "producer")["per_s"] < 40
                assert edge(seen["graph"], "broker", "consumer")["n"] > 10
                assert run.wait(timeout=WITHIN_S) in (Exit.OK, Exit.INVALID)
                run.communicate()
            whole = until(f"{address}data/overview", lambda found: edge(found["graph"], "caller", "producer")["p50_us"])
            assert whole["note"] is None
            assert ask(f"{address}data/search?service=consumer&limit=5")["more"]
            store.kill()
            store.wait()
            dead = until(f"{address}data/overview", lambda found: found["note"] is not None)
            assert "not up to date" in dead["note"]
            assert len(dead["traces"]) >= 100


BAD = {
    "trace ui --zipkin http://127.0.0.1:1": (Exit.ENGINE, "cannot be reached"),
    "trace ui": (Exit.USAGE, "holds no runs"),
    "trace ui nowhere": (Exit.USAGE, "no run 'nowhere'"),
    "trace ui --file nowhere.json": (Exit.USAGE, "cannot be read"),
    "trace ui --store nowhere": (Exit.USAGE, "nowhere"),
    "trace ui --file empty.json": (Exit.USAGE, "holds no trace"),
    "trace ui --file text.json": (Exit.USAGE, "text.json"),
    "trace ui --file spans.json --against nowhere": (Exit.USAGE, "no run 'nowhere'"),
    "trace ui --file spans.json --zipkin http://127.0.0.1:1": (Exit.USAGE, "exclude each other"),
    "trace ui run-1 --file spans.json": (Exit.USAGE, "exclude each other"),
    "trace ui --file spans.json --chain nowhere": (Exit.USAGE, "nowhere"),
    "trace ui --file spans.json --listen here": (Exit.USAGE, "is not HOST:PORT"),
    "trace ui --file spans.json --listen 127.0.0.1:99999": (Exit.USAGE, "is not HOST:PORT"),
    "trace ui --file spans.json --window soon": (Exit.USAGE, "soon"),
    "trace diff 1 2 --zipkin http://127.0.0.1:1": (Exit.ENGINE, "cannot be reached"),
    "trace diff ../x 2 --zipkin http://127.0.0.1:1": (Exit.USAGE, "is no id of a trace"),
    "trace diff aaaa bbbb --file spans.json": (Exit.USAGE, "30 traces begin with 'aaaa'"),
    "trace diff aaaa bbbb": (Exit.USAGE, "holds no runs"),
}


@pytest.mark.parametrize("words", BAD)
def test_what_cannot_be_shown_is_said_in_a_line(
    words: str, spans: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from toolkit.cli import main

    monkeypatch.chdir(spans.parent)
    (spans.parent / "empty.json").write_text("[]")
    (spans.parent / "text.json").write_text("[{]")
    status, told = BAD[words]
    assert main(words.split()) == status
    shown = capsys.readouterr()
    assert told in shown.err
    assert "next:" in shown.err
    assert shown.out == ""


def test_a_port_that_is_taken_is_told(tmp_path: Path, spans: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        done = program.call(tmp_path, "trace", "ui", "--file", str(spans), "--listen", place)
    assert done.returncode == Exit.ENGINE
    assert f"cannot listen on {place}" in done.stderr


def test_two_traces_are_told_apart(spans: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from toolkit.cli import main

    one, other = TRACES[0][0].trace, TRACES[2][0].trace
    assert main(["trace", "diff", one, other, "--file", str(spans)]) == Exit.OK
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[:2] == [f"A {one} 1.30 ms", f"B {other} 3.90 ms"]
    assert lines[-1] == "all of it 1.30 ms 3.90 ms +2.60 ms"
    assert main(["trace", "diff", one, other, "--file", str(spans), "-o", "json"]) == Exit.OK
    assert problems("difference", json.loads(capsys.readouterr().out)) == []
