"""The drawing of a run along its time: latency, then rate, then what went wrong, on one axis of seconds."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from toolkit.report.html.drawing import (
    Frame,
    across,
    element,
    group,
    line,
    named_counts,
    named_times,
    path,
    rect,
    steps,
    svg,
    text,
    up,
)
from toolkit.report.html.scales import Scale, ticks, times
from toolkit.report.tables import count, milliseconds, rate
from toolkit.series import Interval, Timeline

WIDTH = 1160
LATENCY = Frame(64, 30, 1144, 240)
RATE = Frame(64, 284, 1144, 364)
LATENESS = Frame(64, 408, 1144, 468)
TROUBLE = Frame(64, 512, 1144, 572)
HEIGHT = 610


def timeline(found: Timeline) -> Markup:
    """Four panels. A panel whose numbers are all none stands empty, and says so."""
    end = found.intervals[-1].start_s + found.width_s
    x = Scale("linear", 0.0, end, LATENCY.left, LATENCY.right)
    drawn = (
        *_warmup(found, x),
        _latency(found, x),
        _rate(found, x),
        _lateness(found.intervals, x, found.width_s),
        _trouble(found.intervals, x, found.width_s),
        group(*(_band(each, x, found) for each in found.intervals)),
    )
    about = f"Latency, rate, lateness and failed calls over {end:.6g} seconds"
    return svg(WIDTH, HEIGHT, "timeline", about, *drawn)


def tail_name(tail: int | None) -> str | None:
    return None if tail is None else f"p{tail / 10:g}"


def _warmup(found: Timeline, x: Scale) -> Sequence[Markup]:
    if found.warmup_s is None:
        return ()
    right = x(found.warmup_s)
    return (
        rect(LATENCY.left, LATENCY.top, right - LATENCY.left, TROUBLE.bottom - LATENCY.top, "warmup", "warm-up"),
        text(right + 4, LATENCY.top + 12, "◂ warm-up, in no number", class_="axis"),
    )


def _seconds(x: Scale) -> list[tuple[float, str]]:
    return [(each, f"{each:g}") for each in ticks(x, 10)]


def _latency(found: Timeline, x: Scale) -> Markup:
    dots = [each.latency_us for each in found.dots if each.latency_us is not None]
    several = (number for each in found.intervals for number in (each.p50, each.tail, each.max))
    known = [*dots, *(each for each in several if each is not None)]
    y = times(min(known, default=0.0), max(known, default=1.0), LATENCY.bottom, LATENCY.top)
    middle = [x(each.start_s + found.width_s / 2) for each in found.intervals]
    drawn = [
        across(x, LATENCY, _seconds(x), ""),
        up(y, LATENCY, named_times(y), f"latency, ms{' (logarithmic)' if y.kind == 'log' else ''}"),
    ]
    for dot in found.dots:
        if dot.latency_us is not None:
            kind = "dot cold" if dot.cold else "dot"
            drawn.append(element("circle", cx=x(dot.at_s), cy=y(dot.latency_us), r=2, class_=kind))
    names = ("p50", "tail") if found.dots else ("max", "tail", "p50")
    for name in names:
        values = [getattr(each, name) for each in found.intervals]
        points = [None if value is None else (at, y(value)) for at, value in zip(middle, values, strict=True)]
        drawn.append(path(points, f"line {name}"))
    return group(*drawn, class_="panel")


def _rate(found: Timeline, x: Scale) -> Markup:
    wide = found.width_s
    most = max(max(each.due, each.sent) for each in found.intervals) / wide
    y = Scale("linear", 0.0, max(most * 1.05, 1e-9), RATE.bottom, RATE.top)
    sent = [(x(each.start_s), y(each.sent / wide)) for each in found.intervals]
    due = [(x(each.start_s), y(each.due / wide)) for each in found.intervals]
    return group(
        across(x, RATE, _seconds(x), ""),
        up(y, RATE, named_counts(y, 3), "calls a second"),
        path([*steps(due), (RATE.right, due[-1][1])], "line due"),
        path([*steps(sent), (RATE.right, sent[-1][1])], "line sent"),
        class_="panel",
    )


def _lateness(intervals: Sequence[Interval], x: Scale, width_s: float) -> Markup:
    late = [each.lateness_max for each in intervals]
    y = times(0.0, max((each for each in late if each is not None), default=1.0), LATENESS.bottom, LATENESS.top)
    middle = [x(each.start_s + width_s / 2) for each in intervals]
    points = [None if each is None else (at, y(max(each, 0.0))) for at, each in zip(middle, late, strict=True)]
    return group(
        across(x, LATENESS, _seconds(x), ""),
        up(y, LATENESS, named_times(y, 2), "the generator's own lateness, ms (largest)"),
        path(points, "line lateness"),
        class_="panel",
    )


def _trouble(intervals: Sequence[Interval], x: Scale, width_s: float) -> Markup:
    most = max(each.failed + each.lost + each.refused for each in intervals)
    y = Scale("linear", 0.0, max(most, 1), TROUBLE.bottom, TROUBLE.top)
    drawn = [
        across(x, TROUBLE, _seconds(x), "seconds since the first call was due"),
        up(y, TROUBLE, [(0, "0"), (most, count(most))] if most else [(0, "0")], "calls that failed"),
    ]
    for each in intervals:
        base, below = 0, TROUBLE.bottom
        for kind in ("failed", "lost", "refused"):
            base += getattr(each, kind)
            top = y(base)
            if top < below:
                left = x(each.start_s)
                drawn.append(
                    rect(left, top, max(x(each.start_s + width_s) - left - 0.5, 1.0), below - top, f"bar {kind}")
                )
            below = top
    if not most:
        drawn.append(text(TROUBLE.left + 8, TROUBLE.bottom - 12, "none", class_="axis"))
    drawn.append(line(TROUBLE.left, TROUBLE.bottom, TROUBLE.right, TROUBLE.bottom, "grid"))
    return group(*drawn, class_="panel")


def told(each: Interval, found: Timeline) -> list[tuple[str, str]]:
    """(what, number with its unit) of one interval."""
    rows = [
        ("due", rate(each.due / found.width_s)),
        ("sent", rate(each.sent / found.width_s)),
        ("p50", f"{milliseconds(each.p50)} ms"),
        (tail_name(found.tail) or "", f"{milliseconds(each.tail)} ms"),
        ("max", f"{milliseconds(each.max)} ms"),
        ("late by at most", f"{milliseconds(each.lateness_max)} ms"),
        ("failed", count(each.failed)),
        ("lost", count(each.lost)),
    ]
    return [row for row in rows if row[0]]


def _band(each: Interval, x: Scale, found: Timeline) -> Markup:
    left, right = x(each.start_s), x(each.start_s + found.width_s)
    words = f"{each.start_s:g} s: " + " · ".join(f"{name} {number}" for name, number in told(each, found))
    return rect(left, LATENCY.top, right - left, TROUBLE.bottom - LATENCY.top, "band", words)
