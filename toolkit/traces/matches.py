"""The traces of many calls, each held against what its receipts prove: asked once a run, for numbers and for checks.

May live here: bringing spans and receipts together by call. Judging one trace is `match`'s.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from toolkit.contract import Receipt
from toolkit.traces import tree
from toolkit.traces.expect import expect
from toolkit.traces.match import Match, match
from toolkit.traces.model import Span

Matches = Mapping[str, Match]  # by trace id


def match_calls(
    sampled: Iterable[tuple[str, str]],
    receipts: Iterable[Receipt],
    spans: Iterable[Span],
    *,
    services: Sequence[str],
    gaps: bool = False,
) -> Matches:
    """Trace id → verdict, for each (trace id, call id) that was sampled. `services` are all functions of the chain;
    `gaps` as in `match`."""
    traces = tree.by_trace(spans)
    own: dict[str, list[Receipt]] = defaultdict(list)
    for receipt in receipts:
        own[receipt.call].append(receipt)
    return {
        trace: match(traces.get(trace, ()), expect(own.get(call, ()), call), services=services, gaps=gaps)
        for trace, call in sampled
    }
