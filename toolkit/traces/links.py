"""Dependency links between services, as Zipkin's `DependencyLinker` draws them.

May live here: the pure reduction of traces to links. A link is a call that was served, told by the server's side; a
CLIENT span counts only when nothing below it tells more; a PRODUCER or CONSUMER span counts only when it names the
other side (its broker). Spans without a kind count like CLIENT spans if they name both sides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from toolkit.traces import tree
from toolkit.traces.model import Span
from toolkit.traces.tree import Tree


@dataclass(frozen=True, slots=True, order=True)
class Link:
    """`calls` of `child` by `parent`, of which `errors` failed."""

    parent: str
    child: str
    calls: int
    errors: int = 0


def links(traces: Iterable[Iterable[Span]]) -> list[Link]:
    """The links of these traces together, in the order of their names."""
    counting = Counting()
    for spans in traces:
        counting.add(spans)
    return counting.links()


class Counting:
    """Links that grow trace by trace, for those who cannot hold all traces at once."""

    def __init__(self) -> None:
        self._calls: Counter[tuple[str, str]] = Counter()
        self._errors: Counter[tuple[str, str]] = Counter()

    def add(self, spans: Iterable[Span]) -> None:
        """Count one whole trace."""
        for parent, child, failed in _calls(tree.build(spans)):
            self._calls[parent, child] += 1
            self._errors[parent, child] += failed

    def links(self) -> list[Link]:
        return [Link(*pair, calls, self._errors[pair]) for pair, calls in sorted(self._calls.items())]


def _calls(arranged: Tree) -> Iterator[tuple[str, str, bool]]:
    root = _root(arranged)
    for at in _reached(arranged):
        span = arranged.spans[at]
        if span.kind in ("PRODUCER", "CONSUMER"):
            yield from _message(span)
        elif span.kind == "SERVER":
            yield from _served(arranged, at, root)
        elif span.kind == "CLIENT" or (span.service and span.remote):
            childless = not arranged.children[at] and not (at == root and _strays(arranged, root))
            if span.kind is None or childless:
                yield from _called(arranged, at, root)


def _root(arranged: Tree) -> int | None:
    """The first true root by id: Zipkin hangs what has no place in the tree below it."""
    return min((at for at in arranged.roots if at not in arranged.orphans | arranged.looped), default=None)


def _strays(arranged: Tree, root: int | None) -> bool:
    return any(at != root and at not in arranged.looped for at in arranged.roots)


def _reached(arranged: Tree) -> Iterator[int]:
    """Every span but those of a cycle, which hang on nothing."""
    waiting = [at for at in arranged.roots if at not in arranged.looped]
    while waiting:
        at = waiting.pop()
        yield at
        waiting.extend(arranged.children[at])


def _message(span: Span) -> Iterator[tuple[str, str, bool]]:
    pair = (span.service, span.remote) if span.kind == "PRODUCER" else (span.remote, span.service)
    if pair[0] and pair[1]:
        yield pair[0], pair[1], "error" in span.tags


def _served(arranged: Tree, at: int, root: int | None) -> Iterator[tuple[str, str, bool]]:
    span, failed = arranged.spans[at], "error" in arranged.spans[at].tags
    parent = span.remote
    ancestor = _remote_ancestor(arranged, at, root)
    if ancestor and ancestor.service:
        parent = ancestor.service
        failed = failed or _failed_above(span, ancestor)
    if parent and span.service:
        yield parent, span.service, failed


def _called(arranged: Tree, at: int, root: int | None) -> Iterator[tuple[str, str, bool]]:
    span, failed = arranged.spans[at], "error" in arranged.spans[at].tags
    parent = span.service
    ancestor = _remote_ancestor(arranged, at, root)
    if ancestor and ancestor.service:
        if span.service and ancestor.service != span.service:
            yield ancestor.service, span.service, False  # the hop between is not told by anyone: backfilled
        parent = parent or ancestor.service
        failed = failed or _failed_above(span, ancestor)
    if parent and span.remote:
        yield parent, span.remote, failed


def _failed_above(span: Span, ancestor: Span) -> bool:
    """The client may know of a failure that the server does not."""
    return ancestor.kind == "CLIENT" and span.parent == ancestor.id and "error" in ancestor.tags


def _remote_ancestor(arranged: Tree, at: int, root: int | None) -> Span | None:
    """The nearest span above that has a kind; what is above a span without a place is the root."""
    top = at
    for top in arranged.ancestors(at):
        if arranged.spans[top].kind is not None:
            return arranged.spans[top]
    if root is None or top == root or arranged.spans[root].kind is None:
        return None
    return arranged.spans[root]
