"""A trace's spans as a tree. Total: duplicates, halves, cycles, strangers' parents and a million levels are all data.

May live here: merging and arranging the spans of one trace. The rules are Zipkin's (`zipkin2.internal.Trace` and
`SpanNode`), with a span's endpoint taken to be its service's name. A tree is made of indices, not of nodes that hold
nodes, so that nothing about it recurses.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

from toolkit.traces.model import Span


@dataclass(frozen=True, slots=True)
class Tree:
    """`parents[i]` and `children[i]` are positions in `spans`; children and roots stand in the order of their start.

    `roots` are all spans without a parent in the tree: true roots (no parent id), `orphans` (their parent, or the
    client half of a shared span, is not in the trace) and `looped` (spans at which a cycle of parents was cut).
    """

    spans: tuple[Span, ...]
    parents: tuple[int | None, ...]
    children: tuple[tuple[int, ...], ...]
    roots: tuple[int, ...]
    orphans: frozenset[int]
    looped: frozenset[int]

    def walk(self) -> Iterator[tuple[int, int]]:
        """(position, depth) of every span, parents before their children, siblings in the order of their start."""
        waiting = [(root, 0) for root in reversed(self.roots)]
        while waiting:
            position, depth = waiting.pop()
            yield position, depth
            waiting.extend((child, depth + 1) for child in reversed(self.children[position]))

    def ancestors(self, position: int) -> Iterator[int]:
        """From the parent upwards."""
        above = self.parents[position]
        while above is not None:
            yield above
            above = self.parents[above]


def by_trace(spans: Iterable[Span]) -> dict[str, list[Span]]:
    """Spans by their trace's id, in the order they came."""
    traces: dict[str, list[Span]] = {}
    for span in spans:
        traces.setdefault(span.trace, []).append(span)
    return traces


def build(spans: Iterable[Span]) -> Tree:
    """The tree of one trace's spans, merged first. No spans make an empty tree."""
    merged = tuple(merge(spans))
    halves: dict[tuple[str, str | None], int] = {}
    whole: dict[str, int] = {}
    for at, span in enumerate(merged):
        if span.shared:
            halves.setdefault((span.id, span.service), at)
        else:
            whole.setdefault(span.id, at)
    parents: list[int | None]
    if halves:
        parents = [_parent(span, halves, whole) for span in merged]
    else:
        parents = [None if span.parent is None or span.parent == span.id else whole.get(span.parent) for span in merged]
    rootless = [
        at
        for at, above in enumerate(parents)
        if above is None and (merged[at].shared or merged[at].parent not in (None, merged[at].id))
    ]
    looped = _cut_cycles(parents)
    children: list[list[int]] = [[] for _ in merged]
    roots: list[int] = []
    for *_, at in sorted([(span.timestamp is None, span.timestamp or 0, at) for at, span in enumerate(merged)]):
        parent = parents[at]
        (roots if parent is None else children[parent]).append(at)
    arranged = tuple(map(tuple, children))
    return Tree(merged, tuple(parents), arranged, tuple(roots), frozenset(rootless), looped)


def merge(spans: Iterable[Span]) -> list[Span]:
    """One span for each operation of one side: parts and repetitions of a span become one, sorted by id.

    Spans of one id are one if both or neither are shared and their services do not contradict each other. A SERVER
    span that follows the CLIENT span of the same id is marked `shared`, and gets its parent when it has none.
    """
    listed, merged = list(spans), list[Span]()
    if len({span.id for span in listed}) == len(listed):
        return sorted(listed, key=attrgetter("id"))  # most traces
    for span in sorted(listed, key=_merge_order):
        last = merged[-1] if merged else None
        if last is None or last.id != span.id:
            merged.append(span)
        elif last.shared == span.shared and (span.service is None or last.service in (None, span.service)):
            merged[-1] = _join(last, span)
        else:
            merged.append(_second_half(last, span))
    return merged


def _merge_order(span: Span) -> tuple[str, bool, bool, str]:
    """Client before server, without a service before with one, so that what is whole attracts what is not."""
    return span.id, span.shared, not span.shared and span.kind != "CLIENT", span.service or ""


def _join(first: Span, other: Span) -> Span:
    notes = sorted({(each.timestamp, each.value): each for each in (*first.annotations, *other.annotations)}.items())
    return dataclasses.replace(
        first,
        trace=max(first.trace, other.trace, key=len),
        name=first.name or other.name,
        service=first.service or other.service,
        parent=first.parent or other.parent,
        kind=first.kind or other.kind,
        timestamp=first.timestamp or other.timestamp,
        duration=first.duration or other.duration,
        remote=first.remote or other.remote,
        tags={**first.tags, **other.tags},
        annotations=tuple(each for _, each in notes),
        debug=first.debug or other.debug,
    )


def _second_half(last: Span, span: Span) -> Span:
    shared = span.shared or (last.kind == "CLIENT" and span.kind == "SERVER")
    parent = span.parent or (last.parent if shared else None)
    if shared == span.shared and parent == span.parent:
        return span
    return dataclasses.replace(span, shared=shared, parent=parent)


def _parent(span: Span, halves: dict[tuple[str, str | None], int], whole: dict[str, int]) -> int | None:
    if span.shared:
        return whole.get(span.id)
    if span.parent is None or span.parent == span.id:
        return None
    served = halves.get((span.parent, span.service))  # work of a server that shares its id with its client
    return whole.get(span.parent) if served is None else served


def _cut_cycles(parents: list[int | None]) -> frozenset[int]:
    """Cut every cycle at the span where it was noticed; changes `parents` and says where."""
    cut, known = set(), [0] * len(parents)  # 0 unseen, otherwise the walk that saw it
    for start in range(len(parents)):
        at: int | None = start
        while at is not None and not known[at]:
            known[at] = start + 1
            above = parents[at]
            if above is not None and known[above] == start + 1:
                parents[at] = None
                cut.add(at)
                break
            at = above
    return frozenset(cut)


def started(spans: Sequence[Span]) -> int | None:
    """When the first of these spans began (microseconds since the epoch); None when none says."""
    return min((span.timestamp for span in spans if span.timestamp), default=None)


def ended(spans: Sequence[Span]) -> int | None:
    """When the last of these spans was over (microseconds since the epoch); None when none says."""
    return max((span.timestamp + (span.duration or 0) for span in spans if span.timestamp), default=None)
