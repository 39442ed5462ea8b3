"""The trace ids of a load that is no chain's, made again: they follow from its seed alone, whoever sent which call.

May live here: drawing them as `direct` draws its contexts. May not: sending.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from toolkit.results import Load

BITS = 224  # of a call: 128 of its trace, 64 of its span, 32 that decide whether it is sampled


def trace_ids(load: Load) -> Iterator[str]:
    """Those of the places 0, 1, 2 … of the load, in lower-case hex, without end."""
    draw = random.Random(f"{load.seed}/contexts").getrandbits  # noqa: S311 - ids that anyone can make again, no secret
    while True:
        yield f"{draw(BITS) >> 96:032x}"
