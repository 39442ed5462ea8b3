"""Where the time of a forced cold start went: disjoint segments of each function, which add up to the end-to-end time.

May live here: segments from stamps, and their numbers over repetitions. May not: forcing a cold start, taking stamps.

A function's start is a row of moments that several sources stamped: the sender's and the activator's spans, the
platform's marks of the instance, the function's own boot, its receipt. A moment that nobody stamped joins its segment
to the next. Where functions wait for each other their segments overlap: time belongs to what began last, as the cold
start of a function is inside of its caller's handler. docs/cold.md.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from toolkit.measure import ways
from toolkit.measure.quantiles import quantiles
from toolkit.measure.witnesses import by_name, hosts, wall_offset_ns
from toolkit.results import CallRecord, ColdSegment, ColdStarts, Evidence, Instance, Stamped
from toolkit.spec.model import ChainSpec
from toolkit.traces.model import Span

UNATTRIBUTED = "unattributed"
Step = tuple[str, str]  # a moment, and the segment that ends there
ON_A_CLUSTER: tuple[Step, ...] = (
    ("asked", "way in"),
    ("created", "autoscaler"),
    ("scheduled", "scheduling"),
    ("pulled", "sandbox and image"),
    ("process", "containers"),
    ("loaded", "import"),
    ("listening", "listen"),
    ("admitted", "readiness"),
    ("queued", "forwarding"),
    ("handling", "queue-proxy"),
    ("handled", "handler"),
)
AS_PROCESSES: tuple[Step, ...] = (
    ("asked", "way in"),
    ("process", "process start"),
    ("loaded", "import"),
    ("listening", "listen"),
    ("admitted", "readiness"),
    ("handling", "forwarding"),
    ("handled", "handler"),
)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of one cold start: nanoseconds from the moment when the call was due."""

    function: str | None
    segment: str
    start_ns: int
    end_ns: int

    @property
    def us(self) -> float:
        return (self.end_ns - self.start_ns) / 1e3


@dataclass(frozen=True, slots=True)
class ColdSample:
    """One repetition. `why_not` says why it is not timed; then it has no end-to-end time and no stretches.

    `instances` are those that came up for it, as far as the platform told.
    """

    seq: int
    call: str | None
    end_to_end_us: float | None
    stretches: tuple[Stretch, ...] = ()
    why_not: str | None = None
    instances: tuple[Instance, ...] = ()


def sample(
    call: CallRecord, evidence: Evidence, chain: ChainSpec, spans: Sequence[Span], *, steps: Sequence[Step]
) -> ColdSample:
    """What one call into a chain at zero cost, and where. `spans` are those of its trace."""
    own = [each for each in evidence.receipts if each.receipt.call == call.call]
    if (why_not := _why_not(call, own, chain)) is not None:
        return ColdSample(call.seq, call.call, None, why_not=why_not, instances=_instances(own, evidence))
    ended_ns = max(call.done_ns or 0, call.completed_ns or 0) if _has_events(chain) else call.done_ns or 0
    length_ns = ended_ns - call.due_ns
    offset = wall_offset_ns([call], {call.trace: spans})
    found: list[Stretch] = []
    if offset is not None:
        began_ns = call.due_ns + offset
        for moments in _of_functions(call, own, evidence, spans, began_ns):
            found += _row(moments, steps, began_ns, length_ns)
    stretches = tuple(_disjoint(found, length_ns))
    return ColdSample(call.seq, call.call, length_ns / 1e3, stretches, instances=_instances(own, evidence))


def cold_starts(
    samples: Sequence[ColdSample],
    *,
    asked: int,
    how: str,
    settings: Mapping[str, str],
    notes: Sequence[str],
) -> ColdStarts:
    """The numbers of all repetitions that were tried. Those that are not timed are in `failures`, and in no number."""
    timed = [each for each in samples if each.end_to_end_us is not None]
    failures = [f"repetition {each.seq + 1}: {each.why_not}" for each in samples if each.end_to_end_us is None]
    total = quantiles(each.end_to_end_us or 0.0 for each in timed)
    return ColdStarts(
        asked, len(samples), len(timed), how, total, tuple(_segments(timed)), tuple(failures), settings, tuple(notes)
    )


def _why_not(call: CallRecord, own: Sequence[Stamped], chain: ChainSpec) -> str | None:
    if call.done_ns is None:
        return "the call was never answered"
    if not call.ok:
        return f"the call failed: {call.status}: {call.error or 'no more is known'}"
    met = {each.receipt.function for each in own}
    if silent := [each.name for each in chain.functions if each.name not in met]:
        return f"no receipt of {', '.join(silent)} came"
    cold = {each.receipt.function for each in own if each.receipt.cold}
    if warm := [each.name for each in chain.functions if each.name not in cold]:
        return f"{', '.join(warm)} had handled a message before: it was not cold"
    if _has_events(chain) and call.completed_ns is None:
        return "not all of its messages were handled"
    return None


def _instances(own: Sequence[Stamped], evidence: Evidence) -> tuple[Instance, ...]:
    """Those that handled a first message of this call."""
    cold = [each for each in own if each.receipt.cold]
    names = {*hosts(cold).values(), *(each.receipt.replica for each in cold)}
    return tuple(each for each in evidence.instances or () if each.name in names)


def _has_events(chain: ChainSpec) -> bool:
    return any(edge.via == "event" for edge in chain.edges)


def _of_functions(
    call: CallRecord, own: Sequence[Stamped], evidence: Evidence, spans: Sequence[Span], began_ns: int
) -> Iterator[tuple[str, Mapping[str, int]]]:
    """Each function's moments, on the wall clocks that stamped them."""
    known, host = by_name(evidence.instances or ()), hosts(own)
    for each in sorted(own, key=lambda stamped: stamped.receipt.started_ns):
        receipt = each.receipt
        if not receipt.cold:
            continue
        instance = known.get(receipt.replica) or known.get(host.get(receipt.replica, ""))
        way = ways.of_message(spans, receipt.function, receipt.message)
        moments = dict(instance.marks) if instance is not None else {}
        moments |= {name: at_ns for name, at_ns in way.items() if at_ns is not None}
        if receipt.via == "entry":
            moments["sent"] = began_ns
        if (boot := receipt.boot) is not None:
            moments |= {"loaded": boot.loaded_ns, "listening": boot.listening_ns}
        if boot is not None and boot.process_ns is not None:
            moments["process"] = boot.process_ns
        elif "started" in moments:
            moments["process"] = moments["started"]
        yield receipt.function, moments | {"handling": receipt.started_ns, "handled": receipt.ended_ns}


def _row(
    found: tuple[str, Mapping[str, int]], steps: Sequence[Step], began_ns: int, length_ns: int
) -> Iterator[Stretch]:
    """A function's segments, one after another: a moment that lies before the one before it ends nothing."""
    function, moments = found
    at_ns, joined = moments.get("sent"), list[str]()
    for moment, segment in steps:
        joined.append(segment)
        if (next_ns := moments.get(moment)) is None:
            continue
        if at_ns is not None:
            start, end = (min(max(0, each - began_ns), length_ns) for each in (at_ns, max(at_ns, next_ns)))
            yield Stretch(function, ", ".join(joined), start, end)
        at_ns, joined = next_ns if at_ns is None else max(at_ns, next_ns), []


def _disjoint(found: Sequence[Stretch], length_ns: int) -> Iterator[Stretch]:
    """The whole length: each moment belongs to the stretch that began last, or to none."""
    cuts = sorted({0, length_ns, *(at for each in found for at in (each.start_ns, each.end_ns))})
    slices = (_owner(found, start, end) for start, end in itertools.pairwise(cuts))
    owners = set()
    for key, group in itertools.groupby(slices, key=lambda each: (each.function, each.segment)):
        run = list(group)
        owners.add(key)
        yield Stretch(*key, run[0].start_ns, run[-1].end_ns)
    for each in found:  # what took no time was there all the same
        if (each.function, each.segment) not in owners:
            yield Stretch(each.function, each.segment, each.start_ns, each.start_ns)


def _owner(found: Sequence[Stretch], start_ns: int, end_ns: int) -> Stretch:
    owner: Stretch | None = None
    for each in found:
        if each.start_ns <= start_ns and end_ns <= each.end_ns and (owner is None or each.start_ns >= owner.start_ns):
            owner = each
    if owner is None:
        return Stretch(None, UNATTRIBUTED, start_ns, end_ns)
    return Stretch(owner.function, owner.segment, start_ns, end_ns)


def _segments(timed: Sequence[ColdSample]) -> Iterator[ColdSegment]:
    """In the order in which they began; what nobody accounts for is last.

    A repetition that has not this segment spent no time in it: 0 in every number. `n` is how many have it.
    """
    times: defaultdict[tuple[str | None, str], list[float]] = defaultdict(list)
    for each in timed:
        for key, us in _once(sorted(each.stretches, key=lambda stretch: (stretch.start_ns, stretch.end_ns))).items():
            times[key].append(us)
    total_us = sum(each.end_to_end_us or 0.0 for each in timed)
    for (function, segment), all_us in sorted(times.items(), key=lambda row: row[0][0] is None):
        whole_us = all_us + [0.0] * (len(timed) - len(all_us))
        known = quantiles(whole_us)
        yield ColdSegment(
            function,
            segment,
            len(all_us),
            known.p50 if known else None,
            min(whole_us),
            max(whole_us),
            sum(whole_us) / len(timed),
            sum(all_us) / total_us if total_us else 0.0,
        )


def _once(stretches: Iterable[Stretch]) -> Mapping[tuple[str | None, str], float]:
    """A handler that waits is in pieces: together they are one segment of this repetition."""
    found: defaultdict[tuple[str | None, str], float] = defaultdict(float)
    for each in stretches:
        found[each.function, each.segment] += each.us
    return found
