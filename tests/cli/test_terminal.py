"""On a terminal there is a progress line while it runs, and none left when it is done; in a pipe there is silence."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
from pathlib import Path

from tests.cli import program


def on_a_terminal(folder: Path, *arguments: str) -> tuple[int, str]:
    """Exit status and standard error of the program whose standard error is a terminal."""
    ours, theirs = pty.openpty()
    with (folder / "out").open("w") as out:
        process = subprocess.Popen(
            (*program.TOOLKIT, *arguments), cwd=folder, env=program.environment(folder), stdout=out, stderr=theirs
        )
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # how Linux says that the other side is closed
        while data := os.read(ours, 65536):
            shown += data
    os.close(ours)
    return process.wait(), shown.decode()


def test_a_terminal_sees_how_far_the_run_is_and_then_only_where_it_is_stored(tmp_path: Path) -> None:
    status, shown = on_a_terminal(tmp_path, "run", "chained-serving", "--requests", "60", "--concurrency", "1")
    assert status == 0
    lines = shown.split("\r")
    assert any("60/60 answered" in line for line in lines)
    assert lines[-2].startswith("\x1b[2Kstored in runs/chained-serving-")
    assert "PASSED" in (tmp_path / "out").read_text()


def test_colour_is_for_terminals_only(tmp_path: Path) -> None:
    assert "\x1b[" not in program.call(tmp_path, "verify", "chained-serving").stdout
