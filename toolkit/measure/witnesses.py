"""Which calls met a cold function, as three witnesses tell it who do not know of each other.

May live here: labels, and where they disagree. May not: where the time of a cold start went (`cold`). docs/cold.md.

*Instance*: a function that the call went through had never handled a message before. *Activator*: in the call's trace a
request waited there for capacity. *Pod*: an instance that handled the call was not ready yet when the call was due.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from toolkit.contract import CALLER
from toolkit.results import CallRecord, ColdWitnesses, Evidence, Instance, Stamped
from toolkit.traces.expect import MESSAGE_TAG
from toolkit.traces.model import Span
from toolkit.traces.platform import parts

WAIT = "throttler_try"  # Knative's activator, all versions: from a request's arrival until there is room for it
COLD_WAIT_US = 100_000  # no pod begins in less; a wait of that length for a busy pod is told as a disagreement


@dataclass(frozen=True, slots=True)
class Testimony:
    """What each witness says of one call; None where it saw nothing."""

    instance: bool
    activator: bool | None
    pod: bool | None

    @property
    def unanimous(self) -> bool:
        return len({self.instance, self.activator, self.pod} - {None}) == 1

    @property
    def standing(self) -> bool:
        """The first message of an instance that had been there, and waited for nobody."""
        others = {self.activator, self.pod} - {None}
        return self.instance and others == {False}


def entry_instances(receipts: Iterable[Stamped], entry: str) -> Mapping[str, str]:
    """Call → the replica of the entry that handled it; the first one, where a call was handled twice."""
    found: dict[str, str] = {}
    for each in receipts:
        if each.receipt.function == entry and each.receipt.via == "entry":
            found.setdefault(each.receipt.call, each.receipt.replica)
    return found


def temperatures(receipts: Iterable[Stamped]) -> Mapping[str, bool]:
    """Call → whether it met some function's first message; calls without a receipt are left out."""
    found: dict[str, bool] = {}
    for each in receipts:
        found[each.receipt.call] = found.get(each.receipt.call, False) or each.receipt.cold
    return found


def witnesses(
    calls: Sequence[CallRecord], evidence: Evidence, spans: Mapping[str, Sequence[Span]]
) -> ColdWitnesses | None:
    """All three, counted over the calls that left receipts; None without any. `spans` are the evidence's, by trace."""
    found = testimonies(calls, evidence, spans).values()
    if not found:
        return None
    return ColdWitnesses(
        instance=sum(each.instance for each in found),
        activator=_count([each.activator for each in found]),
        pod=_count([each.pod for each in found]),
        disagree=sum(not each.unanimous for each in found),
        standing=sum(each.standing for each in found),
    )


def testimonies(
    calls: Sequence[CallRecord], evidence: Evidence, spans: Mapping[str, Sequence[Span]]
) -> Mapping[str, Testimony]:
    """By call, of those that left receipts."""
    warmth = temperatures(evidence.receipts)
    ready = _ready_by_call(evidence)
    wall_ns = wall_offset_ns(calls, spans)
    return {
        call.call: Testimony(
            warmth[call.call],
            _waited(spans.get(call.trace, ())),
            _not_ready(ready.get(call.call, ()), call, wall_ns),
        )
        for call in calls
        if call.call in warmth
    }


def wall_offset_ns(calls: Iterable[CallRecord], spans: Mapping[str, Sequence[Span]]) -> int | None:
    """What to add to the caller's monotonic clock for its wall clock, to a microsecond: of the first traced call."""
    for call in calls:
        for span in spans.get(call.trace, ()):
            if span.service == CALLER and span.kind == "CLIENT" and span.timestamp:
                return span.timestamp * 1000 - call.sent_ns
    return None


def by_name(instances: Iterable[Instance]) -> Mapping[str, Instance]:
    return {each.name: each for each in instances}


def hosts(receipts: Iterable[Stamped]) -> Mapping[str, str]:
    """Replica → the host that it said it runs on."""
    return {each.receipt.replica: each.receipt.boot.host for each in receipts if each.receipt.boot is not None}


def _ready_by_call(evidence: Evidence) -> Mapping[str, list[int]]:
    """When the instances that handled each call were ready, of those of which that is known."""
    known, host = by_name(evidence.instances or ()), hosts(evidence.receipts)
    found: dict[str, list[int]] = {}
    if not known:
        return found
    for each in evidence.receipts:
        replica = each.receipt.replica
        instance = known.get(replica) or known.get(host.get(replica, ""))
        if instance is not None and (at_ns := instance.marks.get("ready")) is not None:
            found.setdefault(each.receipt.call, []).append(at_ns)
    return found


def _not_ready(ready: Sequence[int], call: CallRecord, wall_ns: int | None) -> bool | None:
    if not ready or wall_ns is None:
        return None
    return max(ready) > call.due_ns + wall_ns


def _waited(spans: Sequence[Span]) -> bool | None:
    """A trace that queue-proxy is in and the activator is not went past the activator: nobody waited there."""
    foreign = [span for span in spans if MESSAGE_TAG not in span.tags]  # few have any, and telling parts takes time
    waits = [span.duration or 0 for span in foreign if span.kind is None and span.name == WAIT]
    if waits:
        return max(waits) >= COLD_WAIT_US
    return False if foreign and "queue-proxy" in parts(spans) else None


def _count(said: Sequence[bool | None]) -> int | None:
    known = [each for each in said if each is not None]
    return sum(known) if known else None
