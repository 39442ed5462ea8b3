"""The evidence of a run, arranged so that each promise can be judged in one pass over it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from toolkit.contract import BROKER, REPLY, Receipt, Sent
from toolkit.results import CallRecord, Check, Evidence, Incident, TaskRecord
from toolkit.spec.model import ChainSpec
from toolkit.traces.matches import Matches

FEW = 5  # offenders that a check names


@dataclass(frozen=True, slots=True)
class Ledger:
    """Only judged calls and their receipts: receipts of strangers' calls are nobody's promise.

    `handlings` are receipts by (message, function), `sends` what was sent under a message's id, and by whom.
    """

    chain: ChainSpec
    bound: Mapping[str, str]
    sink: str | None
    sample: float
    calls: Sequence[CallRecord]
    by_call: Mapping[str, Sequence[Receipt]]
    handlings: Mapping[tuple[str, str], Sequence[Receipt]]
    sends: Mapping[str, Sequence[tuple[Receipt, Sent]]]
    subscribers: Mapping[tuple[str, str | None], Sequence[str]]
    matches: Matches
    incidents: Sequence[Incident]
    restarted: frozenset[str]  # functions, the broker, the trace store
    killed: frozenset[str]  # replicas that left
    refused: int = 0  # calls that the generator never sent: nothing was promised about them
    joined: Mapping[tuple[str, str], Sequence[Receipt]] = field(
        default_factory=dict
    )  # by each that was handled with it
    judged: Mapping[str, str | None] | None = None  # as of `Evidence`
    tasks: Sequence[TaskRecord] | None = None  # as of `Evidence`

    def ran(self, key: tuple[str, str]) -> Sequence[Receipt]:
        """The handlings in which a function's handler met a message: by itself, or together with others."""
        own = self.handlings.get(key, ())
        return [*(each for each in own if not each.waits), *self.joined.get(key, ())]

    def receipts_of(self, call: CallRecord) -> Sequence[Receipt]:
        return self.by_call.get(call.call, ())

    def misrouted(self, sent: Sent) -> bool:
        if sent.via == "event":
            return sent.address not in (self.sink, REPLY)
        return sent.to is None or sent.address != self.bound.get(sent.to)

    def receivers(self, sender: str, sent: Sent) -> Sequence[str]:
        """Who has to handle a message."""
        if sent.via == "call":
            return (sent.to,) if sent.to else ()
        return self.subscribers.get((sender, sent.type), ())

    def left(self, receipt: Receipt) -> bool:
        """Whether the process that wrote this receipt had to be replaced later."""
        return receipt.replica in self.killed

    def refused_by_restart(self, receipt: Receipt) -> bool:
        """Whether this handling sent something in vain to a function, or to a broker, that was restarted."""
        return any(not sent.accepted and (sent.to or BROKER) in self.restarted for sent in receipt.sent)

    def dead_letters(self) -> frozenset[str]:
        """Messages that were given up: an incident names them, or the chain's dead-letter function handled them."""
        return self.buried() | {each.message for each in self._given_up() if each.message is not None}

    def buried(self) -> frozenset[str]:
        """Messages that the chain's dead-letter function handled though they were for others."""
        drain = self.chain.broker.delivery.dead_letter if self.chain.broker else None
        handled = (message for message, function in self.handlings if function == drain) if drain else ()
        return frozenset(
            message
            for message in handled
            if not any(drain in self.receivers(each.function, sent) for each, sent in self.sends.get(message, ()))
        )

    def gave_up(self, source: str, to: str) -> bool:
        """Whether the broker told of events from `source` to `to` that it gave up; `clean` is red for it then."""
        trigger = f"{source}-to-{to}"
        return any(each.subject == trigger or each.subject.startswith(f"{trigger}-") for each in self._given_up())

    def _given_up(self) -> Iterator[Incident]:
        return (each for each in self.incidents if each.kind in ("dead-letter", "undelivered"))


def arrange(
    chain: ChainSpec,
    bound: Mapping[str, str],
    sink: str | None,
    calls: Sequence[CallRecord],
    evidence: Evidence,
    matches: Matches,
    *,
    sample: float,
    partial: bool,
) -> Ledger:
    """The ledger. Of an interrupted run only the calls that were answered are judged, and of none those never sent."""
    judged = [call for call in calls if not call.refused and not (partial and call.done_ns is None)]
    known = {call.call for call in judged}
    receipts = [each.receipt for each in evidence.receipts if each.receipt.call in known]
    restarts = [each for each in evidence.incidents if each.kind == "restart"]
    return Ledger(
        chain,
        bound,
        sink,
        sample,
        judged,
        *_grouped(receipts),
        _subscribers(chain),
        matches,
        evidence.incidents,
        frozenset(each.subject for each in restarts),
        _killed(restarts, receipts),
        sum(call.refused for call in calls),
        _joined(receipts),
        *(evidence.judged, evidence.tasks),
    )


def _grouped(
    receipts: Sequence[Receipt],
) -> tuple[
    Mapping[str, Sequence[Receipt]],
    Mapping[tuple[str, str], Sequence[Receipt]],
    Mapping[str, Sequence[tuple[Receipt, Sent]]],
]:
    """By call; by message and function; and what was sent, by message."""
    by_call: dict[str, list[Receipt]] = defaultdict(list)
    handlings: dict[tuple[str, str], list[Receipt]] = defaultdict(list)
    sends: dict[str, list[tuple[Receipt, Sent]]] = defaultdict(list)
    for receipt in receipts:
        by_call[receipt.call].append(receipt)
        handlings[receipt.message, receipt.function].append(receipt)
        for sent in receipt.sent:
            sends[sent.message].append((receipt, sent))
    return dict(by_call), dict(handlings), dict(sends)


def _joined(receipts: Sequence[Receipt]) -> Mapping[tuple[str, str], Sequence[Receipt]]:
    found: dict[tuple[str, str], list[Receipt]] = defaultdict(list)
    for receipt in receipts:
        for other in receipt.joined:
            if other != receipt.message:
                found[other, receipt.function].append(receipt)
    return dict(found)


def _subscribers(chain: ChainSpec) -> Mapping[tuple[str, str | None], Sequence[str]]:
    found: dict[tuple[str, str | None], list[str]] = defaultdict(list)
    for edge in chain.edges:
        if edge.via == "event":
            found[edge.source, edge.type].append(edge.to)
    return dict(found)


def _killed(restarts: Sequence[Incident], receipts: Sequence[Receipt]) -> frozenset[str]:
    """Replicas that left; when an engine cannot say which one it was, every replica of that function is suspect."""
    unknown = {each.subject for each in restarts if each.replica is None}
    named = {each.replica for each in restarts if each.replica is not None}
    return frozenset(named | {receipt.replica for receipt in receipts if receipt.function in unknown})


def verdict(name: str, wanted: str, kept: str, offences: Sequence[str], *aside: str) -> Check:
    """A check: `kept` is what it got when nothing offends; `aside` are remarks that hold either way."""
    got = kept if not offences else f"{len(offences):,} wrong: {offences[0]}"
    return Check(name, not offences, wanted, "; ".join([got, *filter(None, aside)]), tuple(offences[:FEW]))


def short(identity: str) -> str:
    """Enough of an id to find it by."""
    return identity[:12]


def some(count: int, what: str) -> str:
    """`1 message`, `2,000 messages`; empty for none."""
    return f"{count:,} {what}{'' if count == 1 else 's'}" if count else ""
