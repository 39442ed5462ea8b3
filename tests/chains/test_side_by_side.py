"""Work that is said to go on side by side does: at the same time, and in more than one process."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.chains.test_catalogue import ran
from toolkit.traces.overlap import overlap


@pytest.mark.parametrize(
    ("name", "workers"),
    [("stacking-training", "trainer"), ("tuning-halving", "trial"), ("video-analytics", "recogniser")],
)
async def test_two_processes_share_the_work(name: str, workers: str) -> None:
    done = await ran(name)
    receipts = [each.receipt for each in done.evidence.receipts if each.receipt.function == workers]
    handled = Counter(each.replica for each in receipts)
    assert len(handled) == 2


async def test_trainers_of_a_call_are_at_work_at_the_same_time() -> None:
    done = await ran("stacking-training")
    for call in done.calls:
        spans = [
            (each.timestamp, each.timestamp + each.duration)
            for each in done.evidence.spans
            if (each.trace, each.service, each.kind) == (call.trace, "trainer", "SERVER")
            and each.timestamp is not None
            and each.duration is not None
        ]
        told = overlap(spans)
        assert told is not None
        assert told.n == 4
        assert told.at_once >= 2, "one in each process; more is the scheduler's affair: they compute"
