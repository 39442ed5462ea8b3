"""Where the problems of one chain.yaml are gathered, so that all are reported at once."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from toolkit.errors import Problem

# Near misses cost a comparison per known name; a hostile file with thousands of unknown names gets none at its end.
_COMPARISONS = 20_000
_LONGEST = 100
_FEW = 8  # names that a message lists


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: line and column from 1 (0: the file as a whole), and the path in the document."""

    line: int
    column: int
    path: str

    def key(self, name: str) -> Place:
        return Place(self.line, self.column, f"{self.path}.{name}" if self.path else name)


@dataclass(frozen=True, slots=True)
class At:
    """A value, read and valid by itself, and its place; None when it was there but could not be read."""

    value: Any
    place: Place


class Findings:
    """The problems so far. The same problem of the same place is kept once."""

    def __init__(self) -> None:
        self._problems: dict[Problem, None] = {}
        self._comparisons = 0

    def __len__(self) -> int:
        return len(self._problems)

    @property
    def problems(self) -> list[Problem]:
        return sorted(self._problems)

    def add(self, place: Place, message: str, *, origin: str = "") -> None:
        self._problems[Problem(place.line, place.column, place.path, message, origin)] = None

    def closest(self, word: str, names: Collection[str]) -> str | None:
        """The one of `names` that `word` may be a slip of."""
        self._comparisons += len(names)
        if self._comparisons > _COMPARISONS or len(word) > _LONGEST:
            return None
        return next(iter(difflib.get_close_matches(word, names, n=1)), None)

    def near(self, word: str, names: Collection[str]) -> str:
        """` — did you mean 'x'?`, else `; there is a, b` for a handful of names, else nothing."""
        close = self.closest(word, names)
        if close is not None:
            return f" — did you mean {close!r}?"
        return f"; there is {', '.join(names)}" if 0 < len(names) <= _FEW else ""
