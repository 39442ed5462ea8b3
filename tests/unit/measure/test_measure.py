"""What is counted, what is timed, and from when."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.checks.simulation import EVENT_PAIR, FAN_OUT, MIXED, MS, PAIR, Run, healthy
from toolkit.measure import completions, measure
from toolkit.results import Evidence, Load, Measurement, Stamped
from toolkit.traces.matches import match_calls

LOAD = Load(requests=3, rate=100.0)


def measured(run: Run, load: Load = LOAD) -> Measurement:
    return measure(run.calls, run.evidence, chain=run.chain, asked=load)


def test_nothing_sent_measures_nothing() -> None:
    found = measured(Run(EVENT_PAIR))
    assert (found.sent, found.latency_us, found.service_time_us, found.completion_us, found.cold) == (0,) + (None,) * 4
    assert (found.achieved_rate, found.lateness_us, found.histogram, found.hops) == (None, None, (), ())
    assert found.invalid == ("nothing was sent",)


def test_latency_counts_from_due_and_service_time_from_sent() -> None:
    run = healthy(PAIR, 1)
    run.calls[0] = replace(run.calls[0], due_ns=10 * MS, sent_ns=14 * MS, done_ns=15 * MS)
    found = measured(run)
    assert found.latency_us is not None
    assert found.service_time_us is not None
    assert found.lateness_us is not None
    assert (found.latency_us.max, found.service_time_us.max, found.lateness_us.max) == (5000.0, 1000.0, 4000.0)


def test_failures_and_losses_are_counted_and_never_timed() -> None:
    run = healthy(PAIR, 4)
    run.calls[1] = replace(run.calls[1], status="UNAVAILABLE", done_ns=run.calls[1].due_ns + 1)
    run.calls[2] = replace(run.calls[2], status=None, done_ns=None)
    found = measured(run)
    assert (found.sent, found.ok, found.failed, found.lost) == (4, 2, 1, 1)
    assert found.latency_us is not None
    assert (found.latency_us.n, found.latency_us.min) == (2, 2000.0)


def test_calls_that_met_a_cold_function_are_never_pooled_with_warm_ones() -> None:
    run = healthy(PAIR, 3)
    run.replace_receipt(run.receipts[1], cold=True)
    run.calls[0] = replace(run.calls[0], done_ns=run.calls[0].due_ns + 900 * MS)
    found = measured(run)
    assert found.cold is not None
    assert found.latency_us is not None
    assert (found.cold.n, found.cold.max) == (1, 900_000.0)
    assert (found.latency_us.n, found.latency_us.max) == (2, 2000.0)
    assert sum(count for _, count in found.histogram) == 2


def test_a_synchronous_chain_has_no_completion() -> None:
    assert measured(healthy(PAIR)).completion_us is None


def test_completion_is_the_last_receipt_on_the_callers_clock_counted_from_due() -> None:
    run = healthy(EVENT_PAIR, 1)
    due = run.calls[0].due_ns
    stamped = [Stamped(run.receipts[0], due + 9 * MS), Stamped(run.receipts[1], due + 7 * MS)]
    found = measure(run.calls, Evidence(stamped), chain=run.chain, asked=LOAD)
    assert found.completion_us is not None
    assert found.completion_us.max == 9000.0


def test_a_call_of_which_a_receiver_is_missing_was_never_complete() -> None:
    run = healthy(FAN_OUT, 2)
    run.forget([next(each for each in run.receipts if each.function == "c")])
    assert set(completions(run.chain, run.evidence.receipts)) == {run.calls[1].call}


def test_a_call_whose_entry_left_no_receipt_was_never_complete() -> None:
    run = healthy(EVENT_PAIR, 1)
    assert completions(run.chain, run.evidence.receipts[1:]) == {}


def test_a_handling_that_failed_completes_nothing() -> None:
    run = healthy(EVENT_PAIR, 1)
    run.replace_receipt(run.receipts[1], error="no")
    assert completions(run.chain, run.evidence.receipts) == {}


def test_duplicates_are_counted_by_message_and_function() -> None:
    run = healthy(MIXED, 2)
    run.receipts += [run.receipts[1], run.receipts[1], replace(run.receipts[2], error="failed before")]
    assert measured(run).duplicated == 2


def test_order_is_that_of_the_calls_at_each_replica() -> None:
    run = healthy(PAIR, 3)
    assert measured(run).reordered == 0
    first, third = (each for each in run.receipts if each.function == "b" and each.seq in (0, 2))
    run.replace_receipt(first, seq=2)
    run.replace_receipt(third, seq=0)
    assert measured(run).reordered == 2


def test_a_repetition_is_not_out_of_order() -> None:
    run = healthy(PAIR, 3)
    run.receipts.append(replace(run.receipts[1], seq=50))
    assert measured(run).reordered == 0


def test_rates_come_from_when_calls_left() -> None:
    run = healthy(PAIR, 3)
    found = measured(run)
    assert (found.asked_rate, found.achieved_rate) == (100.0, 100.0)
    assert found.duration_s == 0.022


def test_one_call_makes_no_rate() -> None:
    assert measured(healthy(PAIR, 1)).achieved_rate is None


def test_a_closed_loop_counts_answers_and_has_no_lateness() -> None:
    found = measured(healthy(PAIR, 3), Load(requests=3, concurrency=1))
    assert found.asked_rate is None
    assert found.achieved_rate == 3 / 0.022
    assert found.lateness_us is None


def test_failed_handlings_are_counted_and_those_that_were_handled_after_all_among_them() -> None:
    """Every event fails once and is delivered again; the last one fails for good."""
    run = healthy(EVENT_PAIR, 5)
    assert (measured(run).failed_handlings, measured(run).retried_handlings) == (0, 0)
    handlings = [each for each in run.receipts if each.function == "b"]
    run.receipts += [replace(each, seq=each.seq + 50, error="INTERNAL: not yet") for each in handlings]
    run.replace_receipt(handlings[-1], error="INTERNAL: never")
    found = measured(run)
    assert (found.failed_handlings, found.retried_handlings, found.duplicated) == (6, 4, 0)


def test_calls_that_were_never_sent_are_in_no_other_number() -> None:
    run = healthy(PAIR, 3)
    whole = measured(run)
    late = run.calls[-1].due_ns + 9000 * MS
    refused = replace(run.calls[-1], seq=3, call="r", trace="r", sampled=False, due_ns=late, sent_ns=late, done_ns=late)
    run.calls.append(replace(refused, status="RESOURCE_EXHAUSTED", refused=True))
    found = measured(run)
    assert found.refused == 1
    (reason,) = found.invalid
    assert reason.startswith("the generator did not send 1 of 4 calls")
    assert replace(found, refused=0, invalid=()) == whole


def test_traces_are_counted_against_what_the_receipts_prove() -> None:
    run = healthy(PAIR, 3)
    run.spans.remove(next(span for span in run.spans if span.service == "b"))
    found = measured(run)
    assert (found.traces_expected, found.traces_complete, found.missing_spans, found.orphans) == (3, 2, 1, 0)


def test_verdicts_on_traces_may_be_given_and_are_not_asked_for_again() -> None:
    run = healthy(PAIR, 2)
    sampled = [(call.trace, call.call) for call in run.calls]
    nothing = match_calls(sampled, (), (), services=["a", "b"])
    found = measure(run.calls, run.evidence, chain=PAIR, asked=LOAD, matches=nothing)
    assert (found.traces_expected, found.traces_complete) == (2, 0)


def test_hops_stand_in_the_order_of_the_chain() -> None:
    found = measured(healthy(MIXED, 20)).hops
    assert [(hop.source, hop.to, hop.via) for hop in found] == [
        ("caller", "a", "call"),
        ("a", "b", "call"),
        ("b", "c", "event"),
        ("c", "d", "call"),
    ]
    assert [(hop.n, hop.p50_us) for hop in found][:2] == [(20, 100), (20, 100)]


def test_hops_and_the_critical_path_leave_out_cold_failed_and_broken_traces() -> None:
    run = healthy(PAIR, 4)
    run.replace_receipt(run.receipts[0], cold=True)
    run.calls[1] = replace(run.calls[1], status="INTERNAL")
    run.spans.remove(next(span for span in run.spans if span.trace == run.calls[2].trace and span.service == "b"))
    found = measured(run)
    assert {hop.n for hop in found.hops} == {1}
    assert {part.n for part in found.critical_path} == {1}


@settings(max_examples=30, deadline=None)
@given(durations=st.lists(st.integers(1, 500), min_size=4, max_size=4))
def test_the_shares_of_the_critical_path_add_up_to_one(durations: list[int]) -> None:
    run = healthy(PAIR, 1)
    run.spans = [replace(span, duration=each) for span, each in zip(run.spans, durations, strict=True)]
    assert abs(sum(part.share for part in measured(run).critical_path) - 1) < 1e-9
