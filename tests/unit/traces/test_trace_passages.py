"""The ways of messages through the platform: gaps, repetitions, replies, and traces that make no sense."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter

from hypothesis import given

from tests.unit.checks.simulation import EVENT_PAIR, FAN_OUT, Run, healthy
from tests.unit.traces.composite import on_a_cluster
from tests.unit.traces.made import calm, span, tangled
from toolkit.traces import tree, view
from toolkit.traces.critical import critical_path
from toolkit.traces.expect import MESSAGE_TAG
from toolkit.traces.model import Span
from toolkit.traces.passages import Passage, joined, nested, passages
from toolkit.traces.platform import is_platform

QUEUE_PROXY = {"container.name": "queue-proxy"}


def chain() -> list[Span]:
    """caller calls a, through the activator, of which the ingress said nothing."""
    return [
        span(1, "caller", "CLIENT", message="m", start=100, duration=900),
        span(2, "activator", "SERVER", 77, start=200, duration=700),
        span(3, "a", "SERVER", 2, start=300, duration=500, tags=QUEUE_PROXY),
        span(4, "a", "SERVER", 3, message="m", start=400, duration=300),
    ]


def broker(*receivers: tuple[int, str, int]) -> list[Span]:
    """An event from `a` that a filter sent to receivers (number, host, start), each of which answers behind a gap."""
    spans = [
        span(1, "a", "PRODUCER", message="m", start=100, duration=900),
        span(2, "broker.filter", "SERVER", 1, start=110, duration=880),
    ]
    for number, host, start in receivers:
        spans += [
            span(number, "broker.filter", None, 2, name=f"send http://{host}.ns.svc", start=start, duration=300),
            span(number + 1, "broker.filter", "CLIENT", number, start=start + 1, duration=298),
            span(number + 2, host, "SERVER", 900 + number, start=start + 10, duration=200, tags=QUEUE_PROXY),
            span(number + 3, host, "CONSUMER", number + 2, message="m", start=start + 20, duration=100),
        ]
    return spans


def above(spans: list[Span], number: int) -> int:
    (found,) = [each.parent for each in spans if each.id == f"{number:016x}"]
    return int(found or "0", 16)


def test_a_call_behind_a_silent_ingress_is_below_its_sender() -> None:
    assert passages(chain()) == [Passage("caller", "a", "call", "m", ("activator", "queue-proxy"), whole=False)]
    assert above(joined(chain()), 2) == 1


def test_with_nothing_left_out_the_way_is_whole() -> None:
    spans = [*chain(), span(77, "kourier", "SERVER", 1, start=150, duration=800)]
    (way,) = passages(spans)
    assert (way.parts, way.whole) == (("gateway", "activator", "queue-proxy"), True)
    assert joined(spans) == tree.merge(spans)


def test_a_way_without_the_platform_has_no_parts() -> None:
    (way,) = passages([span(1, "a", "CLIENT", message="m"), span(2, "b", "SERVER", 1, message="m")])
    assert way == Passage("a", "b", "call", "m", (), whole=True)


def test_a_message_whose_sender_told_nothing_has_no_source() -> None:
    (way,) = passages(chain()[1:])
    assert (way.source, way.parts, way.whole) == (None, ("activator", "queue-proxy"), False)


def test_each_gap_is_closed_at_the_request_to_that_host_though_both_went_out_at_once() -> None:
    spans = joined(broker((10, "b", 200), (20, "c", 201)))
    assert (above(spans, 12), above(spans, 22)) == (11, 21)
    spans = joined(broker((10, "b", 201), (20, "c", 200)))
    assert (above(spans, 12), above(spans, 22)) == (11, 21)


def test_a_second_attempt_is_behind_the_second_request() -> None:
    spans = joined(broker((10, "b", 200), (20, "b", 600)))
    assert (above(spans, 12), above(spans, 22)) == (11, 21)


def test_without_a_host_the_request_that_was_open_is_taken() -> None:
    spans = [dataclasses.replace(each, name="work") for each in broker((10, "b", 200), (20, "c", 600))]
    assert (above(joined(spans), 12), above(joined(spans), 22)) == (11, 21)


def test_a_host_whose_name_only_begins_like_the_functions_is_another() -> None:
    assert above(joined(broker((10, "b", 200), (20, "b2", 150))), 12) == 11


def test_an_orphan_of_the_platform_that_leads_to_no_function_stays_one() -> None:
    probe = span(5, "activator", "SERVER", 66)
    spans = [span(1, "caller", "CLIENT", message="m"), probe]
    assert above(joined(spans), 5) == 66
    assert passages(spans) == []


def test_a_function_behind_a_gap_hangs_below_whoever_sent_its_message_and_its_way_is_not_whole() -> None:
    spans = [*chain()[:3], dataclasses.replace(chain()[3], parent="9" * 16)]
    assert above(joined(spans), 4) == 1
    (way,) = passages(spans)
    assert (way.source, way.to, way.whole) == ("caller", chain()[3].service, False)


def test_a_function_whose_message_nobody_sent_is_never_moved() -> None:
    alone = dataclasses.replace(chain()[3], parent="9" * 16, tags={"toolkit.message": "another"})
    assert above(joined([*chain()[:3], alone]), 4) == int("9" * 16, 16)


def test_the_shorter_of_two_spans_about_one_request_hangs_below_the_longer() -> None:
    outer = span(2, "broker.ingress", "SERVER", 1, start=100, duration=100)
    inner = span(3, "broker.ingress", "SERVER", 1, start=101, duration=98)
    below = span(4, "broker.ingress", None, 3, start=110, duration=50)
    spans = [span(1, "a", "PRODUCER", message="m", start=90, duration=200), outer, inner, below]
    assert above(nested(spans), 3) == 2
    later = [*spans[:2], dataclasses.replace(inner, timestamp=300), dataclasses.replace(below, timestamp=310)]
    assert above(nested(later), 3) == 1


def test_a_reply_is_told_with_the_function_that_replied() -> None:
    reply = [
        span(8, "b", "PRODUCER", 13, message="r", start=250, duration=1),
        span(30, "c", "CONSUMER", 2, message="r", start=700, duration=10),
    ]
    ways = {(each.source, each.to): each for each in passages([*broker((10, "b", 200)), *reply])}
    assert ways["b", "c"].parts == ("broker filter",)


def hurried(run: Run) -> Run:
    """As with a channel that answers before it has delivered: all that waited for it is done at once."""
    arranged = tree.build(run.spans)
    at, channel = next(
        (at, each)
        for at, each in enumerate(arranged.spans)
        if each.service == "inmemorychannel-dispatcher" and each.kind == "SERVER"
    )
    accepted = (channel.timestamp or 0) + 900
    waiting = {arranged.spans[each].id for each in (at, *arranged.ancestors(at))}
    return dataclasses.replace(
        run,
        spans=[
            dataclasses.replace(each, duration=accepted - (each.timestamp or 0))
            if each.id in waiting or each.service == "broker.ingress"
            else each
            for each in run.spans
        ],
    )


def test_an_asynchronous_channel_leaves_the_time_until_delivery_on_the_events_way() -> None:
    run = hurried(on_a_cluster(healthy(EVENT_PAIR, 1), gateway=True))
    path = critical_path(run.spans)
    assert all(one.end == other.start for one, other in itertools.pairwise(path))
    times: Counter[str] = Counter()
    for each in path:
        times[each.label] += each.duration_us
    assert times["a → b (event)"] > 1000
    assert times["b"] > 0
    assert "unattributed" not in times


def test_every_receiver_of_an_event_has_its_own_way() -> None:
    run = on_a_cluster(healthy(FAN_OUT, 1))
    assert Counter((each.to, each.via) for each in passages(run.spans)) == {
        ("a", "call"): 1, ("b", "event"): 1, ("c", "event"): 1, ("d", "call"): 1,
    }  # fmt: skip


def test_a_very_deep_platform_is_no_trouble() -> None:
    deep = [span(n, "activator", "SERVER", n - 1 or None, start=n, duration=50_000 - 2 * n) for n in range(2, 10_000)]
    spans = [span(1, "caller", "CLIENT", message="m", start=1, duration=50_000), *deep]
    spans.append(span(10_000, "a", "SERVER", 9_999, message="m", start=10_000, duration=10))
    (way,) = passages(spans)
    assert (way.parts, way.whole) == (("activator",), True)
    assert sum(each.duration_us for each in critical_path(spans)) == 50_000


@calm
@given(tangled())
def test_joining_moves_the_platforms_spans_and_what_is_behind_its_gaps_alone(spans: list[Span]) -> None:
    own = {each.service for each in spans if each.service and MESSAGE_TAG in each.tags}
    there = {each.id for each in spans}
    if not any(is_platform(each, own) or (each.parent and each.parent not in there) for each in spans):
        assert joined(spans) == spans
        return
    seen = view.of(spans)  # halves and repetitions joined
    pairs = list(zip(seen.spans, joined(spans), strict=True))
    assert all(one.id == other.id for one, other in pairs)
    own = {each.service for each in seen.spans if each.service and MESSAGE_TAG in each.tags}
    orphans = {seen.spans[at].id for at in seen.tree.orphans if MESSAGE_TAG in seen.spans[at].tags}
    assert all(one == other or is_platform(one, own) or one.id in orphans for one, other in pairs)


@calm
@given(tangled())
def test_there_is_one_way_for_each_message_that_was_received(spans: list[Span]) -> None:
    for way in passages(spans):
        assert way.via in ("call", "event")
        assert len(set(way.parts)) == len(way.parts)
