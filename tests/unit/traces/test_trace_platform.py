"""Spans that a real Knative cluster exported (Broker on in-memory channels, an ingress that does not trace).

`eeee…` is one event through the broker to three triggers, of which one reaches the function `tsink`; `c01d…` is one
cold request to the function `tcold`. The functions did not trace; what they would have added is put in here.
"""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from pathlib import Path

from tests.unit.traces.made import Played, hop_times
from tests.unit.traces.recorded import COLD, EVENT
from toolkit.report.folding import fold
from toolkit.report.waterfall import render
from toolkit.traces import zipkin
from toolkit.traces.critical import critical_path
from toolkit.traces.expect import MESSAGE_TAG, expect
from toolkit.traces.match import match
from toolkit.traces.model import Span
from toolkit.traces.passages import passages
from toolkit.traces.platform import is_platform, part

PRODUCER = "3333333333333333"  # the parent that the event was sent with
INGRESS_TO_FUNCTION = "7470b12ded61f660"  # broker.filter's request to the function
ACTIVATED = "09e117e9d79f0576"  # the activator's parent, which Kourier did not export
DELIVERED = "2f52b54c10ae216b"  # queue-proxy's request to the function's container


def evented() -> tuple[Played, list[Span]]:
    """The chain's own spans and receipts of the event, and all spans of its trace."""
    played = Played()
    message, out = played.emit(played.enter("producer"))
    played.deliver(message, out, "tsink")
    first = min(each.timestamp or 0 for each in EVENT)
    moved = []
    for at, each in enumerate(played.spans):
        placed = dataclasses.replace(each, trace="e" * 32, timestamp=first - 1000 + at * 10, duration=900)
        if each.kind == "PRODUCER":
            placed = dataclasses.replace(placed, id=PRODUCER)
        if each.kind == "CONSUMER":
            delivered = next(span for span in EVENT if span.id == DELIVERED)
            placed = dataclasses.replace(placed, parent=DELIVERED, timestamp=(delivered.timestamp or 0) + 200)
        moved.append(placed)
    return played, [*EVENT, *moved]


def test_the_recording_is_what_it_says() -> None:
    assert (len(EVENT), len(COLD)) == (30, 8)
    assert sum(is_platform(span) for span in EVENT + COLD) == 38


def test_the_broker_and_queue_proxy_are_seen_through_up_to_the_gap_that_the_ingress_left() -> None:
    played, spans = evented()
    found = match(spans, expect(played.receipts, "c" * 32))
    assert found.ok, found.problems
    assert (found.expected, found.matched) == (4, 4)
    (unproven,) = found.unproven
    assert unproven.startswith("unproven: the way up from CONSUMER of tsink")
    assert unproven.endswith("ends at SERVER of activator named 'post' (span b4249e4b746e28d1)")


def test_with_the_ingress_in_the_trace_the_way_is_proven() -> None:
    played, spans = evented()
    envoy = dataclasses.replace(EVENT[0], id=ACTIVATED, parent=INGRESS_TO_FUNCTION, service="kourier", tags={})
    found = match([*spans, envoy], expect(played.receipts, "c" * 32))
    assert (found.problems, found.unproven) == ((), ())


def test_an_event_that_reached_the_function_behind_another_message_is_misplaced() -> None:
    played, spans = evented()
    elsewhere = dataclasses.replace(EVENT[0], id=ACTIVATED, parent=f"{2:016x}", service="kourier", tags={})
    found = match([*spans, elsewhere], expect(played.receipts, "c" * 32))
    assert len(found.misplaced) == 1
    assert not found.ok


def test_a_cold_call_is_below_queue_proxys_request_and_not_taken_for_it() -> None:
    played = Played()
    played.enter("tcold")
    root, served = (dataclasses.replace(each, trace="c01d" * 8) for each in played.spans)
    edge = next(each for each in COLD if each.service == "activator" and each.kind == "SERVER")
    inside = next(each for each in COLD if each.service == "tcold" and each.kind == "CLIENT")
    spans = [
        dataclasses.replace(root, id=edge.parent or ""),
        dataclasses.replace(served, parent=inside.id),
        *COLD,
    ]
    found = match(spans, expect(played.receipts, "c" * 32), services=["tcold"])
    assert (found.problems, found.unproven) == ((), ())


def test_the_cold_start_is_where_the_time_went() -> None:
    edge = next(each for each in COLD if each.kind == "SERVER" and each.service == "activator")
    whole = [dataclasses.replace(edge, parent=None), *(each for each in COLD if each is not edge)]
    longest = max(critical_path(whole), key=lambda segment: segment.duration_us)
    assert longest.label == "activator (platform)"
    assert longest.duration_us > 1_200_000


def test_the_delivery_through_the_broker_has_a_time() -> None:
    _, spans = evented()
    (took,) = hop_times(spans)["producer", "tsink", "event"]
    assert 20_000 < took < 40_000


def test_the_whole_of_it_is_shown() -> None:
    _, spans = evented()
    lines = render(spans, width=120).splitlines()
    assert len(lines) == 1 + 34
    assert lines[0].startswith(f"trace {'e' * 32} · 34 spans · 7 services")


def test_a_call_of_chained_mixed_on_a_real_cluster_is_whole_from_end_to_end() -> None:
    """`cluster-trace.json`: functions, Kourier's Envoy and all of Knative 1.23 tracing into the embedded store."""
    spans = zipkin.decode((Path(__file__).parent / "cluster-trace.json").read_bytes())
    call = ("gateway", "activator", "queue-proxy")
    event = ("broker ingress", "channel dispatcher", "broker filter", *call)
    assert [(each.source, each.to, each.via, each.parts, each.whole) for each in passages(spans)] == [
        ("caller", "producer", "call", call, True),
        ("producer", "publisher", "call", call, True),
        ("publisher", "subscriber", "event", event, True),
        ("subscriber", "consumer", "call", call, True),
    ]
    assert sorted(hop_times(spans)) == [
        ("caller", "producer", "call"),
        ("producer", "publisher", "call"),
        ("publisher", "subscriber", "event"),
        ("subscriber", "consumer", "call"),
    ]
    assert all(part(each) for each in spans if MESSAGE_TAG not in each.tags)
    path = critical_path(spans)
    assert all(one.end == other.start for one, other in pairwise(path))
    labels = {each.label for each in path}
    assert labels >= {"producer", "publisher", "gateway (platform)"}
    assert not labels & {"subscriber", "consumer", "unattributed"}  # the caller's answer came after them, not by them
    answered = [dataclasses.replace(each, duration=22_500) if each.parent is None else each for each in spans]
    labels = {each.label for each in critical_path(answered)}
    assert labels >= {"producer", "publisher", "publisher → subscriber (event)", "subscriber", "consumer"}
    assert "unattributed" not in labels
    assert len(spans) == 53
    assert len(fold(spans)) == 23
