"""When an asynchronous chain was done with a call: its last receipt, if every message of the call got one.

Stamped on the caller's own clock when the receipt arrives, so no second clock is involved; the way of the receipt back
is included, which makes it an upper bound.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from toolkit.contract import Sent
from toolkit.results import Stamped
from toolkit.spec.model import ChainSpec


def completions(chain: ChainSpec, receipts: Iterable[Stamped]) -> Mapping[str, int]:
    """Call id → monotonic nanoseconds of its last receipt, for the calls of which nothing is missing."""
    by_call: dict[str, list[Stamped]] = defaultdict(list)
    for stamped in receipts:
        by_call[stamped.receipt.call].append(stamped)
    subscribers = _subscribers(chain)
    return {call: max(each.at_ns for each in own) for call, own in by_call.items() if _whole(chain, own, subscribers)}


def _subscribers(chain: ChainSpec) -> Mapping[tuple[str, str | None], list[str]]:
    found: dict[tuple[str, str | None], list[str]] = defaultdict(list)
    for edge in chain.edges:
        if edge.via == "event":
            found[edge.source, edge.type].append(edge.to)
    return found


def _whole(chain: ChainSpec, own: Sequence[Stamped], subscribers: Mapping[tuple[str, str | None], list[str]]) -> bool:
    """Whether each message, the call itself included, was handled without an error by all its receivers."""
    handled = {(each.receipt.message, each.receipt.function) for each in own if each.receipt.error is None}
    if not any(each.receipt.via == "entry" and each.receipt.function == chain.entry for each in own):
        return False
    sent = ((each.receipt.function, message) for each in own for message in each.receipt.sent)
    return all(
        (message.message, to) in handled for source, message in sent for to in _receivers(source, message, subscribers)
    )


def _receivers(source: str, sent: Sent, subscribers: Mapping[tuple[str, str | None], list[str]]) -> Sequence[str]:
    if sent.via == "call":
        return [sent.to] if sent.to else []
    return subscribers.get((source, sent.type), [])
