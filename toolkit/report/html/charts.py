"""The drawings of distributions: the curve of percentiles, the histogram, the bar of the critical path.

May live here: which number becomes which shape. May not: choosing numbers (`measure`), words of the page (`view`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from markupsafe import Markup

from toolkit.report.html.drawing import (
    Frame,
    across,
    group,
    line,
    named_counts,
    named_times,
    path,
    rect,
    svg,
    text,
    up,
)
from toolkit.report.html.scales import Scale, nines, times
from toolkit.report.tables import count, milliseconds, percent
from toolkit.results import PathPart
from toolkit.series import Distribution

WIDTH, HEIGHT = 600, 312
FRAME = Frame(56, 30, 584, 270)
PARTS = 8  # kinds of filling that the style sheet knows


def percentiles(curves: Mapping[str, Distribution], classes: Mapping[str, str]) -> Markup:
    """Every curve by its name; what fewer than 10 samples carry is drawn faint."""
    most = max(each.n for each in curves.values())
    low = min(each.curve[0][1] for each in curves.values())
    high = max(each.curve[-1][1] for each in curves.values())
    x = Scale("nines", 0.0, 1.0 - 1.0 / max(most, 10), FRAME.left, FRAME.right)
    y = times(low, high, FRAME.bottom, FRAME.top)
    drawn = [
        across(x, FRAME, nines(most), "share of calls that took no longer (each further nine has the same room)"),
        up(y, FRAME, named_times(y), f"ms{' (logarithmic)' if y.kind == 'log' else ''}"),
    ]
    drawn += [_curve(each, classes[name], x, y) for name, each in curves.items()]
    drawn.append(_bands_of_curve(curves, x))
    about = f"Percentiles of {', '.join(curves)}, from {milliseconds(low)} to {milliseconds(high)} milliseconds"
    return svg(WIDTH, HEIGHT, "percentiles", about, *drawn)


def _curve(found: Distribution, class_: str, x: Scale, y: Scale) -> Markup:
    points = [(share, (x(share), y(upto))) for share, upto in found.curve]
    sure = [point for share, point in points if share <= found.known]
    rest = [point for share, point in points if share > found.known]
    return group(path([*sure[-1:], *rest], f"line faint {class_}"), path(sure, f"line {class_}"))


def _bands_of_curve(curves: Mapping[str, Distribution], x: Scale) -> Markup:
    """Strips that tell the numbers below the pointer."""
    most = max(curves.values(), key=lambda each: each.n)
    shares = sorted({share for share, _ in most.curve})
    bands = []
    for before, share in pairwise([0.0, *shares]):
        told = [f"{name} {milliseconds(_at(each, share))} ms" for name, each in curves.items()]
        bands.append(_band(x(before), x(share), FRAME, f"p{share * 100:.7g}: {' · '.join(told)}"))
    return group(*bands)


def _at(found: Distribution, share: float) -> float | None:
    return next((upto for at, upto in found.curve if at >= share - 1e-12), None)


def histogram(found: Distribution, name: str, class_: str) -> Markup:
    """How many calls took how long; classes of equal ratio."""
    x = Scale("log", found.bars[0][0], max(found.bars[-1][1], found.bars[0][0] * 1.01), FRAME.left, FRAME.right)
    most = max(number for _, _, number in found.bars)
    y = Scale("linear", 0, most, FRAME.bottom, FRAME.top)
    drawn = [
        across(x, FRAME, _log_names(x), "ms (logarithmic)"),
        up(y, FRAME, named_counts(y), "calls"),
    ]
    for start, end, number in found.bars:
        left, right = (x(start), x(end)) if start < end else (FRAME.left, FRAME.right)
        if number:
            top = min(y(number), FRAME.bottom - 1)
            drawn.append(rect(left + 0.5, top, right - left - 1, FRAME.bottom - top, f"fill {class_}"))
        told = f"{milliseconds(start)} to {milliseconds(end)} ms: {count(number)} of {count(found.n)} calls"
        drawn.append(_band(left, right, FRAME, told))
    low, high = found.bars[0][0], found.bars[-1][1]
    about = f"Histogram of {name}: {count(found.n)} calls from {milliseconds(low)} to {milliseconds(high)} milliseconds"
    return svg(WIDTH, HEIGHT, "histogram", about, *drawn)


def _log_names(x: Scale) -> list[tuple[float, str]]:
    """Round numbers, three or more where there are so many; in a narrow range the ends."""
    found: list[float] = []
    for steps in ((1,), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8)):
        found = [step * 10.0**power for power in range(13) for step in steps if x.low <= step * 10.0**power <= x.high]
        if len(found) >= 3:
            break
    return [(each, f"{each / 1e3:,.6g}") for each in (found if len(found) > 1 else [x.low, x.high])]


def shares(parts: Sequence[PathPart], name: str, what: str) -> Markup:
    """One bar, whose pieces add up to the whole."""
    height, left, width = 74, 2.0, 1156.0
    drawn, at = [], left
    for place, part in enumerate(parts):
        long = width * part.share
        told = f"{part.name}: {percent(part.share)}, p50 {milliseconds(part.p50_us)} ms, n {count(part.n)}"
        drawn.append(rect(at, 14, long, 40, f"part part{place % PARTS}", told))
        if long > 60:
            drawn.append(text(at + long / 2, 70, percent(part.share), anchor="middle"))
        at += long
    drawn.append(line(left, 60, left + width, 60, "none"))
    about = f"{what}: " + ", ".join(f"{part.name} {percent(part.share)}" for part in parts)
    return svg(1160, height, name, about, *drawn)


def _band(left: float, right: float, frame: Frame, told: str) -> Markup:
    return rect(left, frame.top, max(right - left, 0.5), frame.bottom - frame.top, "band", told)
