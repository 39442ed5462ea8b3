"""Numbers of a load that is no chain's: calls alone, in columns, millions of them.

May live here: pure functions of arrays of rows (`toolkit.columns`). May not: files; who sent what.

Failed and lost calls are counted, never timed. Latency counts from due, service time from sent. The warm-up is in no
number but its own. Rows may be memory maps: they are read in pieces, in no particular order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.columns import MOST_MESSAGES, REFUSED, WARMUP
from toolkit.measure import audit, intervals
from toolkit.measure.quantiles import BARS, BEYOND, PER_MILLE
from toolkit.measure.rows import Numbers, Rows, flagged
from toolkit.results import CallNumbers, Elapsed, Load, Quantiles

PIECE = 1 << 18  # rows that are looked at at once: 16 MiB


@dataclass(frozen=True, slots=True)
class Told:
    """What generators say beside their rows. `statuses` counts how calls ended, `errors` why, of those not OK.

    `unknown` calls were on their way when a generator died, `unsent` ones were left to it; `why` says so, a line each.
    `cpus` are the generators' shares of a processor.
    """

    statuses: Sequence[tuple[str, int]] = ()
    errors: Sequence[tuple[str, str, int]] = ()
    unknown: int = 0
    unsent: int = 0
    why: Sequence[str] = ()
    cpus: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class _Columns:
    """Nanoseconds. `latency` and `service` of the calls that were answered OK, `late` of all that were sent.

    `asked` is when those of `latency` were due.
    """

    latency: Numbers
    asked: Numbers
    service: Numbers
    late: Numbers
    due: tuple[int, int]
    sent: tuple[int, int]
    done: int
    ended: int
    refused: int
    warmup: int
    messages: int | None


def numbers(parts: Sequence[Rows], asked: Load, elapsed: Elapsed | None, told: Told = Told()) -> CallNumbers:
    """Those of a load whose rows are in these parts. Without `elapsed`, nobody looked whether the clock moved."""
    found = _columns(parts)
    sent, ok = len(found.late), len(found.latency)
    in_turn = found.latency[np.argsort(found.asked, kind="stable")]
    for each in (found.latency, found.service, found.late):
        each.sort()
    took_ns = max(found.done, found.sent[1]) - found.due[0]
    return CallNumbers(
        sent=sent + told.unknown,
        ok=ok,
        failed=found.ended - ok,
        lost=sent - found.ended + told.unknown,
        refused=found.refused + told.unsent,
        duration_s=took_ns / 1e9 if sent else 0.0,
        achieved_rate=_rate(found, asked, took_ns),
        lateness_us=quantiles_of(found.late) if asked.model == "open" else None,
        latency_us=_with_intervals(quantiles_of(found.latency), in_turn, found.latency),
        service_time_us=quantiles_of(found.service),
        statuses=tuple(told.statuses),
        errors=tuple(told.errors),
        histogram=_histogram(found.latency),
        invalid=tuple(_reasons(found, asked, elapsed, told)),
        warmup=found.warmup,
        messages=found.messages,
    )


def endings(rows: Rows, statuses: Sequence[str]) -> Mapping[str, int]:
    """How many of these calls ended how; `LOST` are those that nobody answered, or whose status nobody knows."""
    found: Counter[str] = Counter()
    for piece in _pieces([rows]):
        codes = piece["status"][~flagged(piece, REFUSED | WARMUP)]
        for code, calls in enumerate(np.bincount(codes, minlength=1).tolist()):
            if calls:
                found[statuses[code] if code < len(statuses) else "LOST"] += calls
    return found


def quantiles_of(ordered_ns: Numbers) -> Quantiles | None:
    """In microseconds, of sorted nanoseconds, by nearest rank; None of none (see `measure.quantiles`)."""
    n = len(ordered_ns)
    if n == 0:
        return None
    p50, p90, p95, p99, p999 = (_known(ordered_ns, per_mille) for per_mille in PER_MILLE.values())
    low, high, mean = (float(each) / 1e3 for each in (ordered_ns[0], ordered_ns[-1], ordered_ns.mean()))
    return Quantiles(n, low, p50, p90, p95, p99, p999, high, mean)


def _with_intervals(found: Quantiles | None, in_turn_ns: Numbers, ordered_ns: Numbers) -> Quantiles | None:
    return None if found is None else intervals.with_intervals(found, in_turn_ns / 1e3, ordered_ns / 1e3)


def _known(ordered_ns: Numbers, per_mille: int) -> float | None:
    rank = max(1, -(-len(ordered_ns) * per_mille // 1000))
    return float(ordered_ns[rank - 1]) / 1e3 if len(ordered_ns) - rank >= BEYOND else None


def _columns(parts: Sequence[Rows]) -> _Columns:
    latency, asked, service, late = ([np.empty(0, np.int64)] for _ in range(4))
    edges = [(2**62, 0, 2**62, 0, 0)]
    ended = refused = warmup = messages = 0
    countable = True
    for rows in _pieces(parts):
        unsent, warm = flagged(rows, REFUSED), flagged(rows, WARMUP)
        refused += int(np.count_nonzero(unsent))
        warmup += int(np.count_nonzero(warm & ~unsent))
        rows = rows[~(unsent | warm)]
        if len(rows) == 0:
            continue
        due, sent, done = rows["due_ns"], rows["sent_ns"], rows["done_ns"]
        good = (rows["status"] == 0) & (done > 0)
        ended += int(np.count_nonzero(done > 0))
        latency.append(done[good] - due[good])
        asked.append(due[good])
        service.append(done[good] - sent[good])
        late.append(sent - due)
        messages += int(rows["messages"].sum(dtype=np.int64))
        countable = countable and int(rows["messages"].max()) < MOST_MESSAGES
        edges.append((int(due.min()), int(due.max()), int(sent.min()), int(sent.max()), int(done.max())))
    due_0, due_1, sent_0, sent_1, done_1 = zip(*edges, strict=True)
    return _Columns(
        np.concatenate(latency),
        np.concatenate(asked),
        np.concatenate(service),
        np.concatenate(late),
        (min(due_0), max(due_1)),
        (min(sent_0), max(sent_1)),
        max(done_1),
        ended,
        refused,
        warmup,
        messages if messages and countable else None,
    )


def _pieces(parts: Sequence[Rows]) -> Iterator[Rows]:
    for rows in parts:
        for start in range(0, len(rows), PIECE):
            yield np.asarray(rows[start : start + PIECE])


def _reasons(found: _Columns, asked: Load, elapsed: Elapsed | None, told: Told) -> Iterator[str]:
    sent = len(found.late)
    yield from told.why
    if not sent:
        yield "nothing was sent" + (" but the warm-up" if found.warmup else "")
        return
    if asked.model == "open":
        per_mille, due_ns = audit.tail(sent), found.due[1] - found.due[0]
        late_us = float(found.late[max(1, -(-sent * per_mille // 1000)) - 1]) / 1e3
        yield from audit.late(late_us, per_mille, audit.pace(sent, due_ns, asked))
        yield from audit.off_rate(due_ns, found.sent[1] - found.sent[0])
        yield from audit.saturated(told.cpus, late_us)
    else:
        yield from audit.filled(told.cpus)
    yield from audit.unsent(found.refused, sent + found.refused)
    if elapsed is not None:
        yield from audit.moved(elapsed)


def _rate(found: _Columns, asked: Load, took_ns: int) -> float | None:
    """Calls a second, as they left; with a closed loop, as they were answered. None when one call makes no rate."""
    if asked.model == "closed":
        return found.ended * 1e9 / took_ns if len(found.late) and took_ns > 0 else None
    left_ns = found.sent[1] - found.sent[0]
    return (len(found.late) - 1) * 1e9 / left_ns if len(found.late) > 1 and left_ns > 0 else None


def _histogram(ordered_ns: Numbers, bars: int = BARS) -> tuple[tuple[float, int], ...]:
    """(upper bound in microseconds, count) of classes of equal ratio, as `measure.quantiles.histogram` has them."""
    if len(ordered_ns) == 0:
        return ()
    low, high = (max(float(each) / 1e3, 1.0) for each in (ordered_ns[0], ordered_ns[-1]))
    if high / low < 1.0 + 1e-9:
        return ((high, len(ordered_ns)),)
    bounds = [*np.geomspace(low, high, bars + 1)[1:-1].tolist(), high]
    upto = [*np.searchsorted(ordered_ns, np.array(bounds[:-1]) * 1e3, side="right").tolist(), len(ordered_ns)]
    return tuple(zip(bounds, np.diff([0, *upto]).tolist(), strict=True))
