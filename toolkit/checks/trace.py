"""`traced`: the trace of every sampled call equals the graph that its receipts prove."""

from __future__ import annotations

from collections.abc import Sequence

from toolkit.checks.ledger import Ledger, short, some, verdict
from toolkit.checks.messages import incomplete
from toolkit.checks.repetition import explained_repetitions
from toolkit.contract import TRACE_STORE
from toolkit.results import CallRecord, Check
from toolkit.traces.match import Match

WANTED = "every sampled call's trace equals what its receipts prove"


def traced(ledger: Ledger) -> Check:
    """A sampled call without spans breaks the promise, and so does a run in which chance sampled none."""
    sampled = [call for call in ledger.calls if call.sampled]
    if not sampled:
        return _none_sampled(ledger)
    unknown = incomplete(ledger)
    excused = _excused(ledger)
    offences, spared = [], 0
    for call in sampled:
        problems = _problems(ledger.matches[call.trace], whole=call.ok and call.call not in unknown)
        if problems and call.call in excused:
            spared += 1
        elif problems:
            offences.append(_line(call, problems))
    notes = [f"{some(spared, 'trace')} cut by a restart (see steady)"] if spared else []
    if unproven := sum(bool(ledger.matches[call.trace].unproven) for call in sampled):
        notes.append(f"{some(unproven, 'trace')} with gaps that the platform left")
    return verdict(
        "traced",
        WANTED,
        f"{some(len(sampled) - spared, 'trace') or 'no trace'} complete",
        offences,
        "; ".join(notes),
    )


def _none_sampled(ledger: Ledger) -> Check:
    if not ledger.calls:
        return Check("traced", True, WANTED, "no call was answered (see answered)")
    if ledger.sample == 0:
        return Check("traced", True, WANTED, "no call was sampled, as asked")
    return Check(
        "traced",
        False,
        WANTED,
        f"none of {len(ledger.calls)} calls was sampled at --sample {ledger.sample:g}: "
        "raise it, send more calls, or ask for 0",
    )


def _problems(found: Match, *, whole: bool) -> Sequence[str]:
    """Where a receipt is missing, nobody knows what its span's place or its children are: that is `delivered`'s."""
    return found.problems if whole else found.missing + found.mistaken + found.orphans


def _excused(ledger: Ledger) -> frozenset[str]:
    """Calls that met a process which left, and may have taken spans with it."""
    if not ledger.restarted:
        return frozenset()
    if TRACE_STORE in ledger.restarted:  # what it held is gone, of whichever call
        return frozenset(call.call for call in ledger.calls)
    repeated = {ledger.handlings[key][0].call for key in explained_repetitions(ledger)}
    met = {
        call
        for call, own in ledger.by_call.items()
        if any(ledger.left(receipt) or ledger.refused_by_restart(receipt) for receipt in own)
    }
    cut = {call.call for call in ledger.calls if not call.ok and ledger.chain.entry in ledger.restarted}
    return frozenset(repeated | met | cut)


def _line(call: CallRecord, problems: Sequence[str]) -> str:
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"call {call.seq}, trace {short(call.trace)}: {problems[0]}{more}"
