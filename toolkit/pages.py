"""A run's page, from what is at hand: its report, its calls, and the template that ships with the toolkit.

May live here: reading the template, and putting rows, numbers and words together. May not: what a page says or how it
is drawn (`report.html`), statistics (`measure`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from toolkit import catalog
from toolkit.report.html import page, view
from toolkit.results import CallRecord, Report, Stamped


def of_run(
    report: Report, calls: Sequence[CallRecord], receipts: Iterable[Stamped], other: page.Side | None = None
) -> str:
    """The page of a chain's run."""
    return page.render(side(report, calls, receipts), sources(), other)


def side(report: Report, calls: Sequence[CallRecord], receipts: Iterable[Stamped]) -> page.Side:
    from toolkit.measure.rows import table
    from toolkit.measure.series import series

    return page.Side(view.of_run(report), series(table(calls, receipts).rows))


@cache
def sources() -> Mapping[str, str]:
    """The template, the style sheet and the script."""
    folder = catalog.shipped("templates") / "report"
    return {name: (folder / name).read_text(encoding="utf-8") for name in page.SOURCES}
