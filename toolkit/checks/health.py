"""What the engine noticed: `steady` and `clean`."""

from __future__ import annotations

from collections import Counter

from toolkit.checks.ledger import FEW, Ledger
from toolkit.results import Check, Incident


def steady(ledger: Ledger) -> Check:
    restarts = [each for each in ledger.incidents if each.kind == "restart"]
    counts = Counter(each.subject for each in restarts)
    got = ", ".join(f"{function} was started again {_times(count)}" for function, count in counts.most_common())
    return Check("steady", not restarts, "no function started again", got or "none was started again", _lines(restarts))


def clean(ledger: Ledger) -> Check:
    """Dead letters are told by the engine, or else by the receipts of the function that they were left with."""
    found = [each for each in ledger.incidents if each.kind != "restart"]
    if (buried := len(ledger.buried())) and not any(each.kind == "dead-letter" for each in found):
        found.append(Incident("dead-letter", ledger.chain.name, "messages ended at the dead-letter sink", count=buried))
    counts: Counter[str] = Counter()
    for each in found:
        counts[each.kind] += each.count
    got = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
    wanted = "no dead letter, no undelivered event, no warning"
    return Check("clean", not found, wanted, got or "nothing of the kind", _lines(found))


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _lines(incidents: list[Incident]) -> tuple[str, ...]:
    """What was noticed, each with the last log line of the process."""
    return tuple(
        f"{each.subject}: {each.text}" + (f"; its last log line: {each.log_tail[-1]}" if each.log_tail else "")
        for each in incidents[:FEW]
    )
