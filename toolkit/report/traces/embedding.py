"""Documents inside a page: which traces are worth their bytes, and JSON that no HTML parser takes for markup.

May live here: choosing, bounding, and encoding. A page holds the overview and, of some traces, everything.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from toolkit.analysis import APART, Analysis
from toolkit.report.traces.lines import Line

MOST = 120  # traces that can be opened
MOST_BYTES = 3 << 20  # of all of them
OF_A_KIND = 20  # slowest, failed, cold
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode  # ASCII: U+2028 is `\u2028`
_MARKUP = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}


def text(document: object) -> str:
    """JSON in ASCII, without a `<`, `>` or `&`: neither `</script>` nor `<!--` can stand in it."""
    return _encode(document).translate(_MARKUP)


def chosen(lines: Sequence[Line], analysis: Analysis, most: int = MOST) -> list[str]:
    """The ids of traces to embed, most wanted first: those at percentiles, one a bin of the distribution, the slowest,
    failed and cold ones, and an even sample of the rest."""
    known = {line.id for line in lines}
    picked = dict.fromkeys(each for each in _wanted(lines, analysis) if each in known)
    return list(islice(picked, most))


def _wanted(lines: Sequence[Line], analysis: Analysis) -> Iterator[str]:
    yield from (each.trace for each in analysis.exemplars)
    slowest = sorted(lines, key=lambda line: (-line.duration_us, line.id))
    in_time = sorted(lines, key=lambda line: (line.start_us, line.id))
    yield from (line.id for line in slowest[:OF_A_KIND])
    yield from (line.id for line in _evenly([line for line in in_time if line.failed], OF_A_KIND))
    yield from (line.id for line in _evenly([line for line in in_time if line.cold], OF_A_KIND))
    yield from (each.trace for each in analysis.bins)
    yield from (line.id for line in _evenly(in_time, MOST))


def _evenly(lines: Sequence[Line], most: int) -> Iterator[Line]:
    count = min(most, len(lines))
    return (lines[at * len(lines) // count] for at in range(count))


def embed(
    overview: Mapping[str, Any],
    ids: Iterable[str],
    trace: Callable[[str], dict[str, Any]],
    most_bytes: int = MOST_BYTES,
) -> str:
    """The overview, and what `trace` makes of these ids while there is room; how many of all there are is its note."""
    details: list[str] = []
    size = 0
    for each in ids:
        made = f"{text(each)}:{text(trace(each))}"
        if size + len(made) <= most_bytes:
            size += len(made)
            details.append(made)
    whole = _whole(overview["analysis"])
    told = {**overview, "note": _note(overview["note"], len(details), whole)}
    return f'{{"overview":{text(told)},"details":{{{",".join(details)}}}}}'


def _whole(analysis: Mapping[str, Any]) -> int:
    """All traces, with those that are kept apart."""
    apart: list[int] = [analysis[each] for each in APART if each not in analysis["pooled"]]
    return int(analysis["traces"]) + int(analysis["unusable"]) + sum(apart)


def _note(note: str | None, details: int, whole: int) -> str | None:
    if details >= whole:
        return note
    left_out = (
        f"{details:,} of {whole:,} traces can be opened in this file: those at percentiles, "
        "the slowest, failed and cold ones, and an even sample"
    )
    return f"{note}; {left_out}" if note else left_out
