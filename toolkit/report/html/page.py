"""The page: what `view` says and what the charts draw, in the template. Everything is escaped; nothing is fetched.

The sources are handed in, because nothing here reads files. The policy in the page's head allows the one script and
the one style sheet by their hashes, and nothing else: even what slipped through the escaping would not run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from toolkit.report.characters import printable
from toolkit.report.html import along, charts, view
from toolkit.report.html.sources import Sources, hashed
from toolkit.report.html.view import Subject
from toolkit.report.tables import count, milliseconds, percent
from toolkit.series import Distribution, Series

TEMPLATE = "page.html.j2"
FEW = 20  # samples below which a curve is a few dots beside those of the others: the table has them
CLASSES = {"latency": "latency", "service time": "service", "completion": "completion", "cold": "coldly"}


@dataclass(frozen=True, slots=True)
class Side:
    """A run as a page takes it."""

    subject: Subject
    series: Series


def render(side: Side, sources: Sources, other: Side | None = None, traces: str | None = None) -> str:
    """The whole document; with `other`, that run stands beside. `traces` is JSON that holds no markup; None: no section
    about them."""
    environment = Environment(
        loader=DictLoader(dict(sources.templates)),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_plain,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "ms": milliseconds,
        "count": count,
        "percent": percent,
        "interval": view.interval,
        "hop_name": view.hop_name,
        "start_parts": view.start_parts,
        "interval_told": along.told,
        "classes": CLASSES,
    }
    return environment.get_template(TEMPLATE).render(
        it=side.subject,
        other=other.subject if other else None,
        compared=view.compared(side.subject.quantiles, other.subject.quantiles) if other else (),
        series=side.series,
        curves=(curves := _curves(side, other)),
        traces=None if traces is None else Markup(traces),  # noqa: S704 - `embedding` has escaped it
        style=Markup(sources.style),  # noqa: S704 - ours
        script=Markup(sources.script),  # noqa: S704 - ours
        style_hash=hashed(sources.style),
        script_hash=hashed(sources.script),
        columns=view.COLUMNS,
        **_drawn(side, curves),
    )


def _drawn(side: Side, curves: Mapping[str, Distribution]) -> dict[str, Markup | None]:
    series = side.series
    bars = series.latency or series.cold
    kind = "latency" if series.latency else "cold"
    path, starts = side.subject.path, side.subject.starts
    return {
        "percentiles": charts.percentiles(curves, {**CLASSES, **_others(curves)}) if curves else None,
        "histogram": charts.histogram(bars, kind, CLASSES[kind]) if bars else None,
        "timeline": along.timeline(series.timeline) if series.timeline else None,
        "critical_path": charts.shares(path, "critical-path", "Critical path") if path else None,
        "cold_starts": charts.shares(view.start_parts(starts), "cold-starts", "Cold starts")
        if starts and starts.segments
        else None,
    }


def _curves(side: Side, other: Side | None) -> dict[str, Distribution]:
    """By name, in the order of drawing; with another run there is one of each, so that the eye has two to compare."""
    series = side.series
    if other is not None:
        pair = {"latency": series.latency, f"latency of {other.subject.run}": other.series.latency}
        return {name: each for name, each in pair.items() if each is not None}
    named = (series.latency, series.service_time, series.completion, series.cold)
    told = side.subject.quantiles
    named_too = zip(CLASSES, named, strict=True)
    found = {name: each for name, each in named_too if each is not None and told.get(name) is not None}
    curves = {name: each for name, each in found.items() if each.n >= FEW}
    return curves or found


def _others(curves: Mapping[str, Distribution]) -> dict[str, str]:
    return {name: "other" for name in curves if name not in CLASSES}


def _plain(value: object) -> object:
    """No control character and no bidi override of a stranger's reaches the page."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
