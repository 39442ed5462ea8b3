"""Waiting for the spans of a run: those of the functions, and those of the platform, which nobody can count beforehand.

May live here: how long, and what for. May not: where spans are asked for (`spans`), or judging them (`traces`).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from toolkit.engines.knative.exports import EVERY_S
from toolkit.traces import tree
from toolkit.traces.model import Span
from toolkit.traces.platform import Part, part

LAST = 20  # traces that are looked at first: whoever sent these has sent those before


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds. Functions send their spans every 0.2 s, and try a second time after that; Knative's components send
    theirs `every_s`. A collector tries again after 5 s, or half as much longer by chance, what its store did not take.
    """

    quiet_s: float = 1.5
    within_s: float = 10.0
    every_s: float = EVERY_S
    late_s: float = 7.5
    late_within_s: float = 30.0
    look_s: float = 0.25


PACE = Pace()
Enough = Callable[[Sequence[Span]], bool]


class Store(Protocol):
    """`spans.Spans`, as far as it is needed here."""

    async def of(self, traces: Sequence[str]) -> list[Span]: ...


async def of_functions(
    store: Store, traces: Mapping[str, int], services: Collection[str], pace: Pace = PACE
) -> list[Span]:
    """The spans, once each trace has as many of the functions' own as it says, or none came for a while."""

    def enough(found: Sequence[Span]) -> bool:
        own = Counter(each.trace for each in found if each.service in services and part(each, services) is None)
        return all(own[trace] >= least for trace, least in traces.items())

    return await _quiet(store, list(traces), enough, pace.quiet_s, _now() + pace.within_s, look_s=pace.look_s)


async def with_the_platform(
    store: Store, traces: Mapping[str, int], services: Collection[str], ended: float, pace: Pace = PACE
) -> list[Span]:
    """As `of_functions`, and with what Knative's components tell, for whom the last call ended at the loop's `ended`.

    Each has had its turn once that time is over. Traces that then have fewer of a part's spans than most are waited
    for: one batch may have been late, or sent again.
    """
    turn = ended + pace.every_s + pace.look_s
    look_s = pace.look_s
    every = list(traces)
    await _quiet(store, every[-LAST:], _never, pace.quiet_s, turn + pace.within_s, not_before=turn, look_s=look_s)
    found = await of_functions(store, traces, services, pace)
    usual, late = _late(found, every, services)
    if not late:
        return found

    def enough(some: Sequence[Span]) -> bool:
        return not _late(some, late, services, usual)[1]

    await _quiet(store, late, enough, pace.late_s, max(_now(), ended + pace.late_within_s), look_s=look_s)
    return await store.of(every)


def _never(_: Sequence[Span]) -> bool:
    return False


def _late(
    found: Sequence[Span], traces: Sequence[str], services: Collection[str], usual: Counter[Part] | None = None
) -> tuple[Counter[Part], list[str]]:
    """How many spans of each part most traces have (or `usual`), and the traces that have fewer of one."""
    told = tree.by_trace(found)
    counts = {each: _parts(told.get(each, ()), services) for each in traces}
    if usual is None:
        times = Counter(frozenset(each.items()) for each in counts.values())
        usual = Counter(dict(times.most_common(1)[0][0])) if times else Counter()
    return usual, [each for each, its in counts.items() if not usual <= its]


def _parts(spans: Sequence[Span], services: Collection[str]) -> Counter[Part]:
    return Counter(which for span in spans if (which := part(span, services)) is not None)


async def _quiet(
    store: Store,
    traces: Sequence[str],
    enough: Enough,
    quiet_s: float,
    deadline: float,
    *,
    look_s: float,
    not_before: float = 0.0,
) -> list[Span]:
    """The spans, once they are `enough` or none came for `quiet_s`; not before the one time, nor after the other."""
    count, changed = -1, _now()
    while True:
        found = await store.of(traces)
        if len(found) != count:
            count, changed = len(found), _now()
        if enough(found) or _now() >= deadline or (_now() >= not_before and _now() - changed >= quiet_s):
            return found
        await asyncio.sleep(look_s)


def _now() -> float:
    return asyncio.get_running_loop().time()
