"""What really led to a span, where it does not hang below that.

May live here: the last-arriving cause of asynchronous messages, by what spans say. Three rules, each of which moves a
span below another and none of which corrects a time:

- A *reply*. A broker lets the delivery of an event that was a function's reply hang where the first event began. Its
  tag `cloudevents.traceparent` names the PRODUCER span of the reply: what carried the reply hangs below that, unless it
  stands beside what carried the answer anyway.
- A *link*. A span that names other spans of its trace as links (OpenTelemetry's) began because of the last of them that
  was over before it began, if that came later than what it hangs below.
- A *join* that says nothing. A function waits, while it handles one event, for others of the same call, and sends on
  when the last is there. The span of what it sends hangs below the event it was handling. It is taken to be caused by
  the last arrival that was over before it was sent, provided that this is another event, of the same call
  (`toolkit.call`), of the same service and replica, arrived after the one it hangs below, and sent nothing on itself,
  neither an event nor a call (or it would be one of several that are handled side by side). This is a guess: it
  explains no more than the time between the last thing that the span it hangs below is known to have waited for, and
  the sending. Nothing is guessed where the span says that it was joined with others, and so was the last to come, or
  that it is a task, which waits for none.

A reply hangs elsewhere then. What was linked or joined stays where it is, and is said to have waited: between the end
of what it waited for and its own start, the span it hangs below was at work.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from toolkit.traces.expect import MESSAGE_TAG, ORIGIN_TAG
from toolkit.traces.gaps import is_above
from toolkit.traces.model import Span
from toolkit.traces.platform import Part

CALL_TAG = "toolkit.call"
REPLICA_TAGS = ("service.instance.id", "toolkit.replica")  # what it is called, and what it was called once
JOINED_TAG, TASK_TAG = "toolkit.joined", "toolkit.task"  # on CONSUMER spans: so many were joined; it is a task
_FIRST_LINK = "otlp.link.0"  # OpenTelemetry's specification for Zipkin has no links; the Collector's exporter has


@dataclass(frozen=True, slots=True)
class Known:
    """A trace's spans by position, with the parents they would have if the platform told everything (`hung`)."""

    spans: Sequence[Span]
    parts: Sequence[Part | None]
    starts: Sequence[int]
    ends: Sequence[int]
    hung: Sequence[int | None]
    sides: Mapping[tuple[str | None, str], Sequence[int]]
    places: Mapping[str, int]


def hang(known: Known) -> tuple[Sequence[int | None], Mapping[int, int]]:
    """The cause of each span, None of a root; and for those that something else was waited for, that. Nothing waits for
    what itself led to. Without any reply the causes are the parents as they were, the same object."""
    replies, links, arrivals = _seen(known)
    if not (replies or links or arrivals):
        return known.hung, {}
    parents = list(known.hung) if replies else known.hung
    for at, origin in replies:
        _reply(known, parents, at, origin)  # type: ignore[arg-type]  # a list, when there are any
    waits: dict[int, int] = {}
    for at in links:
        _link(known, parents, waits, at)
    if arrivals:
        _join(known, parents, waits, arrivals)
    return parents, waits


def _seen(known: Known) -> tuple[list[tuple[int, int]], list[int], list[list[int]]]:
    """Deliveries with the sending that they name; spans with links; arrivals of one service and call, if several."""
    replies, links, arrivals = [], [], defaultdict(list)
    for at, span in enumerate(known.spans):
        tags = span.tags
        if span.kind == "CONSUMER" and MESSAGE_TAG in tags:
            arrivals[span.service, tags.get(CALL_TAG)].append(at)
        if (told := tags.get(ORIGIN_TAG)) is not None:
            origin = known.places.get(told[36:52])
            if origin is not None and origin != known.hung[at] and known.spans[origin].kind == "PRODUCER":
                replies.append((at, origin))
        if _FIRST_LINK in tags:
            links.append(at)
    return replies, links, [found for found in arrivals.values() if len(found) > 1]


def _reply(known: Known, parents: list[int | None], at: int, origin: int) -> None:
    """Move the first span that carried the reply below what sent it, unless it stands after that already: below what
    the function that replied stands below, too, as when the broker's filter sends on what it was answered."""
    top, above = at, parents[at]
    while above not in (None, origin) and _is_between(known, above):
        if is_above(parents, above, origin):
            return
        if known.starts[above] >= known.starts[origin]:
            top = above
        above = parents[above]
    if above != origin and not is_above(parents, top, origin):
        parents[top] = origin


def _is_between(known: Known, at: int) -> bool:
    """Whether it may have carried a message: a span of the chain says which one it is about, what carries does not."""
    span = known.spans[at]
    return MESSAGE_TAG not in span.tags and (span.kind != "PRODUCER" or known.parts[at] is not None)


def is_stated(span: Span) -> bool:
    """Whether what this span waited for is what it says itself, and not a guess."""
    return _FIRST_LINK in span.tags


def _link(known: Known, parents: Sequence[int | None], waits: dict[int, int], at: int) -> None:
    above = parents[at]
    if above is None or not known.starts[at]:
        return
    begun, since = known.starts[at], known.starts[above]
    fit = [each for each in _linked(known, at) if since < known.starts[each] and known.ends[each] <= begun]
    last = max(fit, key=lambda each: (known.ends[each], each), default=None)
    if last is not None and not is_above(parents, above, last):
        waits[at] = last


def _linked(known: Known, at: int) -> Iterator[int]:
    span = known.spans[at]
    for key, told in span.tags.items():
        if key.startswith("otlp.link."):
            trace, _, rest = told.partition("|")
            found = known.places.get(rest.partition("|")[0])
            if found is not None and trace == span.trace:
                yield found


def _join(
    known: Known, parents: Sequence[int | None], waits: dict[int, int], arrivals: Sequence[Sequence[int]]
) -> None:
    below: defaultdict[int, list[int]] = defaultdict(list)
    for at, above in enumerate(parents):
        if above is not None:
            below[above].append(at)
    for found in arrivals:
        silent = sorted((known.ends[at], at) for at in found if known.ends[at] and not _sends_on(known, below[at]))
        for first in sorted(found, key=lambda at: (known.starts[at], at)) if silent else ():
            if JOINED_TAG in known.spans[first].tags or TASK_TAG in known.spans[first].tags:
                continue
            for child in below[first]:
                last = _last_arrival(known, child, first, silent)
                if last is not None and child not in waits and not is_above(parents, first, last):
                    waits[child] = last


def _sends_on(known: Known, children: Sequence[int]) -> bool:
    return any(known.spans[at].kind in ("PRODUCER", "CLIENT") and known.parts[at] is None for at in children)


def _last_arrival(known: Known, child: int, first: int, silent: Sequence[tuple[int, int]]) -> int | None:
    """Which of these `first` waited for before it began `child`, if it waited: the last to be over."""
    for place in range(bisect_right(silent, (known.starts[child], len(known.spans))) - 1, -1, -1):
        end, other = silent[place]
        if end <= known.starts[first]:
            return None
        if _may_be_waited_for(known, first, other):
            return other
    return None


def _may_be_waited_for(known: Known, first: int, other: int) -> bool:
    one, two = known.spans[first].tags, known.spans[other].tags
    return (
        other != first
        and known.starts[first] < known.starts[other]
        and one[MESSAGE_TAG] != two[MESSAGE_TAG]
        and all(one.get(name) == two.get(name) for name in REPLICA_TAGS)
    )
