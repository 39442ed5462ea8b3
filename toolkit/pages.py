"""A run's page, from what is at hand: its report, its calls, and the template that ships with the toolkit.

May live here: reading the template, and putting rows, numbers and words together. May not: what a page says or how it
is drawn (`report.html`), statistics (`measure`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from toolkit import catalog
from toolkit.measure.rows import Rows
from toolkit.measure.series import series
from toolkit.report.html import page, view
from toolkit.report.html.sources import Sources
from toolkit.results import LoadReport, Report


def side(report: Report | LoadReport, rows: Rows) -> page.Side:
    """A run as a page shows it."""
    subject = view.of_run(report) if isinstance(report, Report) else view.of_load(report)
    return page.Side(subject, series(rows))


def render(one: page.Side, other: page.Side | None = None, traces: str | None = None) -> str:
    """The page of a run; with `other`, that one stands beside; `traces` are what `traced.embedded` made of its own."""
    return page.render(one, sources(traces=traces is not None), other, traces)


@cache
def sources(*, traces: bool) -> Sources:
    """What a run's page is made from; without `traces` it holds nothing about them."""
    about = ("report", "traces") if traces else ("report",)
    return _sources(about, templates=tuple(reversed(about)))


@cache
def of_traces() -> Sources:
    """What the page of `toolkit trace ui` is made from."""
    return _sources(("report", "traces"), templates=("traces",))


def _sources(folders: Sequence[str], templates: Sequence[str]) -> Sources:
    """Style sheets and scripts in the order of their names, in which they build upon each other; of templates of one
    name the last."""
    shipped = catalog.shipped("templates")
    return Sources(
        templates={name: text for folder in templates for name, text in _texts(shipped / folder, "*.j2").items()},
        style="".join(text for folder in folders for text in _texts(shipped / folder, "*.css").values()),
        script="".join(text for folder in folders for text in _texts(shipped / folder, "*.js").values()),
    )


def _texts(folder: Path, names: str) -> Mapping[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob(names))}
