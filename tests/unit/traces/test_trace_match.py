from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.traces.made import CALL, TRACE, Played, calls, calm, events, mixed, span, tangled
from toolkit.contract import child_id
from toolkit.traces.expect import expect
from toolkit.traces.match import Match, match
from toolkit.traces.model import Span
from toolkit.traces.platform import is_platform

STORIES = [calls, events, mixed]


def judged(played: Played, spans: Iterable[Span] | None = None) -> Match:
    return match(played.spans if spans is None else spans, expect(played.receipts, CALL))


def red(found: Match) -> set[str]:
    """Which kinds of fault were found."""
    return {name for name in ("missing", "unexpected", "misplaced", "mistaken", "orphans") if getattr(found, name)}


def without(played: Played, service: str, kind: str) -> list[Span]:
    left = [each for each in played.spans if (each.service, each.kind) != (service, kind)]
    assert len(left) < len(played.spans)
    return left


def changed(played: Played, service: str, kind: str, change: Callable[[Span], Span]) -> list[Span]:
    at = next(i for i, each in enumerate(played.spans) if (each.service, each.kind) == (service, kind))
    return [*played.spans[:at], change(played.spans[at]), *played.spans[at + 1 :]]


@pytest.mark.parametrize("story", STORIES)
def test_a_trace_that_shows_what_happened_is_right(story: Callable[[], Played]) -> None:
    played = story()
    found = judged(played)
    assert found.ok, found.problems
    assert found.expected == found.matched == len(played.spans)


@pytest.mark.parametrize("story", STORIES)
def test_the_order_in_which_spans_and_receipts_arrive_does_not_matter(story: Callable[[], Played]) -> None:
    played = story()
    assert match(reversed(played.spans), expect(played.receipts[::-1], CALL)).ok


@pytest.mark.parametrize("story", STORIES)
def test_every_single_missing_span_is_noticed(story: Callable[[], Played]) -> None:
    played = story()
    for lost in played.spans:
        found = judged(played, [each for each in played.spans if each is not lost])
        assert len(found.missing) == 1
        assert str(lost.service) in found.missing[0]
        assert str(lost.tags["toolkit.message"]) in found.missing[0]


@pytest.mark.parametrize("story", STORIES)
def test_every_single_wrong_parent_is_noticed(story: Callable[[], Played]) -> None:
    played = story()
    for moved in played.spans[1:]:
        for above in played.spans:
            if above.id in (moved.id, moved.parent):
                continue
            elsewhere = dataclasses.replace(moved, parent=above.id)
            assert not judged(played, [elsewhere if each is moved else each for each in played.spans]).ok


@pytest.mark.parametrize("story", STORIES)
def test_every_single_span_that_nothing_explains_is_noticed(story: Callable[[], Played]) -> None:
    played = story()
    for explained in played.spans[1:]:
        extra = dataclasses.replace(explained, id="f" * 16)
        assert red(judged(played, [*played.spans, extra])) >= {"unexpected"}


def test_an_empty_trace_lacks_everything() -> None:
    found = judged(calls(), [])
    assert (len(found.missing), found.matched, found.expected) == (4, 0, 4)


def test_a_missing_hop_is_named() -> None:
    played = calls()
    message = child_id(CALL, "producer", 0)
    found = judged(played, without(played, "consumer", "SERVER"))
    assert found.problems == (f"missing: SERVER of consumer for message {message}",)


def test_a_wrong_parent_is_named_with_the_right_one() -> None:
    played = calls()
    root = played.spans[0]
    found = judged(
        played, changed(played, "consumer", "SERVER", lambda each: dataclasses.replace(each, parent=root.id))
    )
    message = child_id(CALL, "producer", 0)
    assert found.problems == (
        f"misplaced: SERVER of consumer for message {message} is below CLIENT of caller for message {CALL}, "
        f"not below CLIENT of producer for message {message}",
    )


def test_a_span_in_a_place_of_its_own_is_a_root_in_the_wrong_place() -> None:
    played = calls()
    found = judged(played, changed(played, "consumer", "SERVER", lambda each: dataclasses.replace(each, parent=None)))
    assert red(found) == {"misplaced"}
    assert "is a root, not below CLIENT of producer" in found.misplaced[0]


def test_a_wrong_kind_is_one_mistake_and_not_two() -> None:
    played = calls()
    found = judged(
        played, changed(played, "consumer", "SERVER", lambda each: dataclasses.replace(each, kind="CONSUMER"))
    )
    assert red(found) == {"mistaken"}
    assert "wanted SERVER of consumer" in found.mistaken[0]
    assert "got CONSUMER of consumer" in found.mistaken[0]


def test_a_span_that_lost_its_kind_is_a_mistake() -> None:
    played = calls()
    found = judged(played, changed(played, "consumer", "SERVER", lambda each: dataclasses.replace(each, kind=None)))
    assert found.mistaken[0].endswith("got no kind of consumer")


def test_a_wrong_service_is_one_mistake_and_not_two() -> None:
    played = calls()
    found = judged(played, changed(played, "consumer", "SERVER", lambda each: dataclasses.replace(each, service="imp")))
    assert red(found) == {"mistaken"}
    assert found.mistaken[0].endswith("got SERVER of imp")


def test_a_span_that_nothing_explains_is_named() -> None:
    played = calls()
    found = judged(played, [*played.spans, span(99, "consumer", "CLIENT", 4, name="sneaky")])
    assert found.problems == ("unexpected: CLIENT of consumer named 'sneaky' (span 0000000000000063)",)


def test_a_function_of_the_chain_that_should_not_have_run_is_unexpected() -> None:
    played = calls()
    stray = [*played.spans, span(99, "idle", "SERVER", 3)]
    assert match(stray, expect(played.receipts, CALL)).ok
    assert red(match(stray, expect(played.receipts, CALL), services=["Idle"])) == {"unexpected"}


def test_a_message_that_nobody_told_of_is_unexpected_whoever_handled_it() -> None:
    played = calls()
    assert red(judged(played, [*played.spans, span(99, "stranger", "CONSUMER", 3, message="m")])) == {"unexpected"}


def test_an_orphan_is_named_with_the_parent_it_lacks() -> None:
    played = calls()
    lost = changed(played, "producer", "SERVER", lambda each: dataclasses.replace(each, parent="e" * 16))
    found = judged(played, lost)
    assert found.problems == (
        f"orphan: SERVER of producer for message {CALL} (span 0000000000000002) "
        f"has a parent ({'e' * 16}) that is not in the trace",
    )


def test_an_inner_span_with_a_missing_parent_is_an_orphan_too() -> None:
    played = calls()
    assert red(judged(played, [*played.spans, span(99, "consumer", None, 77)])) == {"orphans"}


def test_an_orphan_of_the_platform_is_not_the_chains_fault() -> None:
    played = calls()
    assert judged(played, [*played.spans, span(99, "activator", "SERVER", 77)]).ok


def test_the_root_may_have_a_parent_that_is_not_ours() -> None:
    played = calls()
    assert judged(
        played, changed(played, "caller", "CLIENT", lambda each: dataclasses.replace(each, parent="9" * 16))
    ).ok


def test_the_callers_span_needs_no_message() -> None:
    played = calls()
    assert judged(played, changed(played, "caller", "CLIENT", lambda each: dataclasses.replace(each, tags={}))).ok


def test_inner_spans_of_a_function_are_seen_through() -> None:
    played = calls()
    inner = span(99, "producer", None, 2)
    sent = next(each for each in played.spans if (each.service, each.kind) == ("producer", "CLIENT"))
    moved = dataclasses.replace(sent, parent=inner.id)
    assert judged(played, [inner, *(moved if each is sent else each for each in played.spans)]).ok


def test_spans_of_the_platform_may_stand_between_an_event_and_its_delivery() -> None:
    played = Played()
    message, out = played.emit(played.enter("producer"))
    between = played.through_platform(out, "broker.ingress", "inmemorychannel-dispatcher", "broker.filter")
    played.deliver(message, between, "consumer")
    assert judged(played).ok


def test_queue_proxy_speaks_under_the_functions_name_and_is_not_taken_for_it() -> None:
    played = calls()
    proxies = [
        span(91, "consumer", "SERVER", 3, name="post", tags={"container.name": "queue-proxy"}),
        span(92, "consumer", None, 91, name="kn.queueproxy.proxy"),
        span(93, "consumer", "CLIENT", 92, name="http post", tags={"otel.scope.name": "knative.dev/serving/pkg/queue"}),
    ]
    served = played.spans[3]
    behind = dataclasses.replace(served, parent=proxies[-1].id)
    spans = [*proxies, *(behind if each is served else each for each in played.spans)]
    assert [is_platform(each) for each in spans] == [True, True, True, False, False, False, False]
    assert judged(played, spans).ok


def test_a_gap_that_the_platform_left_is_said_and_proves_nothing() -> None:
    played = calls()
    entered = played.spans[1]
    activator = span(91, "activator", "SERVER", 77)
    behind = dataclasses.replace(entered, parent=activator.id)
    found = judged(played, [activator, *(behind if each is entered else each for each in played.spans)])
    assert found.ok
    assert found.unproven == (
        f"unproven: the way up from SERVER of producer for message {CALL} ends at "
        "SERVER of activator named 'work' (span 000000000000005b)",
    )


def test_an_event_delivered_twice_has_two_consumer_spans_if_both_left_a_receipt() -> None:
    played = Played()
    message, out = played.emit(played.enter("producer"))
    played.deliver(message, out, "consumer")
    played.deliver(message, out, "consumer")
    assert judged(played).ok
    assert red(judged(played, played.spans[:-1])) == {"missing"}
    told_once = match(played.spans, expect(played.receipts[:-1], CALL))
    assert told_once.problems == (
        f"unexpected: CONSUMER of consumer for message {message} is there 2 times, 1 was expected",
    )


def test_what_a_twice_delivered_event_sets_off_is_there_twice() -> None:
    played = Played()
    message, out = played.emit(played.enter("producer"))
    for _ in range(2):
        played.call(played.deliver(message, out, "consumer"), "sink")
    found = judged(played)
    assert found.ok, found.problems
    assert found.expected == 3 + 2 + 2 + 2


def test_a_failed_call_that_nobody_served_has_a_client_span_alone() -> None:
    played = Played()
    played.call(played.enter("producer"), "consumer", accepted=False, served=False)
    assert judged(played).ok


def test_a_failed_call_may_have_been_served_without_a_receipt() -> None:
    played = Played()
    out = played.call(played.enter("producer"), "consumer", accepted=False, served=False)
    server = span(99, "consumer", "SERVER", int(out.id, 16), message=out.tags["toolkit.message"])
    assert judged(played, [*played.spans, server]).ok
    assert red(judged(played, [*played.spans, server, dataclasses.replace(server, id="9" * 16)])) == {"unexpected"}


def test_an_accepted_call_was_served_even_if_its_receipt_is_missing() -> None:
    played = calls()
    assert match(played.spans, expect(played.receipts[:1], CALL)).ok
    assert red(match(played.spans[:3], expect(played.receipts[:1], CALL))) == {"missing"}


def test_a_reply_is_proven_by_the_origin_that_its_event_carries() -> None:
    played = Played()
    message, out = played.emit(played.enter("producer"))
    replying = played.deliver(message, out, "consumer")
    reply, replied = played.emit(replying)
    origin = {"cloudevents.traceparent": f"00-{TRACE}-{replied.id}-03"}
    played.deliver(reply, out, "listener", origin)  # the broker goes on in the context of the first event
    assert judged(played).ok
    assert red(judged(played, changed(played, "listener", "CONSUMER", forget_origin))) == {"misplaced"}


def forget_origin(each: Span) -> Span:
    return dataclasses.replace(each, tags={"toolkit.message": each.tags["toolkit.message"]})


def test_a_reply_whose_deliverer_is_not_in_the_trace_is_no_orphan_when_its_origin_is() -> None:
    played = Played()
    message, out = played.emit(played.enter("producer"))
    reply, replied = played.emit(played.deliver(message, out, "consumer"))
    origin = {"cloudevents.traceparent": f"00-{TRACE}-{replied.id}-01"}
    played.deliver(reply, span(88), "listener", origin)
    assert judged(played).ok
    lying = {**origin, "cloudevents.traceparent": f"00-{TRACE}-{out.id}-01"}
    spans = changed(played, "listener", "CONSUMER", lambda each: dataclasses.replace(each, tags={**each.tags, **lying}))
    assert red(judged(played, spans)) == {"orphans"}


def test_shared_ids_of_client_and_server_are_understood() -> None:
    played = calls()
    sent, served = played.spans[2:]
    shared = dataclasses.replace(served, id=sent.id, parent=sent.parent, shared=True)
    assert judged(played, [*played.spans[:3], shared]).ok


def test_spans_that_came_twice_count_once() -> None:
    played = mixed()
    assert judged(played, [*played.spans, *played.spans]).ok


def test_no_receipts_ask_for_the_callers_span_only() -> None:
    (root,) = expect([], CALL)
    assert (root.service, root.kind, root.message, root.parent) == ("caller", "CLIENT", CALL, None)
    assert match([span(1, "caller", "CLIENT", message=CALL)], [root]).ok


def test_receipts_of_other_calls_are_passed_over() -> None:
    other = dataclasses.replace(calls().receipts[0], call="other")
    assert expect([other], CALL) == expect([], CALL)


@calm
@given(tangled(), st.sampled_from(STORIES))
def test_whatever_came_is_judged(spans: Sequence[Span], story: Callable[[], Played]) -> None:
    played = story()
    alone = judged(played, spans)
    assert alone.matched <= alone.expected
    assert alone.ok == (not alone.problems)
    assert not alone.ok


@calm
@given(st.data())
def test_any_set_of_lost_spans_is_reported_one_by_one(data: st.DataObject) -> None:
    played = data.draw(st.sampled_from(STORIES))()
    lost = data.draw(st.sets(st.sampled_from(range(len(played.spans))), min_size=1))
    found = judged(played, [each for at, each in enumerate(played.spans) if at not in lost])
    assert len(found.missing) == len(lost)
    assert found.matched == found.expected - len(lost)
