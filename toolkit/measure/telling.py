"""What receipts tell of a call is put on its record: who handled it, whether that was cold, when all was done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from toolkit.measure.complete import completions
from toolkit.measure.witnesses import entry_instances, temperatures
from toolkit.results import CallRecord, Evidence
from toolkit.spec.model import ChainSpec


def told(calls: Sequence[CallRecord], evidence: Evidence, chain: ChainSpec) -> list[CallRecord]:
    """The calls with what their receipts tell; None stays what no receipt tells of."""
    ended = completions(chain, evidence.receipts)
    handled, warmth = entry_instances(evidence.receipts, chain.entry), temperatures(evidence.receipts)
    return [
        replace(
            call,
            completed_ns=ended.get(call.call),
            instance=handled.get(call.call),
            cold=warmth.get(call.call),
        )
        for call in calls
    ]
