"""What is below the root of a trace, as its critical path is looked for: when each span, and what followed, was over.

May live here: these times, found once. May not: the walk along them (`critical`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.traces.expect import ORIGIN_TAG
from toolkit.traces.view import View


@dataclass(frozen=True, slots=True)
class Told:
    """What is below the root, without spans that have no time, in whose place stands what they caused.

    Of each span: `low`, when it can have begun at the earliest (-1: it is not below the root); `over`, when it was over
    for whom it answers; `reach`, when it and all that followed from it was; `answered`, when it and all that followed
    from its reply was, for which whoever delivered it may wait; of the platform's, the chain's span above it; and the
    chain's span that it leads to (itself, if it is the chain's), the last to be over. `soon` and `late` are what it
    caused and is not yet walked by, the last at the end, by `over` and by `reach`.
    """

    view: View
    parents: Sequence[int | None]
    children: Sequence[Sequence[int]]
    low: list[int]
    over: list[int]
    reach: list[int]
    answered: list[int]
    above: list[int | None]
    leads_to: list[int | None]
    soon: dict[int, list[int]]
    late: dict[int, list[int]]
    labels: dict[int, str]


def below(seen: View, root: int) -> Told:
    parents, children, order = _timed(seen, root)
    spans, n = seen.spans, len(seen.spans)
    low, over = [-1] * n, [end if end > start else 0 for start, end in zip(seen.starts, seen.ends, strict=True)]
    above: list[int | None] = [None] * n
    leads_to: list[int | None] = list(range(n))
    low[root] = seen.starts[root]
    for at in order[1:]:
        parent = parents[at] or 0
        low[at] = max(seen.starts[at], low[parent])
        above[at] = parent if seen.parts[parent] is None else above[parent]
    reach = list(over)
    for at in reversed(order):
        if below := children[at]:
            reach[at] = max(reach[at], max(reach[child] for child in below))
            if spans[at].kind is None or not over[at]:
                over[at] = max(over[at], max(over[child] for child in below))
        if seen.parts[at] is not None:
            led = [each for child in below if (each := leads_to[child]) is not None]
            if len(led) > 1:  # what the function behind it answered went to somebody else
                led = [each for each in led if origin(seen, each) in (None, above[at])] or led
            leads_to[at] = max(led, key=reach.__getitem__, default=None)
    answered = _answered(seen, order, parents, over, reach)
    return Told(seen, parents, children, low, over, reach, answered, above, leads_to, {}, {}, {})


def _answered(
    seen: View, order: Sequence[int], parents: Sequence[int | None], over: list[int], reach: Sequence[int]
) -> list[int]:
    """`over`, the same object, where nothing hangs below a reply."""
    if seen.parents is seen.hung:
        return over
    answered = list(over)
    for at in order[1:]:
        reply = parents[at]
        if reply is not None and seen.parents[at] != seen.hung[at] and (by := parents[reply]) is not None:
            answered[by] = max(answered[by], reach[at])
    return answered


def _timed(seen: View, root: int) -> tuple[Sequence[int | None], Sequence[Sequence[int]], list[int]]:
    """Parents and children without spans that have no time, and what is below the root, parents before children."""
    parents, children = seen.parents, seen.children
    order = [root]
    for at in order:
        order.extend(children[at])
    if all(seen.starts[at] for at in order):
        return parents, children, order
    hung, caused = list(parents), [list[int]() for _ in parents]
    for at in order[1:]:
        above = parents[at]
        hung[at] = above if above is None or seen.starts[above] else hung[above]
    order = [at for at in order if seen.starts[at]]
    for at in sorted(order, key=lambda at: (seen.starts[at], at)):
        if at != root and (above := hung[at]) is not None:
            caused[above].append(at)
    return hung, caused, order


def origin(seen: View, at: int) -> int | None:
    """The sending that the event names which this span consumed."""
    told = seen.spans[at].tags.get(ORIGIN_TAG)
    return seen.places.get(told[36:52]) if told else None
