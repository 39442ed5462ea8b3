"""Traces that were read and analysed once: their analysis, their lines, and their spans in little room.

May live here: going through spans once, and finding one trace again. Spans are kept packed: a million of them as
objects would take a gigabyte.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from toolkit.analysis import Analysis
from toolkit.measure import traces as measured
from toolkit.report.traces import graph
from toolkit.report.traces.graph import Chain
from toolkit.report.traces.lines import Counts, Line, line
from toolkit.traces import zipkin
from toolkit.traces.links import Counting, Link
from toolkit.traces.model import Span

_TOLD_EVERY = 500  # traces
_FAST = 1  # zlib's level: a third of the room for a tenth of the time that reading took

Telling = Callable[[int], None]  # traces so far; may raise to end it


@dataclass(slots=True)
class Gathered:
    """All that a page asks about a set of traces. `packed` are their spans by trace."""

    analysis: Analysis
    lines: list[Line]
    counts: Counts
    links: Sequence[Link]
    packed: dict[str, bytes] = field(default_factory=dict)

    def spans(self, trace: str) -> list[Span]:
        packed = self.packed.get(trace)
        return [] if packed is None else unpack(packed)

    def graph(self, chain: Chain | None, window_s: float | None) -> dict[str, Any]:
        return graph.document(self.analysis, self.counts, chain, window_s=window_s, links=self.links)


def gather(
    traces: Iterable[Sequence[Span]],
    chain: Chain | None = None,
    *,
    keep: bool = True,
    tell: Telling = lambda _: None,
) -> Gathered:
    """Goes through these traces once, each with all its spans. With `keep` their spans can be had again."""
    analysing = measured.Analysing(None if chain is None else chain.spoken())
    linking, counts, lines, packed = Counting(), Counts(), [], dict[str, bytes]()
    for number, spans in enumerate(traces, 1):
        if not spans:
            continue
        analysing.add(spans)
        if counts.add(spans):
            linking.add(spans)
        lines.append(line(spans[0].trace, spans))
        if keep:
            packed[spans[0].trace] = pack(spans)
        if number % _TOLD_EVERY == 0:
            tell(number)
    return Gathered(analysing.result(), lines, counts, linking.links(), packed)


def pack(spans: Sequence[Span]) -> bytes:
    return zlib.compress(zipkin.text([zipkin.to_wire(span) for span in spans]).encode(), _FAST)


def unpack(packed: bytes) -> list[Span]:
    return [zipkin.to_span(fields) for fields in json.loads(zlib.decompress(packed))]
