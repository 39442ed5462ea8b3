"""What the page shows first: an analysis of many traces, the graph, and a list of them.

May live here: putting documents together. `Subject` says where the traces come from, in the words of the page.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from toolkit.analysis import Analysis, AnalysisChange
from toolkit.report.traces.lines import Line
from toolkit.report.traces_text import finding

MOST_LINES = 1000  # traces in a list


@dataclass(frozen=True, slots=True)
class Subject:
    """`subject` is a run's id, an address, or a file. `every_ms` is None unless the page is to ask again.

    `window_s` is the time that rates are over; None where it is not known. `note` is what a reader must know of it.
    """

    title: str
    source: Literal["run", "zipkin", "store", "file"]
    subject: str
    chain: str | None = None
    emulated: bool | None = None
    every_ms: int | None = None
    window_s: float | None = None
    note: str | None = None


def document(
    subject: Subject,
    analysis: Analysis,
    graph: Mapping[str, Any],
    lines: Sequence[Line],
    services: Iterable[str],
    *,
    more: bool = False,
    first: Container[str] = (),
    against: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The whole overview; `more`: there are traces beyond these lines. The traces `first` are listed in any case."""
    listed = newest(lines)
    kept = sorted(listed, key=lambda line: line.id not in first)[:MOST_LINES]
    return {
        **asdict(subject),
        "live": subject.every_ms is not None,
        "analysis": asdict(analysis),
        "finding": slow_ones(analysis),
        "graph": graph,
        "traces": [line.document() for line in newest(kept)],
        "more": more or len(listed) > MOST_LINES,
        "services": sorted(services)[:MOST_LINES],
        "against": against,
    }


def slow_ones(analysis: Analysis) -> dict[str, Any] | None:
    """What makes them slow, by the rule of `toolkit trace analyze`; None where there are too few to say."""
    if (found := finding(analysis)) is None:
        return None
    growths = [{"label": label, "what": what, "us": us} for label, what, us in found.growths]
    return {"low": found.low, "high": found.high, "n": found.n, "longer_us": found.longer_us, "growths": growths}


def newest(lines: Iterable[Line]) -> list[Line]:
    return sorted(lines, key=lambda line: (-line.start_us, line.id))


def against(subject: str, change: AnalysisChange) -> dict[str, Any]:
    """What another subject's traces tell, and how its segments differ."""
    return {
        "subject": subject,
        "analysis": asdict(change.other),
        "change": [asdict(each) for each in change.segments],
    }


def rate_window(lines: Sequence[Line]) -> float | None:
    """Seconds from the first trace's start to the last one's; None when that is no time."""
    starts = [line.start_us for line in lines if line.start_us]
    passed = (max(starts) - min(starts)) / 1e6 if starts else 0.0
    return passed or None
