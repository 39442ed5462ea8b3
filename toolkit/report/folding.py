"""The platform's spans of a trace, as few as a reader needs: one for each part that a message passed.

May live here: making fewer spans of many, as a pure function, before they are drawn. What is folded is gone from the
picture only; `toolkit trace show -o json` and `--unfold` have every span.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Sequence

from toolkit.report.waterfall import short_time
from toolkit.traces import tree
from toolkit.traces.model import Span
from toolkit.traces.passages import nested
from toolkit.traces.platform import Part, chains_own, part

_WAITS = ("throttler_try", "kn.queueproxy.wait", "queue_wait")  # for capacity; at the activator it is the cold start


def fold(spans: Iterable[Span]) -> list[Span]:
    """The spans of one trace, with connected spans of one part of the platform as one, named after that part.

    It lasts from the first of them to the last, says the broker or trigger it was about and how long a request waited
    there for capacity, and carries the first error. Spans of functions stay as they are.
    """
    arranged = tree.build(nested(spans))
    functions = chains_own(arranged.spans)
    parts = [part(span, functions) for span in arranged.spans]
    top = list(range(len(parts)))
    for at, _ in arranged.walk():
        parent = arranged.parents[at]
        if parent is not None and parts[at] is not None and parts[parent] == parts[at]:
            top[at] = top[parent]
    groups: defaultdict[int, list[Span]] = defaultdict(list)
    for at, head in enumerate(top):
        groups[head].append(arranged.spans[at])
    return [_one(arranged.spans[at], parts[at], group, _above(arranged, top, at)) for at, group in groups.items()]


def _above(arranged: tree.Tree, top: Sequence[int], at: int) -> str | None:
    parent = arranged.parents[at]
    return arranged.spans[at].parent if parent is None else arranged.spans[top[parent]].id


def _one(head: Span, made_by: Part | None, group: Sequence[Span], parent: str | None) -> Span:
    if made_by is None:
        return dataclasses.replace(head, parent=parent)
    start, end = tree.started(group), tree.ended(group)
    error = next((span.tags["error"] for span in group if "error" in span.tags), None)
    return dataclasses.replace(
        head,
        parent=parent,
        kind=None,
        service=f"queue-proxy of {head.service}" if made_by == "queue-proxy" else made_by,
        name=", ".join([*_about(group), *_waited(group)]) or head.name,
        timestamp=start,
        duration=None if start is None or end is None else end - start,
        tags={} if error is None else {"error": error},
    )


def _about(group: Sequence[Span]) -> list[str]:
    """`broker:NAME.NAMESPACE`, `trigger:NAME.NAMESPACE`."""
    return sorted({span.name for span in group if span.name.startswith(("broker:", "trigger:"))})


def _waited(group: Sequence[Span]) -> list[str]:
    waits = [span.duration for span in group if span.name in _WAITS and span.duration]
    return [f"waited {short_time(sum(waits)).strip()}"] if waits else []
