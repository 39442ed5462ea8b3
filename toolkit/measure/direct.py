"""Numbers of a load that is no chain's: calls alone, in columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from toolkit.measure import audit
from toolkit.measure.quantiles import histogram, quantiles
from toolkit.results import CallNumbers, Elapsed, Load


@dataclass(frozen=True, slots=True)
class Calls:
    """What became of each call, in the order of sending. Nanoseconds of one monotonic clock; `done` 0: never.

    `ok[i]` is 1 for a call that was answered OK. `statuses` counts how calls ended, `errors` why, of those not OK.
    """

    due: Sequence[int]
    sent: Sequence[int]
    done: Sequence[int]
    ok: Sequence[int]
    statuses: Sequence[tuple[str, int]] = ()
    errors: Sequence[tuple[str, str, int]] = ()
    refused: int = 0


def numbers(calls: Calls, asked: Load, elapsed: Elapsed) -> CallNumbers:
    """Failed and lost calls are counted, never timed. Latency counts from due, service time from sent."""
    answered = [at for at, ok in enumerate(calls.ok) if ok]
    latencies = [(calls.done[at] - calls.due[at]) / 1e3 for at in answered]
    ended = sum(done > 0 for done in calls.done)
    took_s = _duration_s(calls)
    late = ((sent - due) / 1e3 for due, sent in zip(calls.due, calls.sent, strict=True))
    return CallNumbers(
        sent=len(calls.sent),
        ok=len(answered),
        failed=ended - len(answered),
        lost=len(calls.sent) - ended,
        refused=calls.refused,
        duration_s=took_s,
        achieved_rate=_rate(calls, asked, ended, took_s),
        lateness_us=quantiles(late) if asked.model == "open" else None,
        latency_us=quantiles(latencies),
        service_time_us=quantiles((calls.done[at] - calls.sent[at]) / 1e3 for at in answered),
        statuses=tuple(calls.statuses),
        errors=tuple(calls.errors),
        histogram=histogram(latencies),
        invalid=tuple(_reasons(calls, asked, elapsed)),
    )


def _reasons(calls: Calls, asked: Load, elapsed: Elapsed) -> Iterator[str]:
    if not calls.sent:
        yield "nothing was sent"
        return
    yield from audit.sending(calls.due, calls.sent, asked)
    yield from audit.unsent(calls.refused, len(calls.sent) + calls.refused)
    yield from audit.moved(elapsed)


def _duration_s(calls: Calls) -> float:
    """From the first due time to the last answer, or sending."""
    if not calls.sent:
        return 0.0
    return (max(max(calls.done), max(calls.sent)) - calls.due[0]) / 1e9


def _rate(calls: Calls, asked: Load, ended: int, took_s: float) -> float | None:
    """Calls a second, as they left; with a closed loop, as they were answered. None when one call makes no rate."""
    if asked.model == "closed":
        return ended / took_s if took_s > 0 else None
    if len(calls.sent) < 2:
        return None
    took_ns = max(calls.sent) - calls.sent[0]
    return (len(calls.sent) - 1) * 1e9 / took_ns if took_ns > 0 else None
