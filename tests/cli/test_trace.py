"""`toolkit trace show` of a trace that holds the platform's spans."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.unit.traces.recorded import COLD, EVENT
from toolkit.cli import main
from toolkit.traces import zipkin


@contextmanager
def serving(file: Path) -> Iterator[str]:
    """The address of a store that holds what is in `file`."""
    words = [sys.executable, "-m", "toolkit.engines.tracestore", "--store", str(file), "--follow-stdin"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())["ready"]
        yield f"http://{ready['host']}:{ready['port']}"
        process.communicate(timeout=20)


@pytest.fixture
def store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[str]:
    """The address of a store that holds what a real cluster exported."""
    (tmp_path / "spans.json").write_bytes(zipkin.encode([*EVENT, *COLD]))
    assert main(["trace", "import", str(tmp_path / "spans.json"), "--store", str(tmp_path / "stored")]) == 0
    capsys.readouterr()
    with serving(tmp_path / "stored") as url:
        yield url


def test_the_platform_is_told_in_one_line_a_part(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "show", "c01d" * 8, "--zipkin", store]) == 0
    shown = capsys.readouterr()
    assert [line.split("  ")[0] for line in shown.out.splitlines()] == [
        f"trace {'c01d' * 8} · 2 spans · 2 services · 1.25 s · 1 orphan",
        "⚠ activator: waited 1.24 s",
        "└─ queue-proxy of tcold: waited 1 µs",
    ]
    assert "6 spans of the platform are folded into others; --unfold shows them" in shown.err


def test_every_span_is_shown_when_asked_for(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "show", "c01d" * 8, "--zipkin", store, "--unfold"]) == 0
    shown = capsys.readouterr()
    assert len(shown.out.splitlines()) == 1 + len(COLD)
    assert "activator: throttler_try" in shown.out
    assert "folded" not in shown.err


def test_as_json_every_span_is_there(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "show", "e" * 32, "--zipkin", store, "-o", "json"]) == 0
    assert {each.id for each in zipkin.decode(capsys.readouterr().out.encode())} == {each.id for each in EVENT}
