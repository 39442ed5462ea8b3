"""What one handling sent over a call edge, message by message: tried once or again, arrived, or failed for good.

May live here: telling attempts from messages. May not: what an edge allows (`followed`), what was lost (`messages`).

An attempt is a message of its own, whose id follows from the first one's; so does that of what stands in for a message
that failed for good (`sdk.attempts`). So nobody has to guess which attempts belong together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from toolkit.checks.ledger import Ledger
from toolkit.contract import Receipt, Sent, child_id
from toolkit.spec.model import Edge

FOR_NOW = ("UNAVAILABLE", "ABORTED", "RESOURCE_EXHAUSTED")  # what is tried again
REPLACEABLE = (*FOR_NOW, "DEADLINE_EXCEEDED")  # what a fallback stands in for
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 2.0  # before another attempt; it doubles


@dataclass(frozen=True, slots=True)
class Tried:
    """One message over one edge, in all its attempts, in their order."""

    attempts: tuple[Sent, ...]

    @property
    def message(self) -> str:
        return self.attempts[0].message

    @property
    def last(self) -> Sent:
        return self.attempts[-1]

    @property
    def arrived(self) -> bool:
        return self.last.accepted


def tried(receipt: Receipt, edge: Edge) -> Sequence[Tried]:
    """The messages that a handling sent over this call edge."""
    own = {each.message: each for each in receipt.sent if each.via == "call" and each.to == edge.to}
    if len(own) == 1 or not edge.retry:  # the same id twice is two messages of one id, which nothing explains
        return [Tried((each,)) for each in receipt.sent if each.via == "call" and each.to == edge.to]
    found = {first: tuple(_attempts(receipt.function, sent, own)) for first, sent in own.items()}
    again = {sent.message for attempts in found.values() for sent in attempts[1:]}
    return [Tried(attempts) for first, attempts in found.items() if first not in again]


def _attempts(function: str, first: Sent, own: Mapping[str, Sent]) -> Iterator[Sent]:
    attempt: Sent | None = first
    number = 0
    while attempt is not None:
        yield attempt
        number += 1
        attempt = own.get(child_id(first.message, f"{function}/retry", number))


def longest_pause_s(attempt: int) -> float:
    """Seconds that the scaffold waits at most before the `attempt`-th attempt after the first."""
    return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(attempt - 1, 30))


def out_of_time(tried: Tried) -> bool:
    """Whether the deadline left no time for one more attempt, as whoever sent it knows: less than the pause before."""
    left_s = tried.last.left_s
    return left_s is not None and left_s <= longest_pause_s(len(tried.attempts))


def stand_in(function: str, message: str, to: str) -> str:
    """The id of what goes to `to` in the place of a message that failed for good."""
    return child_id(message, f"{function}/fallback/{to}", 0)


def failed_as(ledger: Ledger, sent: Sent, codes: Sequence[str]) -> bool | None:
    """Whether a failed attempt failed with one of these codes, as far as its receiver knows; None: nobody can say."""
    handlings = ledger.handlings.get((sent.message, sent.to or ""), ())
    if not handlings:  # never reached, which is for now; or gone with its receipt
        return None if sent.to in ledger.restarted else True
    if any(each.error is None for each in handlings):  # the answer was lost, or came too late
        return None
    return any((each.error or "").startswith(tuple(codes)) for each in handlings)


def made_good(ledger: Ledger) -> Mapping[str, str]:
    """The failed attempts that did no harm, by message: `retried`, or `replaced` by another function's answer."""
    found: dict[str, str] = {}
    edges = [edge for edge in ledger.chain.edges if edge.via == "call"]
    instead = {(edge.source, edge.fallback): edge.to for edge in edges if edge.fallback}
    patient = [edge for edge in edges if edge.retry or (edge.source, edge.to) in instead]
    if not patient:
        return found
    for receipt in (each for own in ledger.by_call.values() for each in own):
        if not all(sent.accepted for sent in receipt.sent):
            ids = {sent.message for sent in receipt.sent}
            for edge in (each for each in patient if each.source == receipt.function):
                to = instead.get((edge.source, edge.to))
                for each in tried(receipt, edge):
                    found.update((sent.message, "retried") for sent in each.attempts[:-1] if not sent.accepted)
                    if not each.arrived and to and stand_in(receipt.function, each.message, to) in ids:
                        found[each.last.message] = "replaced"
    return found
