"""How much of the work that one handling caused went on at the same time: of branches beside each other.

May live here: the overlap of spans, and which spans are branches. A branch is a receiver's span (SERVER, CONSUMER): the
sender's would count the wait for a busy receiver as work.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from toolkit.traces import view
from toolkit.traces.model import Edge
from toolkit.traces.view import Trace, View

Span = tuple[int, int]  # from, to


@dataclass(frozen=True, slots=True)
class Overlap:
    """Of `n` branches. `at_once` ran at the same time at most; `share` is the time that pairs of them had in common,
    of all that they could have had: 1 when of each two the shorter one ran within the longer. Times in microseconds,
    `wall_us` from the first start to the last end.
    """

    n: int
    at_once: int
    share: float
    wall_us: int
    slowest_us: int

    @property
    def stretch(self) -> float:
        """Wall time over that of the slowest branch: 1 when none waited for another, `n` for equal ones in a row."""
        return self.wall_us / self.slowest_us


@dataclass(frozen=True, slots=True)
class Fan:
    """Several messages of one handling: over `edge`, or, where it is None, over several. `span` is the handling's."""

    span: str
    source: str
    edge: Edge | None
    overlap: Overlap


def overlap(spans: Iterable[Span]) -> Overlap | None:
    """None for fewer than two branches that took any time. Takes n log n steps, not one for each pair."""
    known = [(start, end) for start, end in spans if start < end]
    if len(known) < 2:
        return None
    in_common, at_once = _in_common(known)
    lengths = sorted(end - start for start, end in known)
    possible = sum(length * (len(lengths) - 1 - at) for at, length in enumerate(lengths))  # of each pair the shorter
    return Overlap(
        n=len(known),
        at_once=at_once,
        share=in_common / possible,
        wall_us=max(end for _, end in known) - min(start for start, _ in known),
        slowest_us=lengths[-1],
    )


def _in_common(spans: Sequence[Span]) -> tuple[int, int]:
    """The time that two had in common, over all pairs, and how many ran at once at most."""
    turns = sorted([(start, 1) for start, _ in spans] + [(end, -1) for _, end in spans])
    total = running = most = 0
    before = turns[0][0]
    for moment, change in turns:
        total += (moment - before) * running * (running - 1) // 2
        running, before = running + change, moment
        most = max(most, running)
    return total, most


def fans(trace: Trace) -> list[Fan]:
    """Where a handling sent several messages: one for each edge that several went over; and one for all of them, where
    they went over several edges and to several functions. In the order of the senders' spans."""
    seen = view.of(trace)
    found: list[Fan] = []
    for at, edges in _branches(seen).items():
        span, source = seen.spans[at].id, next(iter(edges))[0]
        whole = [span for spans in edges.values() for span in spans]
        for edge, spans in edges.items():
            if (told := overlap(spans)) is not None:
                found.append(Fan(span, source, edge, told))
        if len(edges) > 1 and (told := overlap(whole)) is not None:
            found.append(Fan(span, source, None, told))
    return found


def _branches(seen: View) -> Mapping[int, Mapping[Edge, Sequence[Span]]]:
    """The receivers' spans, by the handling that caused them, and the edge."""
    found: defaultdict[int, defaultdict[Edge, list[Span]]] = defaultdict(lambda: defaultdict(list))
    for (kind, message), receivers in seen.sides.items():
        senders = seen.sides.get(("CLIENT" if kind == "SERVER" else "PRODUCER", message))
        if kind not in ("SERVER", "CONSUMER") or not senders:
            continue
        above = seen.tree.parents[senders[0]]
        if above is None:
            continue
        for at in receivers:
            if seen.starts[at]:
                source, to = seen.spans[senders[0]].service or "?", seen.spans[at].service or "?"
                edge: Edge = (source, to, "call" if kind == "SERVER" else "event")
                found[above][edge].append((seen.starts[at], seen.ends[at]))
    return found
