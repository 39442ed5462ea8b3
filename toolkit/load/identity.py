"""Who each call is: its place, its ids, and whether it is traced. All follow from the run's id and the load's seed.

May live here: drawing ids. May not: anything that depends on when or by whom a call is sent.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass

from toolkit.load.share import WHOLE, Share
from toolkit.results import Load


@dataclass(frozen=True, slots=True)
class Identity:
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
