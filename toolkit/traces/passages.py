"""What of the platform a message passed between two functions, and a trace as it would hang if nothing were missing.

May live here: reading the platform's spans between the functions' own, for telling. What is guessed where there is a
gap is `gaps`'; it is never for a verdict: `match` takes nothing as proven that the trace does not show.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from toolkit.traces import gaps, view
from toolkit.traces.expect import MESSAGE_TAG
from toolkit.traces.model import Span
from toolkit.traces.platform import Part, parts
from toolkit.traces.view import Trace, View


@dataclass(frozen=True, slots=True)
class Passage:
    """The way of one message to one receiver.

    `source` is None when its sender's span is not in the trace. `parts` are those passed on the way, each once, from
    the sender on. `whole`: every span on the way has its parent; otherwise what is told before the gap is a guess.
    """

    source: str | None
    to: str
    via: Literal["call", "event"]
    message: str
    parts: tuple[Part, ...]
    whole: bool


def passages(trace: Trace) -> list[Passage]:
    """The ways of one trace's messages, one for each SERVER and CONSUMER span of a function, in the order of start."""
    seen = view.of(trace)
    return [_passage(seen, at) for at, _ in seen.walk() if gaps.receives(seen.spans[at])]


def _passage(seen: View, at: int) -> Passage:
    span, way = seen.spans[at], [at]
    above = seen.hung[at]
    while above is not None and MESSAGE_TAG not in seen.spans[above].tags:
        way.append(above)
        above = seen.hung[above]
    passed = [found for each in reversed(way) if (found := seen.parts[each]) is not None]
    sender = gaps.sender(seen.sides, span)
    return Passage(
        source=None if sender is None else seen.spans[sender].service,
        to=span.service or "?",
        via="event" if span.kind == "CONSUMER" else "call",
        message=span.tags[MESSAGE_TAG],
        parts=tuple(dict.fromkeys(passed)),
        whole=above is not None and seen.guessed.isdisjoint(way),
    )


def joined(spans: Iterable[Span]) -> list[Span]:
    """One trace's spans as they would hang if the platform told everything, once (`gaps.hang`)."""
    listed = list(spans)
    there = {span.id for span in listed}
    if not parts(listed) and all(span.parent in there or span.parent is None for span in listed):
        return listed  # most traces: not worth a tree
    seen = view.of(listed)
    return _moved(seen, {at: to for at, to in enumerate(seen.hung) if to is not None and to != seen.tree.parents[at]})


def nested(spans: Iterable[Span]) -> list[Span]:
    """One trace's spans, with those of the platform that stand beside a longer one about the same request, as each of
    the broker's do, below that. The functions' spans stay as they are."""
    seen = view.of(spans)
    return _moved(seen, dict(gaps.twins(seen.tree, seen.parts, seen.starts, seen.ends)))


def _moved(seen: View, parents: Mapping[int, int]) -> list[Span]:
    spans = seen.spans
    return [
        dataclasses.replace(span, parent=spans[parents[at]].id) if at in parents else span
        for at, span in enumerate(spans)
    ]
