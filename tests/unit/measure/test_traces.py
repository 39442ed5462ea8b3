"""Where the time of many traces went: known truth comes out, sums are whole, and order does not matter."""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.checks.simulation import DIAMOND, healthy
from tests.unit.checks.test_patterns import scattered
from tests.unit.measure.many import EDGES, START, Lasting, trace
from tests.unit.traces.made import calm, tangled
from toolkit.analysis import APART, Analysis, Band, Exemplar, Extent, FanSpread, MissingEdge
from toolkit.measure.traces import Analysing, analyse, change
from toolkit.traces.critical import critical_path
from toolkit.traces.expect import MESSAGE_TAG
from toolkit.traces.model import Kind, Span

TO_A, A, TO_B, B = "caller → a (call)", "a", "a → b (event)", "b"
times = st.builds(Lasting, *[st.integers(1, 10**6)] * 4)
many = st.lists(times, min_size=1, max_size=60).map(
    lambda found: [trace(number, each, failed=number % 7 == 0) for number, each in enumerate(found, 1)]
)


def means(band: Band) -> dict[str, float]:
    return {share.label: share.mean_us for share in band.shares}


def sums_of(found: Band) -> int:
    return sum(round(share.mean_us * found.n) for share in found.shares)


def test_each_segment_of_the_path_has_its_mean_and_its_share() -> None:
    found = analyse([trace(1, Lasting(10, 20, 30, 40)), trace(2, Lasting(20, 40, 60, 80))])
    (whole, *_) = found.bands
    assert means(whole) == {TO_A: 15, A: 30, TO_B: 45, B: 60}
    assert {share.label: share.what for share in whole.shares} == {
        TO_A: "network",
        A: "work",
        TO_B: "network",
        B: "work",
    }
    assert [share.label for share in whole.shares] == [B, TO_B, A, TO_A]
    assert [share.share for share in whole.shares] == [0.4, 0.3, 0.2, 0.1]


def test_the_slowest_traces_say_what_made_them_slow() -> None:
    found = analyse([trace(number, Lasting(way=30_000 if number > 990 else 30)) for number in range(1, 1001)])
    assert [(band.low, band.high, band.n) for band in found.bands] == [
        (0.0, 1.0, 1000), (0.0, 0.5, 500), (0.5, 0.9, 400), (0.9, 0.99, 90), (0.99, 1.0, 10),
    ]  # fmt: skip
    assert [means(band)[TO_B] for band in found.bands] == [329.7, 30, 30, 30, 30_000]
    assert (found.bands[-1].from_us, found.bands[-1].to_us) == (30_070, 30_070)


def test_a_band_without_traces_is_not_there() -> None:
    assert [(band.low, band.n) for band in analyse([trace(1)]).bands] == [(0.0, 1), (0.0, 1)]


def test_exemplars_have_ten_traces_beyond_them_and_the_longest_is_always_told() -> None:
    found = analyse([trace(number, Lasting(work=number)) for number in range(1, 101)])
    assert found.exemplars == (
        Exemplar(0.25, f"{25:016x}", 85),
        Exemplar(0.5, f"{50:016x}", 110),
        Exemplar(0.75, f"{75:016x}", 135),
        Exemplar(0.9, f"{90:016x}", 150),
        Exemplar(1.0, f"{100:016x}", 160),
    )


def test_bins_hold_every_trace_once_and_name_one_of_their_own() -> None:
    given_traces = {f"{number:016x}": trace(number, Lasting(work=number**3)) for number in range(1, 200)}
    found = analyse(given_traces.values())
    lasts = {id_: 60 + int(id_, 16) ** 3 for id_ in given_traces}
    assert len(found.bins) <= 60
    assert sum(each.n for each in found.bins) == 199
    assert all(each.from_us <= lasts[each.trace] < each.to_us for each in found.bins)
    assert all(before.to_us <= after.from_us for before, after in zip(found.bins, found.bins[1:], strict=False))


@pytest.mark.parametrize("longest", [2**53 + 1, 2**62, 9_223_372_036_854_740_479, 2**63 - 2, 2**63 - 1])
def test_a_duration_that_no_float_holds_has_a_bin_of_its_own(longest: int) -> None:
    (root, *_) = trace(1)
    found = analyse([[replace(root, duration=longest)], trace(2)])
    pairs = zip(found.bins, (100, longest), strict=True)
    assert [(each.n, each.from_us <= us <= each.to_us) for each, us in pairs] == [(1, True), (1, True)]


def test_failed_traces_are_counted_in_their_bins_too() -> None:
    found = analyse([trace(number, failed=number == 3) for number in range(1, 6)], pool=["failed"])
    assert (found.failed, found.bins[0].failed, found.bins[0].n) == (1, 1, 5)


def cold(number: int, tag: str = "cold") -> list[Span]:
    caller, server, *rest = trace(number, Lasting(before=5000))
    return [caller, replace(server, tags={**server.tags, tag: "true"}), *rest]


MIXED = [*(trace(number) for number in range(1, 21)), cold(21), cold(22, "faas.coldstart"), trace(23, failed=True)]


def test_cold_and_failed_traces_are_counted_and_told_apart() -> None:
    found = analyse(MIXED)
    assert (found.traces, found.cold, found.failed, found.pooled) == (20, 2, 1, ())
    warm = analyse(MIXED[:20])
    assert (found.bands, found.bins, found.hops) == (warm.bands, warm.bins, warm.hops)
    assert (found.durations_us, found.exemplars) == (warm.durations_us, warm.exemplars)
    assert found.cold_us is not None
    assert (found.cold_us.n, found.cold_us.max) == (2, 5080)
    assert found.failed_us is not None
    assert (found.failed_us.n, found.failed_us.max) == (1, 100)


def test_what_is_apart_can_be_pooled_on_purpose() -> None:
    some = analyse(MIXED, pool=["cold"])
    assert (some.traces, some.cold, some.failed, some.pooled) == (22, 2, 1, ("cold",))
    assert analyse(MIXED, pool=["failed", "cold"]).bands[0].n == 23


def test_where_all_traces_are_cold_or_failed_they_are_analysed() -> None:
    found = analyse(MIXED[20:])
    assert (found.traces, found.pooled) == (3, ("cold", "failed"))
    assert analyse(MIXED[22:]).pooled == ("failed",)


def test_a_hop_tells_of_failures_in_all_traces() -> None:
    client, *rest = trace(2)
    broken = [replace(client, tags={**client.tags, "error": "UNAVAILABLE"}), *rest]
    call = next(hop for hop in analyse([trace(1), broken]).hops if hop.via == "call")
    assert (call.n, call.failed) == (1, 1)


def test_messages_that_were_delivered_again_are_counted_and_not_timed() -> None:
    again = [*trace(1), replace(trace(1)[-1], id="e" * 16, timestamp=START + 900)]
    event = next(hop for hop in analyse([again]).hops if hop.via == "event")
    assert (event.n, event.repeated, event.mean_us) == (1, 1, 30)


def test_a_hop_has_parts_that_add_up() -> None:
    found = analyse([trace(1, Lasting(10, 20, 30, 40)), trace(2, Lasting(20, 40, 60, 80))])
    hops = {(hop.source, hop.to, hop.via): hop for hop in found.hops}
    call, event = hops["caller", "a", "call"], hops["a", "b", "event"]
    assert (event.n, event.mean_us, [(part.what, part.mean_us) for part in event.parts]) == (2, 45, [("network", 45)])
    assert call.mean_us == 46
    assert sum(part.mean_us for part in call.parts) == call.mean_us


def test_a_failed_call_is_counted_and_not_timed() -> None:
    client, *rest = trace(1)
    broken = replace(client, tags={**client.tags, "error": "UNAVAILABLE"})
    call = next(hop for hop in analyse([[broken, *rest]]).hops if hop.via == "call")
    assert (call.n, call.failed, call.mean_us, call.parts) == (0, 1, None, ())


def test_a_delivery_before_its_sending_is_counted_and_not_timed_and_the_clocks_are_told() -> None:
    *rest, consumer = trace(1)
    early = replace(consumer, timestamp=(consumer.timestamp or 0) - 5000)
    found = analyse([[*rest, early]])
    event = next(hop for hop in found.hops if hop.via == "event")
    assert (event.n, event.skewed) == (0, 1)
    assert [(each.impossible, {each.one, each.other}) for each in found.skews] == [(1, {"a", "b"})]


def test_traces_are_held_against_the_chain() -> None:
    found = analyse([trace(1), trace(2)[:3]], EDGES)
    assert found.completeness is not None
    assert (found.completeness.traces, found.completeness.complete) == (2, 1)
    assert found.completeness.missing == (MissingEdge("a", "b", "event", 1),)
    fewer = analyse([trace(1)], EDGES[:1]).completeness
    assert fewer is not None
    assert fewer.unknown == (MissingEdge("a", "b", "event", 1),)


def test_without_a_chain_nothing_is_incomplete() -> None:
    assert analyse([trace(1)[1:]]).completeness is None


def test_a_trace_without_a_root_is_in_no_number_but_is_held_against_the_chain() -> None:
    found = analyse([trace(1), trace(2)[1:]], EDGES)
    assert (found.traces, found.spans, found.unusable) == (1, 4, 1)
    assert found.completeness is not None
    assert (found.completeness.traces, found.completeness.complete) == (2, 1)


def test_no_traces_tell_nothing() -> None:
    assert analyse([]) == Analysis(0, 0, 0, None, (), (), (), (), (), None)
    assert analyse([[]]) == analyse([])


@given(many)
@calm
def test_shares_of_every_band_add_up_to_its_whole(traces: Sequence[list[Span]]) -> None:
    found = analyse(traces)
    for band in found.bands:
        assert sums_of(band) == round(band.mean_us * band.n)
        assert sum(Fraction(share.share) for share in band.shares) == pytest.approx(1, abs=1e-12)
    whole, *parts = found.bands
    assert sum(band.n for band in parts) == whole.n
    for label, mean_us in means(whole).items():
        assert sum(round(means(band).get(label, 0) * band.n) for band in parts) == round(mean_us * whole.n)


@given(st.lists(tangled(), max_size=8))
@calm
def test_whatever_the_spans_are_a_band_is_as_long_as_its_traces(traces: Sequence[list[Span]]) -> None:
    found = analyse(traces, pool=APART)
    lasting = [sum(each.duration_us for each in critical_path(spans)) for spans in traces]
    assert found.traces == sum(each > 0 for each in lasting)
    for band in found.bands[:1]:
        assert sums_of(band) == sum(lasting)


@given(many, st.randoms(use_true_random=False))
@calm
def test_the_order_of_traces_and_of_spans_does_not_matter(traces: Sequence[list[Span]], chance: random.Random) -> None:
    shuffled = [chance.sample(spans, len(spans)) for spans in chance.sample(list(traces), len(traces))]
    assert analyse(shuffled, EDGES) == analyse(traces, EDGES)


@given(many, st.integers(0, 60), st.integers(0, 60))
@calm
def test_parts_can_be_put_together_in_any_way(traces: Sequence[list[Span]], one: int, other: int) -> None:
    first, second = sorted((min(one, len(traces)), min(other, len(traces))))
    pieces = traces[:first], traces[first:second], traces[second:]
    a, b, c = map(analysing, pieces)
    a.merge(b)
    a.merge(c)
    x, y, z = map(analysing, pieces)
    y.merge(z)
    x.merge(y)
    assert a.result() == x.result() == analyse(traces, EDGES)


def analysing(traces: Sequence[list[Span]]) -> Analysing:
    found = Analysing(EDGES)
    for spans in traces:
        found.add(spans)
    return found


def test_more_may_be_added_after_somebody_looked() -> None:
    found = analysing([trace(1)])
    assert found.result().traces == 1
    found.add(trace(2))
    assert found.result() == analyse([trace(1), trace(2)], EDGES)


def test_an_id_that_is_no_hex_is_told_as_it_is() -> None:
    strange = [[replace(span, trace=name) for span in trace(1)] for name in ("no hex", "0" * 16 + "a" * 16, "é")]
    told = {analyse([spans]).exemplars[-1].trace for spans in strange}
    assert told == {"no hex", "0" * 16 + "a" * 16, "é"}
    assert analyse(strange).bins == analyse(reversed(strange)).bins


def test_a_trace_leaves_a_few_numbers_behind_and_no_spans() -> None:
    """Four labels of 16 bytes, a duration, an id, three messages: about 150 bytes, and an array's room to grow."""
    few, more = held(1000), held(4000)
    assert (more - few) / 3000 < 400


def held(traces: int) -> int:
    """Bytes of all that an accumulator refers to."""
    found = Analysing()
    for number in range(1, traces + 1):
        found.add(trace(number, Lasting(work=number)))
    waiting, seen = [found], dict[int, object]()
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen[id(each)] = each
        inside = each.items() if isinstance(each, dict) else each if isinstance(each, list | tuple | set) else ()
        waiting += [*inside, *getattr(each, "__dict__", {}).values()]
        waiting += [getattr(each, name) for name in getattr(type(each), "__slots__", ()) if hasattr(each, name)]
    return sum(map(sys.getsizeof, seen.values()))


def test_two_analyses_beside_each_other_begin_with_the_largest_change() -> None:
    before, after = analyse([trace(1)]), analyse([trace(1, Lasting(work=140, there=9))])
    found = change(before, after)
    assert [(each.label, each.one_us, each.other_us) for each in found.segments] == [
        (B, 40, 140), (TO_A, 10, 9), (A, 20, 20), (TO_B, 30, 30),
    ]  # fmt: skip


def test_a_segment_that_one_side_lacks_is_no_zero() -> None:
    found = change(analyse([trace(1)]), analyse([trace(1)[:2]]))
    gone = {each.label: each.other_us for each in found.segments if each.other_us is None}
    assert gone == {TO_B: None, B: None}


def test_times_are_since_the_epoch_and_do_not_wear_the_sums_out() -> None:
    far = [replace(span, timestamp=2**62 + (span.timestamp or 0) - START) for span in trace(1)]
    assert analyse([far]).bands == analyse([trace(1)]).bands


def beside(number: int, *branches: tuple[int, int]) -> list[Span]:
    """A caller's call of a, which calls b once for each of `branches`: from, to."""

    def one(id_: int, parent: int | None, who: str, kind: Kind, message: str, start: int, end: int) -> Span:
        return Span(
            *(f"{number:016x}", f"{id_:016x}", "say", who, None if parent is None else f"{parent:016x}", kind),
            timestamp=START + start,
            duration=end - start,
            tags={MESSAGE_TAG: message},
        )

    spans = [one(1, None, "caller", "CLIENT", "m", 0, 1000), one(2, 1, "a", "SERVER", "m", 0, 1000)]
    for at, (start, end) in enumerate(branches):
        spans.append(one(10 + 2 * at, 2, "a", "CLIENT", f"m{at}", start, end))
        spans.append(one(11 + 2 * at, 10 + 2 * at, "b", "SERVER", f"m{at}", start, end))
    return spans


APARTLY = {1: [(0, 100), (0, 100)], 2: [(0, 100), (50, 150)], 3: [(0, 100), (100, 200)], 4: [(0, 100), (0, 100)] * 2}


def test_what_was_sent_several_times_is_told_by_its_median_and_its_worst() -> None:
    (found,) = analyse([beside(number, *branches) for number, branches in APARTLY.items()]).fans
    assert found == FanSpread(
        *("a", "b", "call", 4),
        branches=Extent(2, 2.0, 4),
        at_once=Extent(1, 2.0, 4),
        share=Extent(0.0, 0.75, 1.0),
        wall_us=Extent(100, 125.0, 200),
        slowest_us=Extent(100, 100.0, 100),
        stretch=Extent(1.0, 1.25, 2.0),
        trace=f"{3:016x}",
    )


def test_two_who_took_halves_tell_of_branches_what_one_tells() -> None:
    made = [beside(number, *branches) for number, branches in APARTLY.items()]
    halves = Analysing(), Analysing()
    for at, spans in enumerate(made):
        halves[at % 2].add(spans)
    halves[1].merge(halves[0])
    assert halves[1].result().fans == analyse(made).fans


def test_several_edges_are_told_together_and_a_chain_has_no_branches() -> None:
    (found,) = analyse([healthy(DIAMOND, 1).spans]).fans
    assert (found.source, found.to, found.via, found.branches) == ("a", None, None, Extent(2, 2.0, 2))
    assert analyse([trace(1)]).fans == ()
    assert analyse([scattered(16, 16, 16).spans]).fans[0].at_once.most == 16
