"""When an asynchronous chain was done with a call: its last receipt, if every message of the call got one.

Stamped on the caller's own clock when the receipt arrives, so no second clock is involved; the way of the receipt back
is included, which makes it an upper bound.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from toolkit.contract import Receipt, Sent
from toolkit.measure.intervals import known as with_intervals
from toolkit.results import CallRecord, Completions, Stamped
from toolkit.spec.model import ChainSpec


def completions(chain: ChainSpec, receipts: Iterable[Stamped]) -> Mapping[str, int]:
    """Call id → monotonic nanoseconds of its last receipt, for the calls of which nothing is missing."""
    by_call: dict[str, list[Stamped]] = defaultdict(list)
    for stamped in receipts:
        by_call[stamped.receipt.call].append(stamped)
    subscribers, joins = _subscribers(chain), {each.name for each in chain.functions if each.join is not None}
    return {
        call: max(each.at_ns for each in own) for call, own in by_call.items() if _whole(chain, own, subscribers, joins)
    }


def _subscribers(chain: ChainSpec) -> Mapping[tuple[str, str | None], list[str]]:
    found: dict[tuple[str, str | None], list[str]] = defaultdict(list)
    for edge in chain.edges:
        if edge.via == "event":
            found[edge.source, edge.type].append(edge.to)
    return found


def _whole(
    chain: ChainSpec,
    own: Sequence[Stamped],
    subscribers: Mapping[tuple[str, str | None], list[str]],
    joins: Collection[str],
) -> bool:
    """Whether each message, the call itself included, was handled without an error by all its receivers, and each that
    waited to be joined was. A call that failed was none, where its sender could do without: it tried again, perhaps."""
    handled = {key for each in own if each.receipt.error is None for key in _met(each.receipt, joins)}
    if not any(each.receipt.via == "entry" and each.receipt.function == chain.entry for each in own):
        return False
    sent = (
        (each.receipt.function, message)
        for each in own
        for message in each.receipt.sent
        if message.accepted or message.via == "event"
    )
    return all(
        (message.message, to) in handled for source, message in sent for to in _receivers(source, message, subscribers)
    )


def _met(receipt: Receipt, joins: Collection[str]) -> Iterator[tuple[str, str]]:
    """The messages that a handling was about: its own, unless that still waits, and all that it joined."""
    if not (receipt.waits and receipt.function in joins):
        yield receipt.message, receipt.function
    for message in receipt.joined:
        yield message, receipt.function


def _receivers(source: str, sent: Sent, subscribers: Mapping[tuple[str, str | None], list[str]]) -> Sequence[str]:
    if sent.via == "call":
        return [sent.to] if sent.to else []
    return subscribers.get((source, sent.type), [])


def kept_up(
    chain: ChainSpec, calls: Sequence[CallRecord], warm: Iterable[CallRecord], receipts: Sequence[Stamped]
) -> Completions | None:
    """Whether completions kept up with what was accepted; None for a chain without events.

    All three numbers are of the time between the first and the last sending: what ends later ends without load.
    """
    if not calls or not any(edge.via == "event" for edge in chain.edges):
        return None
    ended = completions(chain, receipts)
    began_ns, last_ns = min(call.sent_ns for call in calls), max(call.sent_ns for call in calls)
    accepted = [call for call in calls if call.ok and (call.done_ns or 0) <= last_ns]
    completed = sum(call.call in ended and ended[call.call] <= last_ns for call in calls)
    return Completions(
        accept_rate=_a_second(len(accepted), last_ns - began_ns),
        completion_rate=_a_second(completed, last_ns - began_ns),
        backlog=sum(ended.get(call.call, last_ns + 1) > last_ns for call in accepted),
        completed=sum(call.call in ended for call in calls),
        first_us=with_intervals(_first_us(warm, ended, receipts)),
    )


def _a_second(calls: int, took_ns: int) -> float | None:
    return calls * 1e9 / took_ns if took_ns > 0 else None


def _first_us(warm: Iterable[CallRecord], ended: Mapping[str, int], receipts: Iterable[Stamped]) -> list[float]:
    """From due to the first end of calls that have several: where an event was handled and led to no other."""
    ends: dict[str, dict[tuple[str, str], int]] = defaultdict(dict)
    for each in receipts:
        receipt = each.receipt
        if (
            receipt.via == "event"
            and receipt.error is None
            and not receipt.waits
            and all(sent.via != "event" for sent in receipt.sent)
        ):
            place, end = (receipt.message, receipt.function), ends[receipt.call]
            end[place] = min(each.at_ns, end.get(place, each.at_ns))
    return [
        (min(ends[call.call].values()) - call.due_ns) / 1e3
        for call in warm
        if call.call in ended and len(ends[call.call]) > 1
    ]
