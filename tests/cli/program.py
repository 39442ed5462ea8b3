"""The toolkit as a user runs it: a program of its own, with a temporary folder of its own to tell its processes by."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

TOOLKIT = (sys.executable, "-m", "toolkit.cli")


def environment(folder: Path, **more: str) -> dict[str, str]:
    """The environment of a program under test; `TMPDIR` marks every process it starts."""
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOOLKIT_")}
    return {**kept, "TMPDIR": str(temporary), **more}


def call(folder: Path, *arguments: str, timeout: float = 100, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (*TOOLKIT, *arguments),
        cwd=folder,
        env=environment(folder, **more),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        (*TOOLKIT, *arguments),
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def descendants(folder: Path) -> dict[int, str]:
    """Every living process that this program started, the program itself included: pid and command line."""
    marker = f"TMPDIR={folder / 'tmp'}".encode()
    found: dict[int, str] = {}
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdecimal() and marker in (process / "environ").read_bytes().split(b"\0"):
                found[int(process.name)] = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found


def all_gone(folder: Path, within_s: float = 15) -> dict[int, str]:
    """What is left of the program's processes once they all had the time to leave; empty is as it should be."""
    with contextlib.suppress(AssertionError):
        wait_until(lambda: not descendants(folder), "no process", within_s)
    return descendants(folder)


def wait_for(folder: Path, *names: str) -> None:
    """Returns once the program has started processes whose command lines contain each of `names`."""

    def started() -> bool:
        lines = descendants(folder).values()
        return all(any(name in line for line in lines) for name in names)

    wait_until(started, f"processes with {names}")


def wait_until(condition: Callable[[], bool], what: str, within_s: float = 30) -> None:
    """Returns as soon as `condition` holds; fails when it did not in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {within_s:g} s"
        time.sleep(0.01)  # between two looks


def ended(done: subprocess.CompletedProcess[str]) -> int:
    """The exit status of a load; 0 also where all went well on a machine too busy for valid numbers, which is told."""
    busy = "INVALID: " in done.stdout or '"valid": false' in done.stdout
    return 0 if done.returncode == 6 and busy else done.returncode
