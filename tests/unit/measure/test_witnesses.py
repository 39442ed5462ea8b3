"""What each witness calls cold, and when they are said to disagree."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from toolkit.contract import Boot, Receipt
from toolkit.measure.witnesses import entry_instances, temperatures, witnesses
from toolkit.results import CallRecord, ColdWitnesses, Evidence, Instance, Stamped
from toolkit.traces.model import Span

MS = 1_000_000
EPOCH = 1_700_000_000_000 * MS
CALL = CallRecord(0, "c", "t", True, 10 * MS, 10 * MS, 20 * MS, "OK")
ROOT = Span("t", "r", "say", "caller", kind="CLIENT", timestamp=(EPOCH + 10 * MS) // 1000)
BOOT = Boot("pod-1", None, 0, 0)


def receipt(*, cold: bool = False, boot: Boot | None = None, via: str = "entry") -> Stamped:
    made = Receipt("c", "f", "replica-1", 0, "m", via, "caller", "", 0, 0, 0, cold=cold, boot=boot)  # type: ignore[arg-type]  # one of the three words
    return Stamped(made, 0)


def wait(milliseconds: int) -> Span:
    return Span("t", "w", "throttler_try", "activator", parent="a", timestamp=1, duration=milliseconds * 1000)


def seen(receipts: Sequence[Stamped], spans: Sequence[Span] = (), ready_ms: int | None = None) -> ColdWitnesses | None:
    """`ready_ms`: so many milliseconds after the call was due."""
    pods = None if ready_ms is None else [Instance("f", "pod-1", {"ready": EPOCH + (10 + ready_ms) * MS})]
    return witnesses([CALL], Evidence(receipts=receipts, instances=pods), {"t": [ROOT, *spans]})


def test_without_a_receipt_nobody_saw_anything() -> None:
    assert seen([]) is None


def test_alone_the_instance_disagrees_with_nobody() -> None:
    assert seen([receipt(cold=True)]) == ColdWitnesses(1, None, None, 0)


def test_three_that_agree() -> None:
    assert seen([receipt(cold=True, boot=BOOT)], [wait(800)], ready_ms=700) == ColdWitnesses(1, 1, 1, 0)


def test_a_warm_call_is_warm_for_all_of_them() -> None:
    known = receipt(cold=False, boot=BOOT)
    assert seen([known], [wait(0)], ready_ms=-5000) == ColdWitnesses(0, 0, 0, 0)


def test_the_first_message_of_an_instance_that_stood_ready_is_a_disagreement_of_its_own_kind() -> None:
    assert seen([receipt(cold=True, boot=BOOT)], [wait(1)], ready_ms=-5000) == ColdWitnesses(1, 0, 0, 1, standing=1)


def test_a_wait_for_a_busy_instance_is_a_disagreement() -> None:
    assert seen([receipt(cold=False, boot=BOOT)], [wait(300)], ready_ms=-5000) == ColdWitnesses(0, 1, 0, 1)


def test_a_trace_that_went_past_the_activator_says_that_nobody_waited() -> None:
    queue = Span("t", "q", "post", "f", kind="SERVER", tags={"container.name": "queue-proxy"})
    assert seen([receipt(cold=True)], [queue]) == ColdWitnesses(1, 0, None, 1, standing=1)


def test_a_pod_is_found_by_the_host_that_its_function_named() -> None:
    other = Boot("pod-2", None, 0, 0)
    found = seen([receipt(cold=True, boot=other)], ready_ms=700)
    assert found == ColdWitnesses(1, None, None, 0), "nothing is known of pod-2"


@pytest.mark.parametrize(("one", "two", "cold"), [(True, False, True), (False, False, False), (False, True, True)])
def test_a_call_is_cold_when_any_function_of_it_was(one: bool, two: bool, cold: bool) -> None:
    assert temperatures([receipt(cold=one), receipt(cold=two)]) == {"c": cold}


def test_the_instance_of_a_call_is_that_of_its_entry() -> None:
    assert entry_instances([receipt(via="call"), receipt()], "f") == {"c": "replica-1"}
    assert entry_instances([receipt(via="call")], "f") == {}
