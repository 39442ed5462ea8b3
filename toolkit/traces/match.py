"""The trace must equal what happened: the spans of one call held against the spans that its receipts ask for.

May live here: judging spans against an expectation, and the sentences that say what is wrong. A span that the
expectation does not name is *seen through*: the platform's spans (activator, queue-proxy, broker) and a function's
inner spans may stand between two expected ones. Nothing is taken as proven that the trace does not show.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from toolkit.traces import tree
from toolkit.traces.expect import MESSAGE_TAG, ORIGIN_TAG, ExpectedSpan, Key
from toolkit.traces.model import Span
from toolkit.traces.platform import is_platform
from toolkit.traces.tree import Tree


@dataclass(frozen=True, slots=True)
class Match:
    """What is wrong with a trace, a short sentence each. `ok` when nothing is.

    `missing`: an expected span is not there. `unexpected`: nothing explains this span of the chain. `misplaced`: it is
    there, below the wrong span. `mistaken`: the message's span is there with another kind or service. `orphans`: a span
    of the chain names a parent that is not in the trace. `unproven`: the way up ends in a gap that the platform left
    (an ingress that exports no spans, spans that went to another store), so its place is neither right nor wrong; this
    alone does not make a trace wrong.
    """

    expected: int
    matched: int
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    misplaced: tuple[str, ...] = ()
    mistaken: tuple[str, ...] = ()
    orphans: tuple[str, ...] = ()
    unproven: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        return self.missing + self.unexpected + self.misplaced + self.mistaken + self.orphans

    @property
    def ok(self) -> bool:
        return not self.problems


@dataclass(frozen=True, slots=True)
class _Trace:
    """One trace beside what it should be.

    `keys[i]` is what span i was expected as, None for the others; `expected` are the ids of those that were.
    """

    tree: Tree
    keys: tuple[Key | None, ...]
    expected: frozenset[tuple[str, Key | None]]
    wanted: dict[Key, ExpectedSpan]
    own: frozenset[str]
    gaps: bool


def match(
    spans: Iterable[Span], expected: Sequence[ExpectedSpan], *, services: Iterable[str] = (), gaps: bool = False
) -> Match:
    """Hold one trace's spans against what one call must have left (see `expect`).

    `services` are the chain's functions beyond those that the expectation names: spans of a kind (CLIENT, SERVER,
    PRODUCER, CONSUMER) by one of them must be explained, unless they are the platform's (see `platform`). With `gaps`
    a platform stands between the functions that traces too, and what it says may be lost or lie in another store: then
    a function's span whose parent is missing is no orphan, if the span of whoever sent the message is in the trace.
    """
    arranged = tree.build(spans)
    wanted = {each.key: each for each in expected}
    own = frozenset({each.service for each in expected} | {name.lower() for name in services})
    keys = tuple(_keys(arranged.spans, wanted))
    ids = frozenset((span.id, key) for span, key in zip(arranged.spans, keys, strict=True))
    trace = _Trace(arranged, keys, ids, wanted, own, gaps)
    lacking, strangers = _lacking(trace), _strangers(trace)
    mistaken, lacking, strangers = _pair(trace, lacking, strangers)
    misplaced, unproven = _places(trace)
    return Match(
        expected=sum(each.least for each in expected),
        matched=sum(min(count, wanted[key].most) for key, count in _counts(trace).items()),
        missing=tuple(f"missing: {_named(key)}" for key in lacking),
        unexpected=tuple(f"unexpected: {_told(arranged.spans[at])}" for at in strangers) + tuple(_surplus(trace)),
        misplaced=misplaced,
        mistaken=mistaken,
        orphans=tuple(_orphans(trace)),
        unproven=unproven,
    )


def _keys(spans: Sequence[Span], wanted: dict[Key, ExpectedSpan]) -> Iterator[Key | None]:
    roots = {key[:2]: key for key, each in wanted.items() if each.parent is None}
    for span in spans:
        if span.kind is None or span.service is None:
            yield None
        elif (message := span.tags.get(MESSAGE_TAG)) is None:
            yield roots.get((span.service, span.kind))  # the caller's root needs no tag: there is one of it
        else:
            key = Key(span.service, span.kind, message)
            yield key if key in wanted else None


def _counts(trace: _Trace) -> Counter[Key]:
    return Counter(key for key in trace.keys if key is not None)


def _lacking(trace: _Trace) -> list[Key]:
    counts = _counts(trace)
    return [key for key, each in trace.wanted.items() for _ in range(each.least - counts[key])]


def _surplus(trace: _Trace) -> Iterator[str]:
    for key, count in _counts(trace).items():
        if count > (most := trace.wanted[key].most):
            yield f"unexpected: {_named(key)} is there {count} times, {most} {'was' if most == 1 else 'were'} expected"


def _strangers(trace: _Trace) -> list[int]:
    """Spans of the chain that nothing explains."""
    spans = trace.tree.spans
    return [at for at, span in enumerate(spans) if trace.keys[at] is None and span.kind and _is_own(trace, at)]


def _is_own(trace: _Trace, at: int) -> bool:
    span = trace.tree.spans[at]
    return MESSAGE_TAG in span.tags or (span.service in trace.own and not is_platform(span, trace.own))


def _pair(trace: _Trace, lacking: list[Key], strangers: list[int]) -> tuple[tuple[str, ...], list[Key], list[int]]:
    """What is there about a message that lacks a span is that span gone wrong, not one missing and one too many."""
    told, left, explained = [], list(lacking), set()
    for at, span in enumerate(trace.tree.spans):
        if trace.keys[at] is not None or (message := span.tags.get(MESSAGE_TAG)) is None:
            continue
        if key := next((each for each in left if each.message == message), None):
            left.remove(key)
            explained.add(at)
            told.append(f"mistaken: wanted {_named(key)}, got {span.kind or 'no kind'} of {span.service or 'nobody'}")
    return tuple(told), left, [at for at in strangers if at not in explained]


def _places(trace: _Trace) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(misplaced, unproven): every span that was expected, held against the span it should be below."""
    misplaced, unproven = [], []
    for at, key in enumerate(trace.keys):
        if key is None or _origin_is(trace, at, trace.wanted[key].parent):
            continue
        if at in trace.tree.orphans:
            if _is_behind_a_gap(trace, at):
                unproven.append(f"unproven: {_named(key)} has a parent that nobody told of here")
            continue
        above, last = _nearest(trace, at)
        if above == trace.wanted[key].parent:
            continue
        if above is None and last in trace.tree.orphans and not _is_own(trace, last):
            unproven.append(f"unproven: the way up from {_named(key)} ends at {_told(trace.tree.spans[last])}")
        else:
            misplaced.append(f"misplaced: {_named(key)} is {_below(above)}, not {_below(trace.wanted[key].parent)}")
    return tuple(misplaced), tuple(unproven)


def _nearest(trace: _Trace, at: int) -> tuple[Key | None, int]:
    """The first expected span on the way up, and where the way ended."""
    last = at
    for last in trace.tree.ancestors(at):
        if (key := trace.keys[last]) is not None:
            return key, last
    return None, last


def _origin_is(trace: _Trace, at: int, parent: Key | None) -> bool:
    """Whether the event itself names its PRODUCER (W3C `00-trace-span-flags`), as an event that was a reply does."""
    parts = trace.tree.spans[at].tags.get(ORIGIN_TAG, "").split("-")
    return parent is not None and len(parts) >= 4 and (parts[2], parent) in trace.expected


def _is_behind_a_gap(trace: _Trace, at: int) -> bool:
    """Whether the platform may have been between this orphan and the span it should be below, which is there."""
    key = trace.keys[at]
    return trace.gaps and key is not None and at not in trace.tree.looped and trace.wanted[key].parent in trace.keys


def _orphans(trace: _Trace) -> Iterator[str]:
    for at in sorted(trace.tree.orphans | trace.tree.looped):
        span, key = trace.tree.spans[at], trace.keys[at]
        parent = trace.wanted[key].parent if key else None
        if not _is_own(trace, at) or (key and parent is None) or _origin_is(trace, at, parent):
            continue
        if _is_behind_a_gap(trace, at):
            continue
        why = (
            "is its own ancestor"
            if at in trace.tree.looped
            else f"has a parent ({span.parent}) that is not in the trace"
        )
        yield f"orphan: {_told(span)} {why}"


def _named(key: Key) -> str:
    return f"{key.kind} of {key.service} for message {key.message}"


def _below(key: Key | None) -> str:
    return f"below {_named(key)}" if key else "a root"


def _told(span: Span) -> str:
    message = span.tags.get(MESSAGE_TAG)
    about = f" for message {message}" if message else f" named {span.name!r}"
    return f"{span.kind or 'inner span'} of {span.service or 'nobody'}{about} (span {span.id})"
