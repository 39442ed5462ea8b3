"""Running other programs: no shell, their last words in the error."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

LAST_LINES = 15
LONGEST_LINE = 300  # characters; components log whole objects


class ClusterError(Exception):
    """Something could not be done. The text says what and why, and what to do next where there is something."""


def run(
    *command: str | Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    given: bytes | None = None,
    within_s: float | None = None,
) -> str:
    """What the command wrote to its standard output. Raises ClusterError with its last lines."""
    words = [str(each) for each in command]
    try:
        done = subprocess.run(words, cwd=cwd, env=env, input=given, capture_output=True, timeout=within_s)
    except FileNotFoundError as error:
        raise ClusterError(f"{words[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"`{_shown(words)}` did not end within {within_s:.0f} s") from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace") or done.stdout.decode(errors="replace")
        raise ClusterError(f"`{_shown(words)}` left with status {done.returncode}:\n{indented(last_lines(said))}")
    return done.stdout.decode(errors="replace")


def last_lines(text: str, count: int = LAST_LINES) -> list[str]:
    """The last lines of a log, each as long as somebody may want to read."""
    lines = text.rstrip().splitlines()[-count:]
    return [line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 1] + "…" for line in lines]


def indented(lines: Sequence[str]) -> str:
    return "\n".join(f"    {line}" for line in lines)


def _shown(words: Sequence[str]) -> str:
    text = " ".join(words)
    return text if len(text) <= 160 else text[:157] + "…"
