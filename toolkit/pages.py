"""A run's page, from what is at hand: its report, its calls, and the template that ships with the toolkit.

May live here: reading the template, and putting rows, numbers and words together. May not: what a page says or how it
is drawn (`report.html`), statistics (`measure`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from toolkit import catalog
from toolkit.measure.rows import Rows
from toolkit.measure.series import series
from toolkit.report.html import page, view
from toolkit.results import LoadReport, Report


def side(report: Report | LoadReport, rows: Rows) -> page.Side:
    """A run as a page shows it."""
    subject = view.of_run(report) if isinstance(report, Report) else view.of_load(report)
    return page.Side(subject, series(rows))


def render(one: page.Side, other: page.Side | None = None) -> str:
    """The page of a run; with `other`, that one stands beside."""
    return page.render(one, sources(), other)


@cache
def sources() -> Mapping[str, str]:
    """The template, the style sheet and the script."""
    folder = catalog.shipped("templates") / "report"
    return {name: (folder / name).read_text(encoding="utf-8") for name in page.SOURCES}
