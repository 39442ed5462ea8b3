"""Waiting for spans, against a store that gets them one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from toolkit.engines.knative import arrival
from toolkit.engines.knative.arrival import Pace
from toolkit.traces.expect import MESSAGE_TAG
from toolkit.traces.model import Span

QUICK = Pace(quiet_s=0.02, within_s=0.5, every_s=0.05, late_s=0.2, late_within_s=1.0, look_s=0.002)
TRACES = ("a" * 32, "b" * 32, "c" * 32)
ONE_EACH = dict.fromkeys(TRACES, 1)
FUNCTIONS = {"producer"}


def own(trace: str) -> Span:
    """What a function says of a message."""
    return _span(trace, "producer", "1", {MESSAGE_TAG: "m"})


def platform(trace: str, identity: str = "2") -> Span:
    """What queue-proxy says, under the name of its function."""
    return _span(trace, "producer", identity, {"container.name": "queue-proxy"})


def _span(trace: str, service: str, identity: str, tags: dict[str, str]) -> Span:
    return Span(trace=trace, id=identity * 16, parent=None, name="x", kind="SERVER", service=service, tags=tags)


class Slow:
    """Each look shows what came with the next of `batches`; the last stays. `looks` are what was asked for."""

    def __init__(self, *batches: Sequence[Span]) -> None:
        self._batches, self._seen = list(batches), list[Span]()
        self.looks: list[Sequence[str]] = []

    async def of(self, traces: Sequence[str]) -> list[Span]:
        self.looks.append(traces)
        if self._batches:
            self._seen += self._batches.pop(0)
        return [each for each in self._seen if each.trace in traces]


async def test_functions_are_waited_for_until_each_trace_has_its_spans() -> None:
    store = Slow((), [own(TRACES[0])], [own(TRACES[1])], [own(TRACES[2])])
    found = await arrival.of_functions(store, ONE_EACH, FUNCTIONS, QUICK)
    assert {each.trace for each in found} == set(TRACES)
    assert len(store.looks) == 4


async def test_a_span_of_the_platform_is_not_taken_for_one_of_the_function_that_it_is_named_after() -> None:
    store = Slow([platform(each) for each in TRACES], [own(each) for each in TRACES])
    assert len(await arrival.of_functions(store, ONE_EACH, FUNCTIONS, QUICK)) == 6


async def test_a_trace_with_more_messages_than_others_is_waited_for_until_all_have_told() -> None:
    late = _span(TRACES[1], "producer", "3", {MESSAGE_TAG: "n"})
    store = Slow([own(each) for each in TRACES], (), (), [late])
    found = await arrival.of_functions(store, {**ONE_EACH, TRACES[1]: 2}, FUNCTIONS, QUICK)
    assert late in found


async def test_a_trace_that_never_becomes_whole_is_not_waited_for_when_nothing_comes_any_more() -> None:
    assert await arrival.of_functions(Slow(), ONE_EACH, FUNCTIONS, QUICK) == []


async def test_the_platform_has_its_turn_before_a_run_s_spans_are_taken() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    store = Slow([own(each) for each in TRACES])
    found = await arrival.with_the_platform(store, ONE_EACH, FUNCTIONS, began, QUICK)
    assert len(found) == 3
    assert loop.time() >= began + QUICK.every_s


async def test_a_trace_with_fewer_of_the_platform_s_spans_than_most_is_waited_for() -> None:
    first = [own(each) for each in TRACES] + [platform(each) for each in TRACES[:2]]
    nothing: list[list[Span]] = [[] for _ in range(20)]  # for longer than the first two waits last
    store = Slow(first, *nothing, *nothing, [platform(TRACES[2])])
    began = asyncio.get_running_loop().time()
    found = await arrival.with_the_platform(store, ONE_EACH, FUNCTIONS, began - QUICK.every_s, QUICK)
    assert len(found) == 6
    assert (TRACES[2],) in {tuple(each) for each in store.looks}


async def test_where_the_platform_says_nothing_no_trace_lacks_anything() -> None:
    store = Slow([own(each) for each in TRACES])
    await arrival.with_the_platform(store, ONE_EACH, FUNCTIONS, asyncio.get_running_loop().time(), QUICK)
    assert {tuple(each) for each in store.looks} == {TRACES}


async def test_without_traces_nothing_is_waited_for() -> None:
    assert await arrival.of_functions(Slow(), {}, FUNCTIONS, QUICK) == []
