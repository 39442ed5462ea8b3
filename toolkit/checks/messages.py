"""What happened to messages: `routed` and `delivered`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from toolkit.checks.attempts import made_good
from toolkit.checks.joins import unjoined
from toolkit.checks.ledger import Ledger, short, some, verdict
from toolkit.contract import Receipt, Sent
from toolkit.results import CallRecord, Check

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
    dead, good = ledger.dead_letters(), made_good(ledger)
    lost = [text for call in ledger.calls if call.ok for text in _unseen(ledger, call)]
    spared = 0
    count = sum(call.ok for call in ledger.calls) + len(ledger.sends)
    for message, sends in ledger.sends.items():
        if message in good:
            continue
        problems = list(_undelivered(ledger, message, sends))
        spared += bool(problems) and message in dead
        lost += problems if message not in dead else []
    lost += unjoined(ledger)
    return verdict(
        "delivered",
        "every accepted message handled by each of its receivers",
        f"{some(count, 'message')} handled" if count else "nothing was accepted",
        lost,
        f"{some(spared, 'message')} given up by the broker (see clean)" if spared else "",
        *_aside(good),
    )


def _aside(good: Mapping[str, str]) -> Iterator[str]:
    counts = Counter(good.values())
    if retried := counts["retried"]:
        yield f"{some(retried, 'attempt')} failed and {'was' if retried == 1 else 'were'} tried again"
    if replaced := counts["replaced"]:
        yield f"{some(replaced, 'call')} failed for good and {'was' if replaced == 1 else 'were'} replaced"


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
