"""All promises of a run, in the order of a message's life."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from toolkit.checks import answers, expected, followed, health, integrity, messages, repetition, tasks, trace
from toolkit.checks.ledger import Ledger, arrange
from toolkit.results import CallRecord, Check, Evidence
from toolkit.spec.model import ChainSpec
from toolkit.traces.matches import Matches, match_calls

PROMISES: tuple[Callable[[Ledger], Check], ...] = (
    answers.answered,
    followed.followed,
    messages.routed,
    messages.delivered,
    repetition.once,
    integrity.intact,
    trace.traced,
    health.steady,
    health.clean,
)


def judge(
    chain: ChainSpec,
    calls: Sequence[CallRecord],
    evidence: Evidence,
    *,
    bound: Mapping[str, str],
    sink: str | None,
    sample: float = 1.0,
    partial: bool = False,
    matches: Matches | None = None,
) -> tuple[Check, ...]:
    """One check a promise; of a chain with tasks, and of one that judges its answers, one more.

    `bound` is the gRPC target of each function, `sink` the URL that events had to go to.

    `evidence.spans` has the caller's own root spans among them. A `partial` run was interrupted: only its answered
    calls are judged. `matches` are the verdicts on the traces, if somebody asked for them already.
    """
    if matches is None:
        sampled = [(call.trace, call.call) for call in calls if call.sampled]
        services = [function.name for function in chain.functions]
        receipts = (each.receipt for each in evidence.receipts)
        matches = match_calls(sampled, receipts, evidence.spans, services=services, gaps=evidence.gaps)
    ledger = arrange(chain, bound, sink, calls, evidence, matches, sample=sample, partial=partial)
    own = (
        *((tasks.tasks,) if tasks.has_tasks(chain) else ()),
        *((expected.expected,) if chain.expect is not None else ()),
    )
    return tuple(promise(ledger) for promise in (*PROMISES, *own))
