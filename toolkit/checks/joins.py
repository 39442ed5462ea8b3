"""Joins: handlers that run once all of several messages have come. Part of `delivered`.

May live here: which parts a join had, and which it should have had. May not: whether a part itself came (`messages`).

What a part says of itself (`Receipt.part`) is not believed alone: the way that led to it has to come from that scatter,
and from a message of it that led to no other part. Only ids and receipts are asked, nothing of the scaffold's.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from toolkit import plan
from toolkit.checks.ledger import Ledger, short
from toolkit.contract import Receipt, scatter_id
from toolkit.spec.model import Function

_PART = re.compile(r"([0-9a-f]{32}):([0-9]{1,9}):([0-9]{1,9})")
Stamp = tuple[str, int, int]  # scatter, index, total


def unjoined(ledger: Ledger) -> Iterator[str]:
    """Joins that never ran, or without all of their parts, or with others, in words."""
    for function in ledger.chain.functions:
        if function.join is not None:
            yield from _ran_wrongly(ledger, function)
            yield from _still_waiting(ledger, function)


def _ran_wrongly(ledger: Ledger, function: Function) -> Iterator[str]:
    slots = plan.slots(ledger.chain, function)
    for own in ledger.by_call.values():
        for receipt in own:
            if receipt.function != function.name or receipt.waits or receipt.error is not None:
                continue
            parts = list(dict.fromkeys((receipt.message, *receipt.joined)))
            came = [each for each in parts if ledger.handlings.get((each, function.name))]
            if strangers := len(parts) - len(came):
                wrong = [f"joined {strangers:,} messages that never came"]
            elif function.join:
                wrong = list(_of_number(ledger, function, slots, parts))
            else:
                wrong = list(_of_scatter(ledger, function, parts))
            yield from (f"{function.name} {each} ({_of(receipt)})" for each in wrong)


def _of_number(ledger: Ledger, function: Function, slots: Mapping[str, int], parts: Sequence[str]) -> Iterator[str]:
    """What is wrong with the messages of a join of so many, or of all."""
    if len(parts) != function.join:
        yield f"joined {len(parts):,} of {function.join:,}"
    elif slots:
        first = [ledger.handlings[each, function.name][0] for each in parts]
        came = Counter(f"{each.sender} {each.type}" for each in first)
        for edge in slots:
            if came[edge] != slots[edge]:
                yield f"joined {came[edge]:,} of {slots[edge]:,} of {edge}"


def _of_scatter(ledger: Ledger, function: Function, parts: Sequence[str]) -> Iterator[str]:
    """What is wrong with the messages of a join of parts."""
    stamps = [_stamp(ledger, function, each) for each in parts]
    told = [each for each in stamps if each is not None]
    if len(told) < len(stamps):
        yield f"joined {len(stamps) - len(told):,} messages that do not say which part they are"
        return
    scatters = {scatter for scatter, _, _ in told}
    if len(scatters) > 1:
        yield f"joined parts of {len(scatters):,} scatters"
        return
    _, _, total = told[0]
    indices = {index for _, index, _ in told}
    if {each[2] for each in told} != {total} or indices != set(range(total)) or len(told) != total:
        yield f"joined {len(indices):,} of {total:,}" + f", as {len(told):,} messages" * (len(told) != len(indices))
    origins = [_origin(ledger, each, told[0][0]) for each in parts]
    if strange := sum(each == "" for each in origins):
        yield f"joined {strange:,} messages that were never a part of this scatter"
    known = [each for each in origins if each]
    if len(set(known)) < len(known):
        yield f"joined {len(known):,} messages of {len(set(known)):,} parts"


def _stamp(ledger: Ledger, function: Function, message: str) -> Stamp | None:
    """Which part it says it is."""
    found = _PART.fullmatch(ledger.handlings[message, function.name][0].part or "")
    return None if found is None else (found[1], int(found[2]), int(found[3]))


def _origin(ledger: Ledger, message: str, scatter: str) -> str | None:
    """The message of this scatter that led to it; "" where the way to it leads from no such one; None when unknown."""
    ahead, met, lost = [message], {message}, False
    while ahead:
        at = ahead.pop()
        sends = ledger.sends.get(at, ())
        lost = lost or not sends  # its sender left no receipt, as one that was killed
        for receipt, sent in sends[:1]:
            if sent.type is not None and scatter in _scatters(receipt, sent.type):
                return at
            above = {receipt.message} if receipt.via != "entry" else set()
            for own in ledger.handlings.get((receipt.message, receipt.function), ()):
                above.update(own.joined)
            ahead += above - met
            met |= above
    return None if lost else ""


def _scatters(receipt: Receipt, kind: str) -> Iterator[str]:
    """The ids of all scatters that this handling can have made over events of this type."""
    return (scatter_id(receipt.message, receipt.function, kind, at) for at in range(len(receipt.sent)))


def _still_waiting(ledger: Ledger, function: Function) -> Iterator[str]:
    for own in ledger.by_call.values():
        left: dict[str, dict[str, Receipt]] = defaultdict(dict)  # by scatter
        for receipt in own:
            if receipt.function == function.name and receipt.waits and not _ran(ledger, receipt):
                stamp = None if function.join else _stamp(ledger, function, receipt.message)
                left[stamp[0] if stamp else ""].setdefault(receipt.message, receipt)
        for scatter, waiting in left.items():
            first = next(iter(waiting.values()))
            if scatter and _abandoned(ledger, first.message, scatter):
                continue
            yield f"the join of {function.name} {_lacks(len(waiting), _wanted(ledger, function, first))} ({_of(first)})"


def _abandoned(ledger: Ledger, message: str, scatter: str) -> bool:
    """Whether the handling that scattered failed: nobody said that all of these parts left."""
    sends = ledger.sends.get(_origin(ledger, message, scatter) or "", ())
    own = [each for receipt, _ in sends for each in ledger.handlings[receipt.message, receipt.function]]
    return bool(own) and all(each.error is not None for each in own)


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
    if function.join:
        return function.join
    stamp = _stamp(ledger, function, receipt.message)
    return None if stamp is None else max(1, stamp[2])


def _of(receipt: Receipt) -> str:
    return f"call {short(receipt.call)}"
