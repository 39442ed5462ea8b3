"""How a load is divided among several generators. Pure.

Generator `index` of `of` sends every `of`-th call of the one schedule, beginning with the `index`-th, so that together
they send exactly what one would have sent: the same calls, at the same moments, under the same ids. Of a closed loop
the workers are divided, and the calls where those are counted.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import overload

from toolkit.errors import UsageError
from toolkit.results import Load, Progress

MOST_GENERATORS = 64
MOST_CONNECTIONS = 1000  # of one generator: each takes a file descriptor


@dataclass(frozen=True, slots=True)
class Share:
    """Every `of`-th call, beginning with the `index`-th, counted from 0."""

    index: int = 0
    of: int = 1

    @overload
    def times(self, schedule: Sequence[int]) -> Sequence[int]: ...
    @overload
    def times(self, schedule: Iterator[int]) -> Iterator[int]: ...
    def times(self, schedule: Sequence[int] | Iterator[int]) -> Sequence[int] | Iterator[int]:
        """The due times of these calls, of all due times; one after the other, if that is how all are given."""
        if isinstance(schedule, Iterator):
            return itertools.islice(schedule, self.index, None, self.of)
        return schedule[self.index :: self.of]

    def count(self, whole: int | None) -> int | None:
        """How many calls these are, of so many; None where that is not known."""
        return None if whole is None else len(range(self.index, whole, self.of))

    def load(self, whole: Load) -> Load:
        """Of a closed loop, this share's workers and calls. An open loop is divided call by call (`times`)."""
        if whole.model == "open":
            return whole
        return replace(whole, concurrency=self.count(whole.concurrency), requests=self.count(whole.requests))


WHOLE = Share()


def shares(of: int) -> Sequence[Share]:
    return tuple(Share(index, of) for index in range(of))


def validate(load: Load, generators: int) -> None:
    """Raises UsageError when there is not something to do for each of so many generators."""
    if not 1 <= generators <= MOST_GENERATORS:
        raise UsageError(
            f"--generators {generators}: not in range", next_step=f"give a whole number from 1 to {MOST_GENERATORS}"
        )
    for flag, count in (("--requests", load.requests), ("--concurrency", load.concurrency)):
        if count is not None and count < generators:
            raise UsageError(
                f"--generators {generators} for {flag} {count}: some would have nothing to do",
                next_step=f"give --generators {count}, or more {flag.removeprefix('--')}",
            )


def together(parts: Iterable[Progress]) -> Progress:
    """How far all of them have come."""
    all_of_them = list(parts)
    planned = [each.planned for each in all_of_them if each.planned is not None]
    return Progress(
        sum(planned) if planned and len(planned) == len(all_of_them) else None,
        sum(each.sent for each in all_of_them),
        sum(each.ok for each in all_of_them),
        sum(each.failed for each in all_of_them),
        sum(each.in_flight for each in all_of_them),
        max((each.elapsed_s for each in all_of_them), default=0.0),
    )
