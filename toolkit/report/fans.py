"""What one handling sent several times, as lines: how many branches, and how much of their work went on at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from toolkit.report.characters import printable
from toolkit.report.drawing import arrow
from toolkit.report.waterfall import short_time
from toolkit.traces.overlap import Fan

MOST = 10  # lines


def lines(found: Sequence[Fan]) -> Iterator[str]:
    """Of one trace: `map ─call─▶ worker: 16 branches, 16 at once, overlap 97 %; 103 ms in all, the slowest 101 ms`."""
    for fan in found[:MOST]:
        told = fan.overlap
        who = f"{fan.source} {arrow(fan.edge[2])} {fan.edge[1]}" if fan.edge else f"all that {fan.source} sent"
        yield printable(
            f"{who}: {told.n} branches, {'none' if told.at_once == 1 else told.at_once} at once, "
            f"overlap {100 * told.share:.0f} %; {short_time(told.wall_us).strip()} in all, "
            f"the slowest {short_time(told.slowest_us).strip()}"
        )
    if len(found) > MOST:
        yield f"and {len(found) - MOST} more"
