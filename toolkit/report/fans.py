"""What one handling sent several times, as lines: how many branches, and how much of their work went on at once; of one
trace, and of many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from toolkit.analysis import FanSpread
from toolkit.report.characters import printable
from toolkit.report.drawing import arrow
from toolkit.report.tables import count, milliseconds, percent
from toolkit.report.waterfall import short_time
from toolkit.traces.overlap import Fan

MOST = 10  # lines
COLUMNS = ("n", "branches", "at once", "overlap", "least", "wall ms", "slowest", "ratio", "most")
CELL, LONGEST = 9, 48


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


def table(found: Sequence[FanSpread], width: int) -> Iterator[str]:
    """Of many traces the medians; of the overlap also the least, of wall time over the slowest branch the most."""
    if not found:
        return
    shown = sorted(sorted(found, key=lambda each: -each.n)[:MOST], key=found.index)
    room = max(24, min(LONGEST, width - CELL * len(COLUMNS), 2 + max(len(_who(each)) for each in shown)))
    yield f"{'several at once, median':<{room}}" + "".join(f"{each:>{CELL}}" for each in COLUMNS)
    for each in shown:
        yield _fit(_who(each), room) + "".join(f"{cell:>{CELL}}" for cell in _cells(each))
    if len(found) > MOST:
        yield f"and {count(len(found) - MOST)} more, of fewer handlings"


def _who(fan: FanSpread) -> str:
    return printable(
        f"all that {fan.source} sent" if fan.to is None else f"{fan.source} {arrow(fan.via or '')} {fan.to}"
    )


def _fit(text: str, room: int) -> str:
    return f"{text if len(text) < room else text[: room - 2] + '…':<{room}}"


def _cells(fan: FanSpread) -> tuple[str, ...]:
    share, stretch = fan.share, fan.stretch
    return (
        *(count(fan.n), f"{fan.branches.median:,.4g}", f"{fan.at_once.median:,.4g}"),
        *(percent(share.median), percent(share.least)),
        *(milliseconds(fan.wall_us.median), milliseconds(fan.slowest_us.median)),
        *(f"{stretch.median:,.2f}", f"{stretch.most:,.2f}"),
    )
