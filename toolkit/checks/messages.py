"""What happened to messages: `followed`, `routed`, `delivered`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from toolkit.checks.ledger import Ledger, short, some, verdict
from toolkit.contract import Receipt, Sent
from toolkit.results import CallRecord, Check
from toolkit.spec.model import ChainSpec

# --- followed ---------------------------------------------------------------------------------------------------------


def followed(ledger: Ledger) -> Check:
    """Every handling that succeeded sent exactly one message over each outgoing edge of its function."""
    edges = _edges(ledger.chain)
    judged = [receipt for own in ledger.by_call.values() for receipt in own if receipt.error is None]
    offences = [text for receipt in judged for text in _strays(receipt, edges.get(receipt.function, {}))]
    return verdict(
        "followed",
        "one message over each outgoing edge of a handling, and no other",
        f"{some(len(judged), 'handling')} sent what the chain says" if judged else "nothing was handled",
        offences,
    )


Shape = tuple[str, str | None]  # ("call", function) or ("event", type)


def _edges(chain: ChainSpec) -> Mapping[str, Mapping[Shape, int]]:
    """Function → what a handling of it sends, and how often. Two triggers of one event type share one event."""
    found: dict[str, dict[Shape, int]] = {function.name: {} for function in chain.functions}
    for edge in chain.edges:
        found.setdefault(edge.source, {})[edge.via, edge.to if edge.via == "call" else edge.type] = 1
    return found


def _strays(receipt: Receipt, wanted: Mapping[Shape, int]) -> Iterator[str]:
    sent: dict[Shape, int] = {}
    for each in receipt.sent:
        shape = (each.via, each.to if each.via == "call" else each.type)
        sent[shape] = sent.get(shape, 0) + 1
    if sent == wanted:
        return
    for via, name in dict.fromkeys([*wanted, *sent]):
        if (times := sent.get((via, name), 0)) != (should := wanted.get((via, name), 0)):
            what = f"a call to {name}" if via == "call" else f"an event {name}"
            yield f"{receipt.function} sent {what} {times} times, not {should} ({_of(receipt)})"


# --- routed -----------------------------------------------------------------------------------------------------------


def routed(ledger: Ledger) -> Check:
    """Every message went to the address that the plan bound, and was handled by none but its receivers."""
    offences, count = [], 0
    for sends in ledger.sends.values():
        for receipt, sent in sends:
            count += 1
            if ledger.misrouted(sent):
                offences.append(_wrong_address(ledger, receipt, sent))
    offences += _wrong_receivers(ledger)
    return verdict(
        "routed",
        "every message sent to the address that the plan bound",
        f"{some(count, 'message')} sent there" if count else "nothing was sent",
        offences,
    )


def _wrong_address(ledger: Ledger, receipt: Receipt, sent: Sent) -> str:
    if sent.via == "event":
        return f"{receipt.function} sent an event to {sent.address}, not to {ledger.sink} ({_of(receipt)})"
    bound = ledger.bound.get(sent.to or "", "any address that is bound")
    return f"{receipt.function} called {sent.to} at {sent.address}, not at {bound} ({_of(receipt)})"


def _wrong_receivers(ledger: Ledger) -> Iterator[str]:
    """Handlings of a message by a function that it was not for; a misrouted one has been told already."""
    delivery = ledger.chain.broker.delivery if ledger.chain.broker else None
    allowed = {delivery.dead_letter} if delivery and delivery.dead_letter else set()
    for (message, function), handlings in ledger.handlings.items():
        sends = ledger.sends.get(message, ())
        if not sends or function in allowed or any(ledger.misrouted(sent) for _, sent in sends):
            continue
        if not any(function in ledger.receivers(receipt.function, sent) for receipt, sent in sends):
            yield f"{function} handled a message of {sends[0][0].function} that was not for it ({_of(handlings[0])})"


# --- delivered --------------------------------------------------------------------------------------------------------


def delivered(ledger: Ledger) -> Check:
    """Everything that was accepted at its right address was handled, by everyone it was for."""
    dead = ledger.dead_letters()
    lost = [text for call in ledger.calls if call.ok for text in _unseen(ledger, call)]
    spared = 0
    count = sum(call.ok for call in ledger.calls) + len(ledger.sends)
    for message, sends in ledger.sends.items():
        problems = list(_undelivered(ledger, message, sends))
        spared += bool(problems) and message in dead
        lost += problems if message not in dead else []
    return verdict(
        "delivered",
        "every accepted message handled by each of its receivers",
        f"{some(count, 'message')} handled" if count else "nothing was accepted",
        lost,
        f"{some(spared, 'message')} given up by the broker (see clean)" if spared else "",
    )


def incomplete(ledger: Ledger) -> frozenset[str]:
    """The calls of which a receipt is missing, so that nobody can say what all their spans should be."""
    unseen = {call.call for call in ledger.calls if any(_unseen(ledger, call))}
    for message, sends in ledger.sends.items():
        for receipt, sent in sends:
            if any((message, to) not in ledger.handlings for to in ledger.receivers(receipt.function, sent)):
                unseen.add(receipt.call)
    return frozenset(unseen)


def _unseen(ledger: Ledger, call: CallRecord) -> Iterator[str]:
    entry = ledger.chain.entry
    if not any(receipt.via == "entry" and receipt.function == entry for receipt in ledger.receipts_of(call)):
        yield f"call {call.seq} left no receipt at {entry} (call {short(call.call)})"


def _undelivered(ledger: Ledger, message: str, sends: Sequence[tuple[Receipt, Sent]]) -> Iterator[str]:
    """A message may have been sent more than once, by a handling that was repeated: one acceptance is a promise."""
    right = [(receipt, sent) for receipt, sent in sends if not ledger.misrouted(sent)]
    accepted = next(((receipt, sent) for receipt, sent in right if sent.accepted), None)
    if accepted is None:
        for receipt, sent in right:
            if receipt.error is None and sent.to not in ledger.restarted:
                yield f"{_message(receipt, sent)} was not accepted, and {receipt.function} went on ({_of(receipt)})"
        return
    receipt, sent = accepted
    for to in ledger.receivers(receipt.function, sent):
        handlings = ledger.handlings.get((message, to), ())
        if not handlings:
            yield f"{to} never handled {_message(receipt, sent)} ({_of(receipt)})"
        elif sent.via == "event" and ledger.gave_up(receipt.function, to):
            continue
        elif all(each.error is not None and not _told_elsewhere(ledger, each) for each in handlings):
            yield f"{to} failed each time it handled {_message(receipt, sent)}: {handlings[-1].error} ({_of(receipt)})"


def _told_elsewhere(ledger: Ledger, receipt: Receipt) -> bool:
    """Whether a failed handling met a wrong address or a restarted function, which other checks tell."""
    astray = any(not sent.accepted and ledger.misrouted(sent) for sent in receipt.sent)
    return astray or ledger.refused_by_restart(receipt)


def _message(receipt: Receipt, sent: Sent) -> str:
    what = f"call to {sent.to}" if sent.via == "call" else f"event {sent.type}"
    return f"{receipt.function}'s {what}"


def _of(receipt: Receipt) -> str:
    return f"call {short(receipt.call)}"
