"""The traces of one subject, such as a run, as a page takes them: whose they are, their chain, what was gathered.

May live here: putting an overview together, and what of it goes into a page that stands alone. May not: reading files,
serving, what a document says (`report.traces`).
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from toolkit.gathered import Gathered, Telling, gather
from toolkit.measure.traces import change
from toolkit.report.traces import embedding, one, overview
from toolkit.report.traces.graph import Chain
from toolkit.report.traces.overview import Subject
from toolkit.results import Report
from toolkit.traces.model import Span

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Traced:
    """`chain` is None where only the traces tell a graph. Rates are over `subject.window_s`."""

    subject: Subject
    chain: Chain | None
    gathered: Gathered

    def overview(self, against: Traced | None = None, *, more: bool = False, first: Container[str] = ()) -> Document:
        """With `against`, that one stands beside; `more`: there are traces beyond these; `first` are in the list."""
        found = self.gathered
        beside = None
        if against is not None:
            told = change(found.analysis, against.gathered.analysis)
            beside = overview.against(against.subject.subject, told)
        return overview.document(
            self.subject,
            found.analysis,
            found.graph(self.chain, self.subject.window_s),
            found.lines,
            found.counts.services,
            more=more,
            first=first,
            against=beside,
        )

    def trace(self, trace: str) -> Document:
        return one.document(trace, self.gathered.spans(trace))


def timed(subject: Subject, chain: Chain | None, gathered: Gathered) -> Traced:
    """Rates are over the time from the first trace's start to the last one's."""
    return Traced(replace(subject, window_s=overview.rate_window(gathered.lines)), chain, gathered)


def of_run(
    report: Report,
    traces: Iterable[Sequence[Span]],
    chain: Chain | None = None,
    tell: Telling = lambda _: None,
    *,
    whole: int | None = None,
) -> Traced:
    """Of a stored run; its own graph, unless another `chain` is meant. `whole`: how many traces these were taken of."""
    known = report.edges or report.entry
    own = Chain(report.chain, report.entry, report.edges, optional=report.optional) if known else None
    gathered = gather(traces, chain or own, tell=tell)
    subject = Subject(
        title=report.chain,
        source="run",
        subject=report.run,
        chain=report.chain,
        emulated=report.emulated,
        note="; ".join(_notes(report.load.sample, len(gathered.lines), whole)) or None,
    )
    return timed(subject, chain or own, gathered)


def _notes(sample: float, traces: int, whole: int | None) -> Iterator[str]:
    if 0 < sample < 1:
        yield f"one call in {1 / sample:,.4g} was traced"
    if whole is not None and traces < whole:
        yield f"{traces:,} of {whole:,} traces were looked at, evenly chosen"


def embedded(it: Traced, against: Traced | None = None) -> str | None:
    """JSON for a page that stands alone; None without traces. Of `against`, those at percentiles can be opened."""
    if not it.gathered.lines:
        return None
    homes = dict.fromkeys(embedding.chosen(it.gathered.lines, it.gathered.analysis), it)
    overview_document = it.overview(against, first=set(homes))
    if against is not None:
        for each in against.gathered.analysis.exemplars:
            homes.setdefault(each.trace, against)
    return embedding.embed(overview_document, homes, lambda trace: homes[trace].trace(trace))
