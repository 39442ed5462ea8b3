"""One trace, looked at once: what every analysis of it needs to know, so that none of them builds a tree of its own.

May live here: the view, as data, and making it. What a view is made of is found elsewhere: `tree` arranges, `platform`
tells parts, `gaps` fills gaps, `causes` finds what really led to a span. What is made of a view is `critical`'s (the
path that decides the end), `anatomy`'s (each message's way), `skew`'s (clocks), `complete`'s (the chain's graph) and
`rows`' (a picture). Each of these takes spans as well; who wants several of them of one trace makes the view once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from toolkit.traces import causes, gaps, tree
from toolkit.traces.expect import MESSAGE_TAG
from toolkit.traces.model import Span
from toolkit.traces.platform import Part, part
from toolkit.traces.tree import Tree


@dataclass(frozen=True, slots=True)
class View:
    """One trace's spans and how they hang. Everything is by position in `spans` (merged, in the order of their ids).

    `tree` is what the spans say. `hung` is each span's parent as it would be if the platform told everything, once:
    gaps filled (`guessed` are the spans before which there was one), the broker's twin spans nested. `parents` and
    `children` are the same, but that a reply's delivery hangs below the reply; `waits` are the spans that something
    else was waited for, an event or what a link names, and what that was (`causes`). Children are in
    the order of their start. `starts` and `ends` are microseconds, 0 where no time is told. `parts` are None for all
    that is not the platform's. `messages` are what each span is about, `sides` the spans of the chain by kind and
    message. `root` is the first true root with a time and a duration, None when there is none.
    """

    tree: Tree
    spans: tuple[Span, ...]
    starts: Sequence[int]
    ends: Sequence[int]
    parts: Sequence[Part | None]
    hung: Sequence[int | None]
    guessed: frozenset[int]
    parents: Sequence[int | None]
    children: Sequence[Sequence[int]]
    waits: Mapping[int, int]
    messages: Sequence[str | None]
    sides: Mapping[tuple[str | None, str], Sequence[int]]
    places: Mapping[str, int]  # of a span's id; of a shared one its client's half
    root: int | None

    @property
    def trace(self) -> str:
        return self.spans[0].trace if self.spans else ""

    @property
    def failed(self) -> bool:
        """Whether a span of anybody's has an error, whatever the caller was told."""
        return any("error" in span.tags for span in self.spans)

    @property
    def cold(self) -> bool:
        """Whether a function says that it was met cold."""
        return any(is_cold(span) for span in self.spans)

    def walk(self) -> Iterator[tuple[int, int]]:
        """(position, depth) of every span as they are hung, parents before children, siblings in the order of start."""
        children = _children(self.hung, self.starts, self.spans)
        roots = [at for at, above in enumerate(self.hung) if above is None]
        roots.sort(key=lambda at: (self.spans[at].timestamp is None, self.starts[at], at), reverse=True)
        waiting = [(root, 0) for root in roots]
        while waiting:
            at, depth = waiting.pop()
            yield at, depth
            waiting.extend((child, depth + 1) for child in reversed(children[at]))


COLD_TAGS = ("cold", "faas.coldstart")  # on a function's span; the scaffold's own, and OpenTelemetry's name


def is_cold(span: Span) -> bool:
    """Whether this span of a function says that it was its process' first."""
    return any(span.tags.get(tag, "").lower() in ("true", "1") for tag in COLD_TAGS)


Trace = Iterable[Span] | View  # what every analysis takes


def of(trace: Trace) -> View:
    """The view of one trace's spans; the same, however the spans are ordered. A view is its own."""
    if isinstance(trace, View):
        return trace
    arranged = tree.build(_settled(list(trace)))
    spans = arranged.spans
    sides: dict[tuple[str | None, str], list[int]] = {}
    starts, ends, messages = [], [], []
    functions, strangers = set[str](), False
    for at, span in enumerate(spans):
        starts.append(start := span.timestamp or 0)
        ends.append(start + (span.duration or 0))
        messages.append(message := span.tags.get(MESSAGE_TAG))
        if message is None:
            strangers = True
        else:
            sides.setdefault((span.kind, message), []).append(at)
            if span.service:
                functions.add(span.service)
    parts = [part(span, functions) for span in spans] if strangers else [None] * len(spans)
    hung, guessed = gaps.hang(gaps.Known(arranged, parts, starts, ends, sides))
    places = {span.id: at for at, span in reversed([*enumerate(spans)]) if not span.shared}
    parents, waits = causes.hang(causes.Known(spans, parts, starts, ends, hung, sides, places))
    children = arranged.children if parents is arranged.parents else _children(parents, starts, spans)
    return View(
        *(arranged, spans, starts, ends, parts, hung, guessed, parents, children, waits, messages, sides, places),
        root=_root(arranged),
    )


def _settled(spans: list[Span]) -> list[Span]:
    """Halves and repetitions of a span in an order that does not depend on how they came: joining them does."""
    return spans if len({span.id for span in spans}) == len(spans) else sorted(spans, key=_canonical)


def _canonical(span: Span) -> tuple[object, ...]:
    return (
        *(span.id, span.timestamp or 0, span.duration or 0, span.name, span.kind or "", span.parent or ""),
        *(span.service or "", span.remote or "", span.trace, sorted(span.tags.items()), span.shared, span.debug),
        [(each.timestamp, each.value) for each in span.annotations],
    )


def _children(parents: Sequence[int | None], starts: Sequence[int], spans: Sequence[Span]) -> list[list[int]]:
    children: list[list[int]] = [[] for _ in parents]
    for _, _, at in sorted((spans[at].timestamp is None, start, at) for at, start in enumerate(starts)):
        if (above := parents[at]) is not None:
            children[above].append(at)
    return children


def _root(arranged: Tree) -> int | None:
    spans, lost = arranged.spans, arranged.orphans | arranged.looped if arranged.looped else arranged.orphans
    return next((at for at in arranged.roots if at not in lost and spans[at].timestamp and spans[at].duration), None)
