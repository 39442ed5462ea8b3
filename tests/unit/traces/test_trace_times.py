from __future__ import annotations

import dataclasses
import itertools

from hypothesis import given

from tests.unit.traces.made import calls, calm, hop_times, span, tangled
from toolkit.traces import tree
from toolkit.traces.anatomy import anatomy
from toolkit.traces.critical import UNATTRIBUTED, critical_path
from toolkit.traces.model import Span

CHAIN = [
    span(1, "caller", "CLIENT", message="c", start=1000, duration=5000),
    span(2, "producer", "SERVER", 1, message="c", start=1400, duration=4200),
    span(3, "producer", "CLIENT", 2, message="m1", start=2000, duration=1500),
    span(4, "consumer", "SERVER", 3, message="m1", start=2300, duration=900),
    span(5, "producer", "PRODUCER", 2, message="m2", start=4000, duration=1000),
    span(6, "sink", "CONSUMER", 5, message="m2", start=9000, duration=800),
]


def labelled(spans: list[Span]) -> list[tuple[str, int]]:
    return [(each.label, each.duration_us) for each in critical_path(spans)]


def test_a_call_takes_as_long_as_its_client_saw_and_an_event_until_its_consumer_began() -> None:
    assert hop_times(CHAIN, CHAIN) == {
        ("caller", "producer", "call"): [5000, 5000],
        ("producer", "consumer", "call"): [1500, 1500],
        ("producer", "sink", "event"): [5000, 5000],
    }


def test_no_spans_have_no_hops() -> None:
    assert hop_times() == hop_times([]) == {}


def test_a_failed_call_is_not_a_latency() -> None:
    failed = dataclasses.replace(CHAIN[2], tags={**CHAIN[2].tags, "error": ""})
    assert hop_times([failed, CHAIN[3]]) == {}


def test_a_call_whose_server_left_no_span_goes_to_whom_the_client_named() -> None:
    lonely = dataclasses.replace(CHAIN[2], remote="db")
    assert hop_times([lonely]) == {("producer", "db", "call"): [1500]}
    assert hop_times([CHAIN[2]]) == {("producer", "?", "call"): [1500]}


def test_only_the_first_delivery_of_a_message_to_a_function_counts() -> None:
    again = dataclasses.replace(CHAIN[5], id="7" * 16, timestamp=90_000)
    other = dataclasses.replace(CHAIN[5], id="8" * 16, service="audit", timestamp=4500)
    found = hop_times([CHAIN[4], again, CHAIN[5], other])
    assert found == {("producer", "audit", "event"): [500], ("producer", "sink", "event"): [5000]}


def test_a_delivery_before_its_sending_is_skewed_and_not_fast() -> None:
    early = dataclasses.replace(CHAIN[5], timestamp=3000)
    (found,) = anatomy([CHAIN[4], early])
    assert (found.skewed, found.timed, found.duration_us) == (True, False, -1000)


def test_a_reply_counts_from_the_producer_its_event_names() -> None:
    elsewhere = dataclasses.replace(CHAIN[4], id="a" * 16, timestamp=8000)
    origin = {"toolkit.message": "m2", "cloudevents.traceparent": f"00-{CHAIN[0].trace}-{'a' * 16}-01"}
    reply = dataclasses.replace(CHAIN[5], parent="9" * 16, tags=origin)
    assert hop_times([CHAIN[4], elsewhere, reply]) == {("producer", "sink", "event"): [1000]}


def test_spans_without_a_message_or_a_time_are_not_measured() -> None:
    untold, untimed = span(1, "a", "CLIENT"), span(2, "a", "CLIENT", message="m", start=None, remote="b")
    assert hop_times([untold, untimed]) == {}


def test_the_critical_path_of_a_chain_is_told_segment_by_segment() -> None:
    assert labelled(CHAIN) == [
        ("caller → producer (call)", 400),
        ("producer", 600),
        ("producer → consumer (call)", 300),
        ("consumer", 900),
        ("producer → consumer (call)", 300),
        ("producer", 500),
        ("producer → sink (event)", 5000),
        ("sink", 800),
    ]


def test_of_two_calls_side_by_side_the_later_one_is_on_the_path() -> None:
    spans = [
        span(1, "front", "SERVER", start=1, duration=100),
        span(2, "quick", None, 1, start=11, duration=20),
        span(3, "slow", None, 1, start=11, duration=80),
    ]
    assert labelled(spans) == [("front", 10), ("slow", 80), ("front", 10)]


def test_an_event_that_is_done_before_the_answer_is_not_on_the_path() -> None:
    soon = [*CHAIN[:5], dataclasses.replace(CHAIN[5], timestamp=4100, duration=100)]
    assert labelled(soon)[-3:] == [("producer → ? (event)", 800), ("producer", 600), ("caller → producer (call)", 400)]


def test_time_between_a_span_and_what_it_left_behind_is_unattributed() -> None:
    spans = [span(1, "a", "SERVER", start=1, duration=10), span(2, "a", None, 1, start=31, duration=10)]
    assert labelled(spans) == [("a", 10), (UNATTRIBUTED, 20), ("a", 10)]


def test_without_a_root_that_has_times_there_is_no_path() -> None:
    assert critical_path([]) == []
    assert critical_path([span(2, "a", "SERVER", 1)]) == []
    assert critical_path([span(1, "a", "SERVER", duration=None)]) == []


@calm
@given(tangled())
def test_segments_never_overlap_and_fill_the_time_from_the_root_to_the_end(spans: list[Span]) -> None:
    path = critical_path(spans)
    assert all(one.end == other.start for one, other in itertools.pairwise(path))
    assert all(each.start < each.end for each in path)
    if path:
        timed = [each for each in tree.merge(spans) if each.timestamp and each.duration]
        assert path[-1].end <= (tree.ended(timed) or 0)


@calm
@given(tangled())
def test_hops_of_anything_are_times_that_are_not_negative(spans: list[Span]) -> None:
    assert all(each >= 0 for times in hop_times(spans).values() for each in times)


def test_the_spans_of_a_played_chain_have_its_edges() -> None:
    assert list(hop_times(calls().spans)) == [
        ("caller", "producer", "call"),
        ("producer", "consumer", "call"),
    ]


def test_a_reply_event_comes_from_the_function_that_replied_though_it_hangs_where_the_first_event_began() -> None:
    origin = f"00-{'a' * 32}-{4:016x}-01"
    spans = [
        span(1, "front", "SERVER", start=1, duration=10),
        span(2, "front", "PRODUCER", 1, start=5, duration=5),
        span(3, "middle", "CONSUMER", 2, start=20, duration=10),
        span(4, "middle", "PRODUCER", 3, start=29, duration=1),
        span(5, "last", "CONSUMER", 2, start=40, duration=10, tags={"cloudevents.traceparent": origin}),
    ]
    assert ("middle → last (event)", 11) in labelled(spans)  # from its publishing on, as any event
    assert not any(label == "front → last (event)" for label, _ in labelled(spans))
