"""What a span that stands between two functions spent its time on, where nothing below it was at work.

May live here: the one rule by which the critical path and the ways of messages name such time.
"""

from __future__ import annotations

from collections.abc import Iterator

from toolkit.traces.platform import what_of
from toolkit.traces.segments import What
from toolkit.traces.view import View


def own(seen: View, at: int, beside: int | None) -> What:
    """What the span at `at` did beside the one at `beside`, which came next (or last). A part of the platform beside
    somebody else waits for the network, but for the gateway, which has one span for all it does. Who is not known to be
    the platform is on the network, too."""
    part = seen.parts[at]
    if part is None or (part != "gateway" and beside is not None and seen.parts[beside] != part):
        return "network"
    return what_of(seen.spans[at], part)


def left_behind(
    seen: View, at: int, begin: int, until: int, after: int | None
) -> Iterator[tuple[int, int, What, int | None]]:
    """The time between a span's end and what it caused after that, as (from, to, on what, the span that answers).

    The platform has spans that are over before what they caused begins (`kn.queueproxy.wait`, a channel's fan-out).
    What answers is a span of the same part around it that was still there; when none was, the part itself if it is also
    the one that went on; else the network.
    """
    part, around = seen.parts[at], seen.parents[at]
    while begin < until and around is not None and part is not None and seen.parts[around] == part:
        if (over := min(seen.ends[around], until)) > begin:
            yield begin, over, what_of(seen.spans[around], part), around
            begin = over
        around = seen.parents[around]
    if begin < until:
        went_on = part is not None and after is not None and seen.parts[after] == part
        yield begin, until, what_of(seen.spans[at], part) if went_on and part else "network", at if went_on else None
