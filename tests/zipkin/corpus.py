"""What is known of generated traces without asking a store: the spans that must be there, and in which order.

May live here: the rules of Zipkin's in-memory storage that differ from ours, so that a difference is never only waved
through: what Zipkin answers instead is foretold, too.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from tests.zipkin.generated import Fields
from toolkit.traces import links, wire, zipkin


class Corpus:
    """The spans in their normal form: by trace, each once."""

    def __init__(self, traces: Iterable[Iterable[Fields]]) -> None:
        self.spans: dict[str, dict[str, Fields]] = defaultdict(dict)
        for trace in traces:
            for sent in trace:
                span = wire.normal(sent)
                self.spans[span["traceId"]][text(span)] = span
        self.joined: dict[str, list[Fields]] = defaultdict(list)
        for trace_id, found in self.spans.items():
            self.joined[trace_id[-16:]] += found.values()
        lows = Counter(each[-16:] for each in self.spans)
        self.halves = {each for each in self.spans if lows[each[-16:]] > 1}

    def texts(self, trace_id: str) -> list[str]:
        return sorted(self.spans[trace_id])

    def as_they_order(self, ids: Iterable[str], begin_ms: int, end_ms: int) -> list[str]:
        """The latest span between the two first; of two in one millisecond the higher id."""

        def newest(trace_id: str) -> tuple[int, str]:
            inside = [time for time in self._times_ms(self.joined[trace_id[-16:]]) if begin_ms <= time <= end_ms]
            return max(inside, default=0), trace_id[-16:]

        return sorted(ids, key=newest, reverse=True)

    def as_we_order(self, ids: Iterable[str]) -> list[str]:
        """The latest span first; of two in one millisecond the lower id."""
        return sorted(ids, key=lambda each: (-max(self._times_ms(self.spans[each].values()), default=0), each))

    @staticmethod
    def _times_ms(spans: Iterable[Fields]) -> list[int]:
        return [each["timestamp"] // 1000 for each in spans if "timestamp" in each]

    def links(self, begin_ms: int, end_ms: int, *, joined: bool = False) -> list[dict[str, Any]]:
        """As they draw them: of traces of which a span began between the two; `joined`: by the lower half of ids."""
        traces: Iterable[list[Fields]]
        traces = self.joined.values() if joined else map(list, map(dict.values, self.spans.values()))
        return _links(each for each in traces if any(begin_ms <= time <= end_ms for time in self._times_ms(each)))

    def links_under_way(self, begin_ms: int, end_ms: int) -> list[dict[str, Any]]:
        """As we draw them: of traces that were under way between the two."""
        traces = [list(each.values()) for each in self.spans.values()]
        times = ((self._times_ms(each), each) for each in traces)
        return _links(each for found, each in times if found and min(found) <= end_ms and max(found) >= begin_ms)


def _links(traces: Iterable[list[Fields]]) -> list[dict[str, Any]]:
    found = links.links([zipkin.to_span(span) for span in trace] for trace in traces)
    return [
        {"parent": each.parent, "child": each.child, "callCount": each.calls}
        | ({"errorCount": each.errors} if each.errors else {})
        for each in found
    ]


def text(span: Fields) -> str:
    """A span so that equal ones are equal: its keys in whatever order."""
    return json.dumps(span, sort_keys=True)
