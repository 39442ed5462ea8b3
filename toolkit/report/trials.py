"""A group of trials for a person at a terminal: each variant's quantiles over its trials, and how far those are apart.

May live here: how it is told. May not: statistics (`measure`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from toolkit.report.characters import in_ascii, printable
from toolkit.report.tables import NONE, milliseconds, plural
from toolkit.verdicts import Group, Interval, Spread

NAME, CELL, RANGE = 16, 11, 24


def text(group: Group, found: Mapping[str, Sequence[Spread]], *, unicode: bool = True) -> str:
    """Newline at the end."""
    lines = [*_head(group), *_table(found), "", *_next(group, found)]
    told = "\n".join(lines) + "\n"
    return told if unicode else in_ascii(told)


def _head(group: Group) -> Iterator[str]:
    partial = f" · PARTIAL: {group.planned} were planned" if group.partial else ""
    made = plural(len(group.trials), "trial")
    yield f"{printable(group.chain)} · {made}, a fresh deployment each · group {printable(group.group)}{partial}"
    yield ""


def _table(found: Mapping[str, Sequence[Spread]]) -> Iterator[str]:
    for variant, rows in found.items():
        head = printable(variant) if len(found) > 1 else ""
        yield f"{head:<{NAME}}{'mean':>{CELL}}{'95 % sure':>{RANGE}}{'between trials':>{NAME}}{'trials':>8}"
        for each in rows:
            between = NONE if each.between is None else f"±{each.between:.1%}"
            cells = f"{milliseconds(each.centre):>{CELL - 3}} ms{_range(each.interval):>{RANGE}}{between:>{NAME}}"
            yield f"{each.metric:<{NAME}}{cells}{each.trials:>8}"
        if not rows:
            yield "too few calls a trial for a quantile"


def _range(interval: Interval | None) -> str:
    return NONE if interval is None else f"{milliseconds(interval.low)} to {milliseconds(interval.high)} ms"


def _next(group: Group, found: Mapping[str, Sequence[Spread]]) -> Iterator[str]:
    """What to do with it."""
    if len(found) == 2 and group.trials:
        yield f"compare: toolkit compare {printable(group.group)} --by {printable(next(iter(group.trials[0].variant)))}"
    else:
        yield f"compare: toolkit compare {printable(group.group)} ANOTHER"
