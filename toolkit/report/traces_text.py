"""Where the time of many traces went, for a person at a terminal.

May live here: tables of an analysis, of one or of two beside each other. Names come from spans: each goes through
`characters.printable`. Times are in milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from toolkit.analysis import (
    APART,
    Analysis,
    AnalysisChange,
    Apart,
    Band,
    Completeness,
    Exemplar,
    HopAnatomy,
    MissingEdge,
    Skew,
)
from toolkit.coldness import Quantiles
from toolkit.report import fans
from toolkit.report.characters import in_ascii, printable
from toolkit.report.drawing import arrow
from toolkit.report.tables import NONE, count, milliseconds, percent, plural, quantile_table, spent

FEW = 10  # traces of a band, at least, for a sentence about them
NAMED = 3  # segments in that sentence, at most
ROWS = 20  # of a table; the rest of it is summed up
LEAST = 0.001  # of some band: what is less in all of them is summed up as well
CELL, PAIR = 9, 14
NARROW = 60  # columns for a name and what it is about, at most
Command = Callable[[str], str]  # of a trace's id


def render(found: Analysis, subject: str, show: Command | None, *, width: int = 100, unicode: bool = True) -> str:
    """The whole analysis, newline at the end; `show` makes the command that shows one trace."""
    sections = (
        _title(found, subject),
        quantile_table(_durations(found), width),
        _bands(found.bands, width),
        slowest(found.bands),
        _hops(found.hops, width),
        fans.table(found.fans, width),
        _completeness(found.completeness),
        _skews(found.skews),
        _exemplars(found.exemplars, show),
    )
    return _joined(sections, unicode)


def render_change(change: AnalysisChange, one: str, other: str, *, width: int = 100, unicode: bool = True) -> str:
    """Two analyses: how long traces took, and what of their critical paths changed, largest change first."""
    rows = {"A": change.one.durations_us, "B": change.other.durations_us}
    sections = (
        _sides(change, one, other),
        quantile_table(rows, width),
        _changes(change, width),
        ("means over all traces of a side; how sure a difference is, 'toolkit compare' tells of runs",),
    )
    return _joined(sections, unicode)


def _joined(sections: Sequence[Iterator[str] | Sequence[str]], unicode: bool) -> str:
    text = (
        "\n\n".join("\n".join(lines) for section in sections if (lines := [line.rstrip() for line in section])) + "\n"
    )
    return text if unicode else in_ascii(text)


def _title(found: Analysis, subject: str) -> Iterator[str]:
    yield f"{printable(subject)}: {plural(found.traces, 'trace')}, {plural(found.spans, 'span')}"
    pooled = [f"{count(_number(found, kind))} {kind}" for kind in found.pooled]
    if pooled and sum(_number(found, kind) for kind in found.pooled) == found.traces:
        yield f"there are no others: {' and '.join(pooled)}"
    elif pooled:
        yield f"among them {' and '.join(pooled)}"
    if apart := [f"{count(_number(found, kind))} {kind}" for kind in APART if _is_apart(found, kind)]:
        yield f"beside them {' and '.join(apart)}, in no other number than their own durations (--all pools them)"
    if found.unusable:
        yield f"{plural(found.unusable, 'trace')} more without a root that tells its time: left out"


def _number(found: Analysis, kind: Apart) -> int:
    return found.cold if kind == "cold" else found.failed


def _is_apart(found: Analysis, kind: Apart) -> bool:
    return _number(found, kind) > 0 and kind not in found.pooled


def _durations(found: Analysis) -> dict[str, Quantiles | None]:
    aside = {"cold": found.cold_us, "failed": found.failed_us}
    return {"duration": found.durations_us} | {kind: aside[kind] for kind in APART if _is_apart(found, kind)}


def _bands(bands: Sequence[Band], width: int) -> Iterator[str]:
    """What the critical path is made of, from the fastest traces to the slowest: mean times and shares."""
    if not bands:
        return
    means = [_means(band) for band in bands]
    names = means[0]
    most = {
        name: max(of.get(name, 0.0) / band.mean_us for of, band in zip(means, bands, strict=True)) for name in names
    }
    chosen = sorted((name for name in names if most[name] >= LEAST), key=lambda name: -most[name])[:ROWS]
    chosen.sort(key=lambda name: -names[name])
    told = [f"{printable(label)}  {what}" for label, what in chosen]
    pairs = _room(told, NARROW) + PAIR * len(bands) <= width
    room = _room(told, width - len(bands) * (PAIR if pairs else CELL))
    cell = PAIR if pairs else CELL
    yield f"{'critical path, mean ms':<{room}}" + "".join(f"{_ranks(band):>{cell}}" for band in bands)
    yield f"{'traces':<{room}}" + "".join(f"{count(band.n):>{cell}}" for band in bands)
    for name in chosen:
        cells = (_cell(of.get(name, 0.0), band.mean_us, pairs) for of, band in zip(means, bands, strict=True))
        yield _named(*name, room) + "".join(f"{each:>{cell}}" for each in cells)
    if rest := set(names).difference(chosen):
        sums = (sum(of.get(name, 0.0) for name in rest) for of in means)
        cells = (_cell(left, band.mean_us, pairs) for left, band in zip(sums, bands, strict=True))
        yield f"{plural(len(rest), 'more segment'):<{room}}" + "".join(f"{each:>{cell}}" for each in cells)
    yield f"{'whole':<{room}}" + "".join(f"{_cell(band.mean_us, band.mean_us, pairs):>{cell}}" for band in bands)


def _ranks(band: Band) -> str:
    return "all" if (band.low, band.high) == (0, 1) else _span(band)


def _span(band: Band | Finding) -> str:
    return f"p{band.low * 100:g}–p{band.high * 100:g}"


def _cell(mean_us: float, whole_us: float, pairs: bool) -> str:
    if not mean_us:
        return f"{NONE}     " if pairs else NONE
    return f"{milliseconds(mean_us)} {percent(mean_us / whole_us):>4}" if pairs else milliseconds(mean_us)


def _means(band: Band) -> dict[tuple[str, str], float]:
    return {(share.label, share.what): share.mean_us for share in band.shares}


def _room(names: Sequence[str], most: int) -> int:
    return max(24, min(max(map(len, names), default=0) + 2, most, NARROW))


def _named(label: str, what: str, room: int) -> str:
    """`label` and, to the right, what the time was spent on; the label gives way."""
    kept = room - len(what) - 3
    name = printable(label)
    shown = name if len(name) <= kept else name[: kept - 1] + "…"
    return f"{shown:<{kept}} {what}  "


@dataclass(frozen=True, slots=True)
class Finding:
    """What the `n` traces between two percentiles spend their time on that the faster half does not.

    They take `longer_us` longer, on average. `growths` are (label, what, microseconds) of each segment, largest first;
    what they have less of is below zero, and all add up to `longer_us`.
    """

    low: float
    high: float
    n: int
    longer_us: float
    growths: tuple[tuple[str, str, float], ...]


def finding(found: Analysis) -> Finding | None:
    """Of the slowest band that has ten traces; None where none of the slower half has, or it is no slower."""
    return _finding(found.bands)


def _finding(bands: Sequence[Band]) -> Finding | None:
    fast = next((band for band in bands if (band.low, band.high) == (0.0, 0.5)), None)
    slow = next((band for band in reversed(bands) if band.low >= 0.5 and band.n >= FEW), None)
    if fast is None or slow is None or (longer := slow.mean_us - fast.mean_us) <= 0:
        return None
    before, now = _means(fast), _means(slow)
    growths = [(*name, now.get(name, 0.0) - before.get(name, 0.0)) for name in {**now, **before}]
    growths.sort(key=lambda each: (-each[2], each))
    return Finding(slow.low, slow.high, slow.n, longer, tuple(growths))


def slowest(bands: Sequence[Band]) -> Iterator[str]:
    """What slow traces spend their time on that the faster half does not; nothing where there are too few of them."""
    if (told := _finding(bands)) is None:
        return
    who = (
        f"the slowest {percent(1 - told.low)}" if told.high == 1 else f"traces from {_span(told).replace('–', ' to ')}"
    )
    most = told.growths[0][2]
    most_grown = [each for each in told.growths[:NAMED] if each[2] >= most / 2]
    parts = ", ".join(f"{printable(label)}: {what} +{milliseconds(us)} ms" for label, what, us in most_grown)
    yield f"{who} take {milliseconds(told.longer_us)} ms longer than the faster half, most of all {parts}"


def _hops(hops: Sequence[HopAnatomy], width: int) -> Iterator[str]:
    if not hops:
        return
    busiest = sorted(range(len(hops)), key=lambda at: -(hops[at].n + hops[at].failed + hops[at].skewed))[:ROWS]
    more, hops = len(hops) - ROWS, [hops[at] for at in sorted(busiest)]
    names = [f"{printable(hop.source)} {arrow(hop.via)} {printable(hop.to)}" for hop in hops]
    room = max(len("hop"), *map(len, names)) + 2
    yield f"{'hop':<{room}}{'n':>{CELL}}{'mean ms':>{CELL}}{'p50 ms':>{CELL}}{'p99 ms':>{CELL}}  of the mean"
    for name, hop in zip(names, hops, strict=True):
        cells = (count(hop.n), milliseconds(hop.mean_us), milliseconds(hop.p50_us), milliseconds(hop.p99_us))
        yield f"{name:<{room}}" + "".join(f"{each:>{CELL}}" for each in cells) + f"  {spent(hop.parts)}"
        if hop.failed or hop.skewed or hop.repeated:
            told = [f"{count(hop.failed)} failed"] * bool(hop.failed)
            told += [f"{count(hop.repeated)} delivered again"] * bool(hop.repeated)
            told += [f"{count(hop.skewed)} arrived before they were sent, on two clocks"] * bool(hop.skewed)
            yield f"{'':<{room}}not timed: {', '.join(told)}"
    if more > 0:
        yield f"and {plural(more, 'hop')} with fewer messages"


def _completeness(found: Completeness | None) -> Iterator[str]:
    if found is None:
        return
    yield f"{count(found.complete)} of {plural(found.traces, 'trace')} show every edge of the chain"
    told = [f"{_edge(edge)} is missing in {plural(edge.traces, 'trace')}" for edge in found.missing]
    told += [f"{_edge(edge)} failed in {plural(edge.traces, 'trace')}" for edge in found.failed]
    told += [f"{_edge(edge)} is in {plural(edge.traces, 'trace')}, and not in the chain" for edge in found.unknown]
    yield from (f"  {line}" for line in told[:ROWS])
    if len(told) > ROWS:
        yield f"  and {plural(len(told) - ROWS, 'more edge')}"
    if found.orphans:
        yield f"  {plural(found.orphans, 'span')} of functions without the span above"


def _edge(edge: MissingEdge) -> str:
    return f"{printable(edge.source)} {arrow(edge.via)} {printable(edge.to)}"


def _skews(skews: Sequence[Skew]) -> Iterator[str]:
    for found in skews[:ROWS]:
        one, other = printable(found.one), printable(found.other)
        said = f"{count(found.impossible)} of {plural(found.pairs, 'message')} between {one} and {other} cannot be"
        yield f"clocks: {said}: {_ahead(found, other)}"
    if len(skews) > ROWS:
        yield f"clocks: and {plural(len(skews) - ROWS, 'more pair')} of hosts"


def _ahead(found: Skew, other: str) -> str:
    least, most = found.least_us, found.most_us
    if least is not None and most is not None and least > most:
        return "one of the two moved"
    low, high = (None if each is None else milliseconds(each) for each in (least, most))
    if low is not None and high is not None:
        return f"that of {other} is {low} to {high} ms ahead"
    return f"that of {other} is at least {low} ms ahead" if low is not None else f"that of {other} is ahead"


def _exemplars(exemplars: Sequence[Exemplar], show: Command | None) -> Iterator[str]:
    for found in exemplars:
        name = "slowest" if found.quantile == 1 else f"p{found.quantile * 100:g}"
        command = printable(found.trace) if show is None else show(printable(found.trace))
        yield f"{name:<8}{milliseconds(found.duration_us):>{CELL}} ms  {command}"


def _sides(change: AnalysisChange, one: str, other: str) -> Iterator[str]:
    for letter, subject, found in (("A", one, change.one), ("B", other, change.other)):
        told = [f"{count(_number(found, kind))} {kind} {'apart' if _is_apart(found, kind) else 'among them'}"
                for kind in APART if _number(found, kind)]  # fmt: skip
        yield ", ".join((f"{letter}: {printable(subject)}: {plural(found.traces, 'trace')}", *told))


def _changes(change: AnalysisChange, width: int) -> Iterator[str]:
    if not change.segments:
        return
    shown = change.segments[:ROWS]
    room = _room([f"{printable(each.label)}  {each.what}" for each in shown], width - 3 * CELL)
    yield f"{'critical path, mean ms':<{room}}{'A':>{CELL}}{'B':>{CELL}}{'B − A':>{CELL}}"
    for each in shown:
        more_us = (each.other_us or 0.0) - (each.one_us or 0.0)
        sign = "+" if more_us > 0 else "−" if more_us < 0 else ""
        cells = (milliseconds(each.one_us), milliseconds(each.other_us), f"{sign}{milliseconds(abs(more_us))}")
        yield _named(each.label, each.what, room) + "".join(f"{cell:>{CELL}}" for cell in cells)
    if len(change.segments) > ROWS:
        yield f"and {plural(len(change.segments) - ROWS, 'smaller change')}"
