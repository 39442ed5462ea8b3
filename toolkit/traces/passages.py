"""What of the platform a message passed between two functions, and how a trace hangs together where it left a gap.

May live here: reading the platform's spans between the functions' own. `joined` guesses where a gap is (the ingress
exports no spans, so the activator's parent is not there); it is for numbers and for telling, never for a verdict:
`match` takes nothing as proven that the trace does not show.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from toolkit.traces import tree
from toolkit.traces.expect import MESSAGE_TAG
from toolkit.traces.model import Span
from toolkit.traces.platform import Part, chains_own, part, parts
from toolkit.traces.tree import Tree


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


@dataclass(frozen=True, slots=True)
class _Known:
    """A trace's tree; the part of the platform that made each span (None: none did); who sent each message."""

    tree: Tree
    parts: tuple[Part | None, ...]
    senders: Mapping[tuple[str, str], int]  # by kind and message


def passages(spans: Iterable[Span]) -> list[Passage]:
    """The ways of one trace's messages, one for each SERVER and CONSUMER span of a function, in the order of start."""
    whole, gaps = _joined(_known(spans))
    known = _known(whole)
    return [_passage(known, at, gaps) for at, _ in known.tree.walk() if _receives(known.tree.spans[at])]


def joined(spans: Iterable[Span]) -> list[Span]:
    """One trace's spans as they would hang if the platform told everything, once.

    An orphan of the platform hangs below what sent the first message that arrives below it: the last request of the
    platform that went to this receiver, or the sender's own span. So does the span of a function that received a
    message, when the platform's last span before it is not there. The rest is as `nested` has it.
    """
    listed = list(spans)
    there = {span.id for span in listed}
    if not parts(listed) and all(span.parent in there or span.parent is None for span in listed):
        return listed  # most traces: not worth a tree
    return _joined(_known(listed))[0]


def _joined(known: _Known) -> tuple[list[Span], set[str]]:
    """The spans as they would hang, and the ids of those before which there was a gap."""
    gaps = dict(_gaps(known))
    moved = dict(_twins(known)) | {at: target for at, target in gaps.items() if target is not None}
    return _moved(known, moved), {known.tree.spans[at].id for at in gaps}


def nested(spans: Iterable[Span]) -> list[Span]:
    """One trace's spans, with those of the platform that stand beside a longer one about the same request, as each of
    the broker's do, below that. The functions' spans stay as they are."""
    known = _known(spans)
    return _moved(known, dict(_twins(known)))


def _moved(known: _Known, parents: Mapping[int, int]) -> list[Span]:
    spans = known.tree.spans
    return [
        dataclasses.replace(span, parent=spans[parents[at]].id) if at in parents else span
        for at, span in enumerate(spans)
    ]


def _known(spans: Iterable[Span]) -> _Known:
    arranged = tree.build(spans)
    functions = chains_own(arranged.spans)
    senders: dict[tuple[str, str], int] = {
        (span.kind, span.tags[MESSAGE_TAG]): at
        for at, span in reversed(list(enumerate(arranged.spans)))
        if span.kind in ("CLIENT", "PRODUCER") and MESSAGE_TAG in span.tags
    }
    return _Known(arranged, tuple(part(span, functions) for span in arranged.spans), senders)


def _receives(span: Span) -> bool:
    return span.kind in ("SERVER", "CONSUMER") and MESSAGE_TAG in span.tags


def _passage(known: _Known, at: int, gaps: set[str]) -> Passage:
    spans = known.tree.spans
    way, above = [], None
    for above in known.tree.ancestors(at):
        if MESSAGE_TAG in spans[above].tags:
            break
        way.append(above)
    passed = [found for each in reversed(way) if (found := known.parts[each]) is not None]
    message = spans[at].tags[MESSAGE_TAG]
    sender = _sender(known, at)
    return Passage(
        source=None if sender is None else spans[sender].service,
        to=spans[at].service or "?",
        via="event" if spans[at].kind == "CONSUMER" else "call",
        message=message,
        parts=tuple(dict.fromkeys(passed)),
        whole=above is not None
        and MESSAGE_TAG in spans[above].tags
        and not any(spans[each].id in gaps for each in (at, *way)),
    )


def _sender(known: _Known, at: int) -> int | None:
    """Who sent the message that this span received."""
    span = known.tree.spans[at]
    return known.senders.get(("PRODUCER" if span.kind == "CONSUMER" else "CLIENT", span.tags[MESSAGE_TAG]))


def _gaps(known: _Known) -> Iterator[tuple[int, int | None]]:
    """(orphan of the platform, or receiver behind it; the span it is taken to hang below); None when nothing tells."""
    for at in sorted(known.tree.orphans - known.tree.looped):
        received = at if _receives(known.tree.spans[at]) else None
        if received is not None or known.parts[at] is not None:
            below = (each for each in _reached(known, at) if _receives(known.tree.spans[each]))
            receiver = next(below, None) if received is None else received
            sender = None if receiver is None else _sender(known, receiver)
            if receiver is None or sender is None:
                yield at, None
            else:
                yield at, _last_request(known, sender, at, receiver)


def _reached(known: _Known, at: int) -> Iterator[int]:
    """What is below a span through the platform's spans alone, and the first spans that are not the platform's."""
    waiting = list(known.tree.children[at])[::-1]
    while waiting:
        below = waiting.pop()
        yield below
        if known.parts[below] is not None:
            waiting.extend(reversed(known.tree.children[below]))


def _last_request(known: _Known, sender: int, orphan: int, receiver: int) -> int:
    """The request of the platform, below the sender's span, that the orphan answers; or the sender's span itself."""
    spans, to = known.tree.spans, known.tree.spans[receiver].service or ""
    open_ends = [
        each
        for each in _reached(known, sender)
        if known.parts[each] is not None and spans[each].kind == "CLIENT" and not known.tree.children[each]
    ]
    begun = [each for each in open_ends if _start(spans[each]) <= _start(spans[orphan])]
    addressed = [each for each in begun if _is_addressed(known, each, to)]
    during = [each for each in begun if _start(spans[orphan]) <= _end(spans[each])]
    return max(addressed or during, key=lambda each: _start(spans[each]), default=sender)


def _is_addressed(known: _Known, at: int, to: str) -> bool:
    """Whether a request went to the host of this service, as it or the span around it says."""
    span, above = known.tree.spans[at], known.tree.parents[at]
    around = known.tree.spans[above].name if above is not None else ""
    return span.tags.get("server.address", "").startswith(f"{to}.") or any(
        f"//{to}." in told for told in (span.tags.get("url.full", ""), around)
    )


def _twins(known: _Known) -> Iterator[tuple[int, int]]:
    """(span, the longer and childless one about the same request): SERVER spans of one part below one span."""
    spans, beside = known.tree.spans, defaultdict(list)
    for at, span in enumerate(spans):
        if known.parts[at] is not None and span.kind == "SERVER" and span.parent and span.timestamp:
            beside[span.parent, span.service].append(at)
    for found in beside.values():
        outer = sorted((_start(spans[at]), at) for at in found if not known.tree.children[at])
        for inner in found:
            before = bisect_right(outer, (_start(spans[inner]), len(spans)))
            if known.tree.children[inner] and before and _end(spans[inner]) <= _end(spans[outer[before - 1][1]]):
                yield inner, outer[before - 1][1]


def _start(span: Span) -> int:
    return span.timestamp or 0


def _end(span: Span) -> int:
    return _start(span) + (span.duration or 0)
