"""Who each call is: its place, its ids, and whether it is traced. All follow from the run's id and the load's seed.

May live here: drawing ids. May not: anything that depends on when or by whom a call is sent.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import NamedTuple

from toolkit.load.share import WHOLE, Share
from toolkit.results import Load


class Identity(NamedTuple):
    """One call: its place in the load from 0 on, and the ids of it, its trace and its root span (lower-case hex)."""

    seq: int
    call: str
    trace: str
    span: str
    sampled: bool


def identities(run: str, load: Load, share: Share = WHOLE) -> Iterator[Identity]:
    """Those of a share, in their order, without end. Those of the others are drawn too, and left out."""
    draw = random.Random(f"{run}/{load.seed}")  # noqa: S311 - ids that anyone can make again, no secret
    for seq in itertools.count():
        call, trace, span = draw.getrandbits(128), draw.getrandbits(128), draw.getrandbits(64)
        sampled = draw.random() < load.sample
        if seq % share.of == share.index:
            yield Identity(seq, f"{call:032x}", f"{trace:032x}", f"{span:016x}", sampled)


class Known:
    """Those of a share, by their place."""

    def __init__(self, run: str, load: Load, share: Share = WHOLE) -> None:
        self._share, self._more = share, identities(run, load, share)
        self._found: list[Identity] = []

    def __getitem__(self, seq: int) -> Identity:
        """Raises ValueError for a place that is not of this share."""
        place, odd = divmod(seq - self._share.index, self._share.of)
        if odd or place < 0:
            raise ValueError(f"call {seq} is not of the share {self._share.index} of {self._share.of}")
        while len(self._found) <= place:
            self._found.append(next(self._more))
        return self._found[place]
