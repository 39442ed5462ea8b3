"""The error tree, and the exit code each branch ends the program with.

An error says what went wrong, where, and what to do next. The library raises; `toolkit.cli` alone prints and exits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

MOST_PRINTED = 100  # problems of one file; whoever has more begins with these


class Exit(IntEnum):
    """What scripts may rely on; the README's table says the same."""

    OK = 0
    BUG = 1
    USAGE = 2
    ENGINE = 3
    CHECK = 4
    REGRESSION = 5
    INVALID = 6
    INTERRUPTED = 130


class ToolkitError(Exception):
    """The root. `next_step` tells the user what to try; it is printed on a line of its own."""

    exit = Exit.BUG

    def __init__(self, message: str, *, next_step: str | None = None) -> None:
        super().__init__(message)
        self.next_step = next_step


class UsageError(ToolkitError):
    """The user asked for something that is not there or makes no sense: an unknown chain, a flag out of range."""

    exit = Exit.USAGE


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong with one place of a file. Line and column count from 1; 0 means the file as a whole."""

    line: int
    column: int
    path: str  # where in the document: `edges[0].to`
    message: str  # what is wrong, what was expected, and the near miss if there is one
    origin: str = ""  # where it stands when that is not the file, such as `--set`


class SpecError(UsageError):
    """A chain.yaml that cannot be used; carries every problem found, in the order of the file."""

    def __init__(self, origin: str, problems: Sequence[Problem]) -> None:
        self.origin = origin
        self.problems = tuple(sorted(problems))
        lines = [self._line(problem) for problem in self.problems[:MOST_PRINTED]]
        if (more := len(self.problems) - MOST_PRINTED) > 0:
            lines.append(f"… and {more:,} more")
        super().__init__("\n".join(lines))

    def _line(self, problem: Problem) -> str:
        origin = problem.origin or self.origin
        place = f"{origin}:{problem.line}:{problem.column}" if problem.line else origin
        path = f"{problem.path}: " if problem.path else ""
        return f"{place}: {path}{problem.message}"


class EngineError(ToolkitError):
    """The engine could not make the plan run; the cause and the next step are in the text."""

    exit = Exit.ENGINE


class NotReady(EngineError):
    """A function (or a part of the engine) was not ready in time, or left before it was."""

    def __init__(self, name: str, *, after_s: float, why: str = "", log_tail: Sequence[str] = ()) -> None:
        self.name, self.log_tail = name, tuple(log_tail)
        reason = f": {why}" if why else ""
        log = "".join(f"\n    {line}" for line in log_tail) or "\n    (it logged nothing)"
        super().__init__(f"{name} was not ready after {after_s:.1f} s{reason}; its last log lines:{log}")
