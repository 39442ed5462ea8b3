"""Where the platform left a gap in a trace, and what the spans behind it are taken to hang below.

May live here: guessing, by messages and hosts, for numbers and for telling, never for a verdict: `match` takes nothing
as proven that the trace does not show. Why there are gaps: the ingress exports no spans, so the activator's parent is
not there, or the platform's spans lie in another store. Why there are twins: each of the broker's parts has two server
spans for one request (`otelhttp` and its own).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from toolkit.traces.expect import MESSAGE_TAG
from toolkit.traces.model import Span
from toolkit.traces.platform import Part
from toolkit.traces.tree import Tree


@dataclass(frozen=True, slots=True)
class Known:
    """A trace's tree; the part of the platform that made each span (None: none did); its times; the sides of each
    message by kind. `requests` keeps what was found below a sender."""

    tree: Tree
    parts: Sequence[Part | None]
    starts: Sequence[int]
    ends: Sequence[int]
    sides: Mapping[tuple[str | None, str], Sequence[int]]
    requests: dict[int | None, dict[str, list[tuple[int, int]]]] = field(default_factory=dict)


def hang(known: Known) -> tuple[Sequence[int | None], frozenset[int]]:
    """Each span's parent as it would be if the platform told everything, once; and the spans before which was a gap.

    An orphan of the platform hangs below what sent the first message that arrives below it: the last request of the
    platform that went to this receiver, or the sender's own span. So does the span of a function that received a
    message, when the platform's last span before it is not there. A server span that stands beside a longer, childless
    one about the same request hangs below that. The rest stays, and nothing becomes its own ancestor.
    """
    arranged = known.tree
    if not arranged.orphans and not any(known.parts):
        return arranged.parents, frozenset()  # most traces
    found = dict(_gaps(known))
    moved = dict(twins(arranged, known.parts, known.starts, known.ends)) | {
        at: target for at, target in found.items() if target is not None
    }
    parents = list(arranged.parents)
    for at, target in moved.items():
        if not is_above(parents, at, target):
            parents[at] = target
    return parents, frozenset(found)


def is_above(parents: Sequence[int | None], one: int, other: int) -> bool:
    """Whether `one` is `other` or above it."""
    at: int | None = other
    while at is not None and at != one:
        at = parents[at]
    return at is not None


def receives(span: Span) -> bool:
    return span.kind in ("SERVER", "CONSUMER") and MESSAGE_TAG in span.tags


def sender(sides: Mapping[tuple[str | None, str], Sequence[int]], span: Span) -> int | None:
    """Who sent the message that this span received: the first, when several did."""
    kind = "PRODUCER" if span.kind == "CONSUMER" else "CLIENT"
    found = sides.get((kind, span.tags.get(MESSAGE_TAG, "")))
    return found[0] if found else None


def _gaps(known: Known) -> Iterator[tuple[int, int | None]]:
    """(orphan of the platform, or receiver behind it; the span it is taken to hang below); None when nothing tells."""
    spans = known.tree.spans
    for at in sorted(known.tree.orphans - known.tree.looped):
        receiver = at if receives(spans[at]) else None
        if receiver is None and known.parts[at] is None:
            continue
        if receiver is None:
            receiver = next((each for each in _reached(known, at) if receives(spans[each])), None)
        sent = None if receiver is None else sender(known.sides, spans[receiver])
        yield at, None if receiver is None or sent is None else _last_request(known, sent, at, receiver)


def _reached(known: Known, at: int) -> Iterator[int]:
    """What is below a span through the platform's spans alone, and the first spans that are not the platform's."""
    waiting = list(known.tree.children[at])[::-1]
    while waiting:
        below = waiting.pop()
        yield below
        if known.parts[below] is not None:
            waiting.extend(reversed(known.tree.children[below]))


def _last_request(known: Known, sent: int, orphan: int, receiver: int) -> int:
    """The request of the platform, below the sender's span, that the orphan answers; or the sender's span itself."""
    to, begun = known.tree.spans[receiver].service or "", known.starts[orphan]
    requests, since = _requests(known, sent), 0
    if not requests and known.tree.spans[sent].kind == "PRODUCER":  # a reply, which hangs where the first event began
        requests, since = _requests(known, None), known.starts[sent]
        requests = {to: requests.get(to, [])}
    addressed = requests.get(to, ()) if to else ()
    place = bisect_right(addressed, (begun, len(known.starts)))
    if place and addressed[place - 1][0] >= since:
        return addressed[place - 1][1]
    every = requests.get("", ())
    for _, at in reversed(every[: bisect_right(every, (begun, len(known.starts)))]):
        if begun <= known.ends[at]:
            return at
    return sent


def _requests(known: Known, sent: int | None) -> dict[str, list[tuple[int, int]]]:
    """The requests of the platform below a sender, or anywhere, whose server is not there, by the host they went to;
    below "", all. Each with its start, and in this order."""
    if (found := known.requests.get(sent)) is None:
        found = known.requests[sent] = {}
        below = range(len(known.parts)) if sent is None else _reached(known, sent)
        for start, at in sorted((known.starts[at], at) for at in below if _is_open(known, at)):
            for host in {"", *_hosts(known, at)}:
                found.setdefault(host, []).append((start, at))
    return found


def _is_open(known: Known, at: int) -> bool:
    """Whether it is a request of the platform whose server is not there."""
    return known.parts[at] is not None and known.tree.spans[at].kind == "CLIENT" and not known.tree.children[at]


def _hosts(known: Known, at: int) -> Iterator[str]:
    """The services that a request went to, as it or the span around it says: the first part of a host's name."""
    span, above = known.tree.spans[at], known.tree.parents[at]
    around = known.tree.spans[above].name if above is not None else ""
    address, dot, _ = span.tags.get("server.address", "").partition(".")
    if dot:
        yield address
    for told in (span.tags.get("url.full", ""), around):
        host, dot, _ = told.partition("//")[2].partition(".")
        if dot:
            yield host


def twins(
    arranged: Tree, parts: Sequence[Part | None], starts: Sequence[int], ends: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """(span, the longer and childless one about the same request): SERVER spans of one part below one span."""
    beside: defaultdict[tuple[str, str | None], list[int]] = defaultdict(list)
    for at, span in enumerate(arranged.spans):
        if parts[at] is not None and span.kind == "SERVER" and span.parent and span.timestamp:
            beside[span.parent, span.service].append(at)
    for found in (each for each in beside.values() if len(each) > 1):
        outer = sorted((starts[at], at) for at in found if not arranged.children[at])
        for inner in found:
            before = bisect_right(outer, (starts[inner], len(starts)))
            if arranged.children[inner] and before and ends[inner] <= ends[outer[before - 1][1]]:
                yield inner, outer[before - 1][1]
