"""Joins: handlers that run once all of several messages have come. Part of `delivered`.

May live here: which parts a join had, and which it should have had. May not: whether a part itself came (`messages`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from toolkit.checks.ledger import Ledger, short
from toolkit.contract import Receipt
from toolkit.spec.model import Edge, Function


def unjoined(ledger: Ledger) -> Iterator[str]:
    """Joins that never ran, or without all of their parts, in words."""
    for function in ledger.chain.functions:
        if function.join is not None:
            yield from _without_all(ledger, function)
            yield from _still_waiting(ledger, function)


def _without_all(ledger: Ledger, function: Function) -> Iterator[str]:
    for own in ledger.by_call.values():
        for receipt in own:
            if receipt.function != function.name or receipt.waits or receipt.error is not None:
                continue
            parts = {receipt.message, *receipt.joined}
            wanted = _wanted(ledger, function, receipt)
            if wanted is not None and len(parts) != wanted:
                yield f"{function.name} joined {len(parts):,} of {wanted:,} ({_of(receipt)})"
            strangers = sum(not ledger.handlings.get((part, function.name)) for part in parts)
            if strangers:
                yield f"{function.name} joined {strangers:,} messages that never came ({_of(receipt)})"


def _still_waiting(ledger: Ledger, function: Function) -> Iterator[str]:
    for own in ledger.by_call.values():
        left: dict[str, Receipt] = {}
        for receipt in own:
            if receipt.function == function.name and receipt.waits and not _ran(ledger, receipt):
                left.setdefault(receipt.message, receipt)
        if left:
            first = next(iter(left.values()))
            yield f"the join of {function.name} {_lacks(len(left), _wanted(ledger, function, first))} ({_of(first)})"


def _ran(ledger: Ledger, receipt: Receipt) -> bool:
    return bool(ledger.ran((receipt.message, receipt.function)))


def _lacks(came: int, wanted: int | None) -> str:
    if wanted is None:
        return f"waits though {came:,} came"
    if missing := -came % wanted:
        return f"waits for {missing:,} of {wanted:,}"
    return f"never ran though all {wanted:,} came"


def _wanted(ledger: Ledger, function: Function, receipt: Receipt) -> int | None:
    """How many parts belong together; None when nobody can say."""
    return function.join or _scattered(ledger, receipt)


def _scattered(ledger: Ledger, receipt: Receipt) -> int | None:
    """How many messages the scatter sent that is above a part: the next one, or one further up for each join between.

    A scatter is a handling that sent over an edge whose count is not one.
    """
    at: Receipt | None = receipt
    met, message, joins = set[str](), receipt.message, 0
    while message not in met:
        met.add(message)
        sends = ledger.sends.get(message, ())
        if not sends:
            return None
        at, sent = sends[0]
        if sent.via == "event" and _is_wide(_edges(ledger, at, sent.type)):
            if joins == 0:
                return sum(each.via == "event" and each.type == sent.type for each in at.sent)
            joins -= 1
        joins += bool(at.joined)
        message = at.message
    return None


def _edges(ledger: Ledger, receipt: Receipt, kind: str | None) -> Sequence[Edge]:
    return [edge for edge in ledger.chain.out_of(receipt.function) if edge.via == "event" and edge.type == kind]


def _is_wide(edges: Sequence[Edge]) -> bool:
    return any(edge.most != 1 for edge in edges)


def _of(receipt: Receipt) -> str:
    return f"call {short(receipt.call)}"
