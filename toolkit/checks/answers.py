"""`answered`: every call was answered OK."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from toolkit.checks.integrity import altered
from toolkit.checks.ledger import FEW, Ledger, short, some
from toolkit.results import CallRecord, Check

LOST = "never answered"


def answered(ledger: Ledger) -> Check:
    """No call at all is a broken promise: silence proves nothing."""
    calls = ledger.calls
    if not calls:
        return Check("answered", False, "every call answered OK", "no call was answered")
    unsent = f"{some(ledger.refused, 'call')} never sent: the measurement is invalid" if ledger.refused else ""
    bad = [call for call in calls if not call.ok]
    routed, rest = _split(bad, lambda call: _misrouted(ledger, call))
    steady, rest = _split(rest, lambda call: _met_a_restart(ledger, call))
    changed = altered(ledger) if rest else frozenset()
    intact, own = _split(rest, lambda call: call.call in changed)
    return Check(
        "answered",
        not own,
        f"all {len(calls):,} calls answered OK" if len(calls) > 1 else "the call answered OK",
        "; ".join(
            filter(
                None, [f"{len(calls) - len(bad):,} answered OK", _codes(own), *_aside(routed, steady, intact), unsent]
            )
        ),
        tuple(_line(call) for call in own[:FEW]),
    )


def _split(
    calls: Sequence[CallRecord], apart: Callable[[CallRecord], bool]
) -> tuple[list[CallRecord], list[CallRecord]]:
    found = [(apart(call), call) for call in calls]
    return [call for is_apart, call in found if is_apart], [call for is_apart, call in found if not is_apart]


def _misrouted(ledger: Ledger, call: CallRecord) -> bool:
    """Whether the call failed behind a message that went to a wrong address, which is `routed`'s to tell."""
    own = ledger.receipts_of(call)
    return any(not sent.accepted and ledger.misrouted(sent) for receipt in own for sent in receipt.sent)


def _met_a_restart(ledger: Ledger, call: CallRecord) -> bool:
    """Whether the call failed behind a function that was restarted, which is `steady`'s to tell."""
    own = ledger.receipts_of(call)
    if not any(receipt.via == "entry" for receipt in own):
        return ledger.chain.entry in ledger.restarted
    return any(ledger.refused_by_restart(receipt) for receipt in own)


def _codes(calls: Sequence[CallRecord]) -> str:
    counts = Counter(call.status or LOST for call in calls)
    return ", ".join(f"{count:,} {code}" for code, count in counts.most_common())


def _aside(routed: Sequence[CallRecord], steady: Sequence[CallRecord], intact: Sequence[CallRecord]) -> Iterator[str]:
    for calls, behind in (
        (routed, "a misrouted message (see routed)"),
        (steady, "a restarted function (see steady)"),
        (intact, "something that was changed on its way (see intact)"),
    ):
        if calls:
            yield f"{some(len(calls), 'call')} failed behind {behind}"


def _line(call: CallRecord) -> str:
    error = f": {call.error}" if call.error else ""
    return f"call {call.seq} ({short(call.call)}): {call.status or LOST}{error}"
