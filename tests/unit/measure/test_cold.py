"""Where the time of a cold start goes: rows of moments become segments that are disjoint and add up."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.checks.simulation import EVENT_PAIR, PAIR
from toolkit.contract import Boot, Receipt
from toolkit.measure.cold import AS_PROCESSES, ON_A_CLUSTER, ColdSample, Stretch, cold_starts, sample
from toolkit.results import CallRecord, Evidence, Instance, Stamped
from toolkit.traces.model import Span

MS = 1_000_000
EPOCH = 1_700_000_000_000 * MS  # the wall clock when the monotonic one is at 0
CALL = CallRecord(0, "c0", "t0", True, 10 * MS, 10 * MS, 1010 * MS, "OK")


def wall(ms: float) -> int:
    """So many milliseconds after the call was due."""
    return EPOCH + CALL.due_ns + round(ms * MS)


def span(own: str, name: str, start: float, length: float, **more: object) -> Span:
    return Span("t0", own, name, timestamp=wall(start) // 1000, duration=round(length * 1000), **more)  # type: ignore[arg-type]  # the fields of a span


def about(message: str) -> Mapping[str, str]:
    return {"toolkit.message": message}


def receipt(function: str, message: str, start: float, end: float, boot: Boot | None, via: str = "call") -> Stamped:
    made = Receipt(
        *("c0", function, f"{function}-1", 0, message, via, "caller", "", 0, wall(start), wall(end)),  # type: ignore[arg-type]  # one of the three words
        cold=True,
        boot=boot,
    )
    return Stamped(made, CALL.due_ns + round(end * MS))


def boot(host: str, process: float, loaded: float, listening: float) -> Boot:
    return Boot(host, wall(process), wall(loaded), wall(listening))


def pod(function: str, host: str, created: float, scheduled: float, ready: float) -> Instance:
    marks = {"created": wall(created), "scheduled": wall(scheduled), "ready": wall(ready)}
    return Instance(function, host, marks)


ROOT = span("r", "say", 0, 1000, service="caller", kind="CLIENT", tags=about("c0"))
SPANS = [
    ROOT,
    span("a1", "post", 2, 990, service="activator", parent="lost", kind="SERVER"),
    span("a2", "throttler_try", 2, 398, service="activator", parent="a1"),
    span("q1", "post", 405, 590, service="a", parent="a1", kind="SERVER", tags={"container.name": "queue-proxy"}),
    span("f1", "say", 410, 580, service="a", parent="q1", kind="SERVER", tags=about("c0")),
    span("s2", "send", 415, 570, service="a", parent="f1", kind="CLIENT", tags=about("m1")),
    span("f2", "send", 900, 80, service="b", parent="s2", kind="SERVER", tags=about("m1")),
]
EVIDENCE = Evidence(
    receipts=[
        receipt("a", "c0", 410, 990, boot("pod-a", 150, 300, 350), via="entry"),
        receipt("b", "m1", 900, 980, boot("pod-b", 600, 700, 750)),
    ],
    spans=SPANS,
    instances=[pod("a", "pod-a", 50, 60, 380), pod("b", "pod-b", 500, 510, 800)],
)


def sampled(evidence: Evidence = EVIDENCE, call: CallRecord = CALL) -> ColdSample:
    return sample(call, evidence, PAIR, evidence.spans, steps=ON_A_CLUSTER)


def told(found: ColdSample) -> dict[tuple[str | None, str], float]:
    """Milliseconds by function and segment."""
    times: dict[tuple[str | None, str], float] = {}
    for each in found.stretches:
        key = (each.function, each.segment)
        times[key] = round(times.get(key, 0.0) + each.us / 1000, 3)
    return times


def test_each_function_of_a_chain_has_its_own_cold_start_inside_of_its_caller_s_handler() -> None:
    assert told(sampled()) == {
        ("a", "way in"): 2,
        ("a", "autoscaler"): 48,
        ("a", "scheduling"): 10,
        ("a", "sandbox and image, containers"): 90,
        ("a", "import"): 150,
        ("a", "listen"): 50,
        ("a", "readiness"): 50,
        ("a", "forwarding"): 5,
        ("a", "queue-proxy"): 5,
        ("a", "handler"): 5 + 10,  # before it calls, and after it was answered
        ("b", "way in, autoscaler"): 85,  # what nobody stamped joins what comes next
        ("b", "scheduling"): 10,
        ("b", "sandbox and image, containers"): 90,
        ("b", "import"): 100,
        ("b", "listen"): 50,
        ("b", "readiness, forwarding, queue-proxy"): 150,
        ("b", "handler"): 80,
        (None, "unattributed"): 10,
    }


def test_the_instances_that_came_up_for_it_are_kept_with_what_the_platform_told() -> None:
    other = [*(EVIDENCE.instances or ()), pod("a", "pod-of-another-call", 1, 2, 3)]
    assert sampled(replace(EVIDENCE, instances=other)).instances == tuple(other[:2])


def test_without_a_trace_the_time_that_nobody_saw_is_unattributed() -> None:
    bare = told(sampled(replace(EVIDENCE, spans=[])))
    assert bare == {(None, "unattributed"): 1000}


def test_without_instances_the_platform_s_segments_are_one() -> None:
    found = told(sampled(replace(EVIDENCE, instances=None)))
    assert found["a", "autoscaler, scheduling, sandbox and image, containers"] == 148


def test_a_moment_that_lies_before_the_one_before_it_takes_no_time_and_none_away() -> None:
    skewed = [pod("a", "pod-a", -5, 60, 380), pod("b", "pod-b", 500, 510, 800)]
    found = told(sampled(replace(EVIDENCE, instances=skewed)))
    assert found["a", "autoscaler"] == 0
    assert found["a", "scheduling"] == 58
    assert sum(found.values()) == pytest.approx(1000)


def test_processes_have_no_pods() -> None:
    marks = {"asked": wall(1), "created": wall(20), "ready": wall(390), "admitted": wall(390)}
    evidence = replace(EVIDENCE, instances=[Instance("a", "a-1", marks)], spans=[ROOT, *SPANS[4:]])
    found = sample(CALL, evidence, PAIR, evidence.spans, steps=AS_PROCESSES)
    own = {segment: ms for (function, segment), ms in told(found).items() if function == "a"}
    assert own == {
        "way in": 1, "process start": 149, "import": 150, "listen": 50, "readiness": 40, "forwarding": 20,
        "handler": 15,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"done_ns": None, "status": None}, "never answered"),
        ({"status": "UNAVAILABLE", "error": "no pod"}, "UNAVAILABLE: no pod"),
    ],
)
def test_a_call_that_failed_is_never_timed(change: dict[str, object], why: str) -> None:
    found = sampled(call=replace(CALL, **change))  # type: ignore[arg-type]  # fields of a record
    assert found.end_to_end_us is None
    assert found.stretches == ()
    assert why in (found.why_not or "")


def test_a_function_that_was_warm_makes_no_cold_start() -> None:
    warm = Stamped(replace(EVIDENCE.receipts[1].receipt, cold=False), 0)
    found = sampled(replace(EVIDENCE, receipts=[EVIDENCE.receipts[0], warm]))
    assert (found.end_to_end_us, found.why_not) == (None, "b had handled a message before: it was not cold")


def test_a_function_that_left_no_receipt_makes_no_cold_start() -> None:
    assert sampled(replace(EVIDENCE, receipts=EVIDENCE.receipts[:1])).why_not == "no receipt of b came"


def test_an_asynchronous_chain_ends_with_its_last_receipt() -> None:
    call = replace(CALL, done_ns=500 * MS, completed_ns=CALL.due_ns + 1200 * MS)
    found = sample(call, EVIDENCE, EVENT_PAIR, SPANS, steps=ON_A_CLUSTER)
    assert found.end_to_end_us == 1_200_000
    unfinished = sample(replace(call, completed_ns=None), EVIDENCE, EVENT_PAIR, SPANS, steps=ON_A_CLUSTER)
    assert unfinished.why_not == "not all of its messages were handled"


def test_numbers_are_of_the_timed_ones_and_failures_are_named() -> None:
    one, two = sampled(), sampled(call=replace(CALL, seq=1))
    lost = ColdSample(2, None, None, why_not="pod b-1 is kept")
    found = cold_starts([one, two, lost], asked=5, how="somehow", settings={}, notes=())
    assert (found.asked, found.tried, found.n, found.failed) == (5, 3, 2, 1)
    assert found.failures == ("repetition 3: pod b-1 is kept",)
    assert found.end_to_end_us is not None
    assert (found.end_to_end_us.n, found.end_to_end_us.p50) == (2, None), "two are too few for a quantile"
    assert sum(each.share for each in found.segments) == pytest.approx(1)
    assert sum(each.mean_us for each in found.segments) == pytest.approx(found.end_to_end_us.mean)
    assert [(each.function, each.segment) for each in found.segments][-1] == (None, "unattributed")


def test_a_repetition_without_a_segment_spent_no_time_in_it() -> None:
    """So the mean is between the smallest and the largest, and means add up; `n` says how many had it."""
    rare, rest = Stretch("a", "scheduling", 0, 100 * MS), Stretch(None, "unattributed", 100 * MS, 200 * MS)
    samples = [ColdSample(0, "c0", 200_000.0, (rare, rest)), ColdSample(1, "c1", 200_000.0, (rest,))]
    first, last = cold_starts(samples, asked=2, how="", settings={}, notes=()).segments
    assert (first.n, first.min_us, first.mean_us, first.max_us) == (1, 0.0, 50_000.0, 100_000.0)
    assert (last.n, last.min_us, last.mean_us, last.max_us) == (2, 100_000.0, 100_000.0, 100_000.0)


def test_twenty_repetitions_have_a_median() -> None:
    found = cold_starts([sampled()] * 20, asked=20, how="", settings={}, notes=())
    assert {each.p50_us for each in found.segments if each.segment == "import"} == {150_000.0, 100_000.0}


def test_nothing_timed_has_no_numbers() -> None:
    found = cold_starts([ColdSample(0, "c", None, why_not="it failed")], asked=1, how="", settings={}, notes=())
    assert (found.n, found.end_to_end_us, found.segments) == (0, None, ())


@given(st.lists(st.floats(-100, 1500), min_size=12, max_size=12))
def test_whatever_the_clocks_say_segments_are_disjoint_and_add_up(times: Sequence[float]) -> None:
    pods = [pod("a", "pod-a", *times[0:3]), pod("b", "pod-b", *times[3:6])]
    receipts = [
        receipt("a", "c0", 410, 990, boot("pod-a", *times[6:9]), via="entry"),
        receipt("b", "m1", 900, 980, boot("pod-b", *times[9:12])),
    ]
    found = sampled(replace(EVIDENCE, receipts=receipts, instances=pods))
    lasting = sorted((each for each in found.stretches if each.end_ns > each.start_ns), key=lambda each: each.start_ns)
    assert lasting[0].start_ns == 0
    assert lasting[-1].end_ns == 1000 * MS
    assert all(one.end_ns == two.start_ns for one, two in itertools.pairwise(lasting))
    assert all(isinstance(each, Stretch) and each.end_ns >= each.start_ns for each in found.stretches)
