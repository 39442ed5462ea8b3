"""One `Measurement` from all that a run left behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from toolkit.analysis import APART
from toolkit.contract import Receipt
from toolkit.measure import breakdown
from toolkit.measure.audit import reasons
from toolkit.measure.complete import completions, kept_up
from toolkit.measure.intervals import known as with_intervals
from toolkit.measure.quantiles import histogram, quantiles
from toolkit.measure.traces import analyse
from toolkit.measure.witnesses import witnesses
from toolkit.results import CallRecord, Elapsed, Evidence, Load, Measurement, Quantiles, Stamped
from toolkit.spec.model import ChainSpec
from toolkit.traces import tree
from toolkit.traces.matches import Matches, match_calls


def measure(
    calls: Sequence[CallRecord],
    evidence: Evidence,
    *,
    chain: ChainSpec,
    asked: Load,
    elapsed: Elapsed | None = None,
    matches: Matches | None = None,
) -> Measurement:
    """All numbers of a run. `evidence.spans` has the caller's own root spans among them.

    `matches` are the verdicts on the traces, if somebody asked for them already: they take the most time of all.
    Failed and lost calls are counted, never timed. Calls that met a cold function are a population of their own.
    Calls that the generator refused to send are apart from all of them: they were never sent.
    """
    asked_for = sorted(calls, key=lambda call: call.seq)
    calls = [call for call in asked_for if not call.refused]
    known = {call.call for call in calls}
    receipts = [each for each in evidence.receipts if each.receipt.call in known]
    cold = {each.receipt.call for each in receipts if each.receipt.cold}
    warm = [call for call in calls if call.ok and call.call not in cold]
    latencies = [_latency_us(call) for call in warm]
    spans = tree.by_trace(evidence.spans)
    if matches is None:
        sampled = [(call.trace, call.call) for call in calls if call.sampled]
        services = [function.name for function in chain.functions]
        told = (each.receipt for each in receipts)
        matches = match_calls(sampled, told, evidence.spans, services=services, gaps=evidence.gaps)
    whole = [spans[call.trace] for call in warm if call.sampled and matches[call.trace].ok]
    found = analyse(whole, pool=APART)  # receipts have said which
    return Measurement(
        sent=len(calls),
        ok=sum(call.ok for call in calls),
        failed=sum(call.status is not None and not call.ok for call in calls),
        lost=sum(call.done_ns is None for call in calls),
        duplicated=_duplicated(each.receipt for each in receipts),
        reordered=_reordered(calls, (each.receipt for each in receipts)),
        duration_s=_duration_s(calls),
        asked_rate=asked.rate,
        achieved_rate=_achieved_rate(calls, asked),
        lateness_us=quantiles((call.sent_ns - call.due_ns) / 1e3 for call in calls) if asked.model == "open" else None,
        latency_us=with_intervals(latencies),
        service_time_us=quantiles((call.done_ns - call.sent_ns) / 1e3 for call in warm if call.done_ns is not None),
        completion_us=_completion(chain, warm, receipts),
        cold=quantiles(_latency_us(call) for call in calls if call.ok and call.call in cold),
        hops=breakdown.hops(chain, found, whole),
        traces_expected=len(matches),
        traces_complete=sum(each.ok for each in matches.values()),
        missing_spans=sum(len(each.missing) for each in matches.values()),
        orphans=sum(len(each.orphans) for each in matches.values()),
        histogram=histogram(latencies),
        critical_path=breakdown.critical_path(found),
        invalid=tuple(reasons(asked_for, asked, elapsed)),
        refused=len(asked_for) - len(calls),
        failed_handlings=sum(each.receipt.error is not None for each in receipts),
        retried_handlings=_retried([each.receipt for each in receipts]),
        platform_traces=breakdown.platform(spans.get(call.trace, ()) for call in calls if call.sampled),
        witnesses=witnesses(calls, evidence, spans),
        bands=found.bands,
        completions=kept_up(chain, calls, warm, receipts),
    )


def _latency_us(call: CallRecord) -> float:
    """From due, not from sent: a late sender must not hide a slow chain."""
    return ((call.done_ns or call.due_ns) - call.due_ns) / 1e3


def _completion(chain: ChainSpec, warm: Iterable[CallRecord], receipts: Sequence[Stamped]) -> Quantiles | None:
    if not any(edge.via == "event" for edge in chain.edges):
        return None
    ended = completions(chain, receipts)
    return with_intervals([(ended[call.call] - call.due_ns) / 1e3 for call in warm if call.call in ended])


def _duplicated(receipts: Iterable[Receipt]) -> int:
    """How many handlings were one too many: the same message, by the same function, once more without an error."""
    times = Counter((each.message, each.function) for each in receipts if each.error is None and not each.waits)
    return sum(count - 1 for count in times.values())


def _retried(receipts: Sequence[Receipt]) -> int:
    """How many handlings failed and did no harm: the same function handled the same message after all, or whoever
    called it succeeded nevertheless, by another attempt or by a fallback."""
    failed: Counter[tuple[str, str]] = Counter()
    handled: set[tuple[str, str]] = set()
    for each in receipts:
        if each.error is not None:
            failed[each.message, each.function] += 1
        else:
            handled.add((each.message, each.function))
            handled.update((sent.message, sent.to or "") for sent in each.sent if sent.via == "call")
    return sum(count for key, count in failed.items() if key in handled)


def _reordered(calls: Sequence[CallRecord], receipts: Iterable[Receipt]) -> int:
    """How many messages a replica met after it had met one of a later call; repetitions do not count."""
    place = {call.call: call.seq for call in calls}
    latest: dict[str, int] = {}
    seen: set[tuple[str, str]] = set()
    late = 0
    for each in sorted(receipts, key=lambda receipt: receipt.seq):
        if (each.message, each.function) in seen:
            continue
        seen.add((each.message, each.function))
        late += place[each.call] < latest.get(each.replica, -1)
        latest[each.replica] = max(place[each.call], latest.get(each.replica, -1))
    return late


def _duration_s(calls: Sequence[CallRecord]) -> float:
    """From the first due time to the last answer (or sending, when no answer came)."""
    if not calls:
        return 0.0
    return (max(call.done_ns or call.sent_ns for call in calls) - calls[0].due_ns) / 1e9


def _achieved_rate(calls: Sequence[CallRecord], asked: Load) -> float | None:
    """Calls a second, as they left; with a closed loop, as they were answered. None when one call makes no rate."""
    if asked.model == "closed":
        duration_s = _duration_s(calls)
        return sum(call.done_ns is not None for call in calls) / duration_s if duration_s > 0 else None
    if len(calls) < 2:
        return None
    took_ns = max(call.sent_ns for call in calls) - calls[0].sent_ns
    return (len(calls) - 1) * 1e9 / took_ns if took_ns > 0 else None
