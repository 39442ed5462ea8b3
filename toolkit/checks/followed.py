"""`followed`: each handling that succeeded sent over each of its edges what the chain allows, and nothing else.

May live here: counting what a handling sent against its edges. May not: what became of it (`messages`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from toolkit.checks.attempts import Tried, tried
from toolkit.checks.ledger import Ledger, short, some, verdict
from toolkit.checks.ways import beyond
from toolkit.contract import Receipt, Sent
from toolkit.results import Check
from toolkit.spec.model import ChainSpec, Edge

Shape = tuple[str, str | None]  # ("call", function) or ("event", type): consumers of one event share it
MANY = None


def followed(ledger: Ledger) -> Check:
    rules = _rules(ledger.chain)
    judged = [receipt for own in ledger.by_call.values() for receipt in own if receipt.error is None]
    offences = [text for receipt in judged for text in _strays(ledger, receipt, rules.get(receipt.function, _NOTHING))]
    offences += beyond(ledger)
    return verdict(
        "followed",
        "one message over each outgoing edge of a handling, and no other"
        if all(edge.steady for edge in ledger.chain.edges)
        else "as many messages over each outgoing edge of a handling as the chain allows, and no other",
        f"{some(len(judged), 'handling')} sent what the chain says" if judged else "nothing was handled",
        offences,
    )


@dataclass(frozen=True, slots=True)
class _Rules:
    """What a function may send. `exactly` where it is always the same, which is quickly compared."""

    edges: Mapping[Shape, Edge]
    exactly: Mapping[Shape, int] | None
    gateway: Shape | None = None  # what a gateway asks the chain, once for each request that it takes


_NOTHING = _Rules({}, {})


def _rules(chain: ChainSpec) -> Mapping[str, _Rules]:
    edges: dict[str, dict[Shape, Edge]] = defaultdict(dict)
    for edge in chain.edges:
        edges[edge.source].setdefault(_shape(edge), edge)
    found = {}
    for function in chain.functions:
        own = edges[function.name]
        plain = all(edge.steady and not edge.retry for edge in own.values()) and not function.gateway
        asks: Shape | None = ("call", chain.entry) if function.gateway else None
        found[function.name] = _Rules(own, dict.fromkeys(own, 1) if plain else None, asks)
    return found


def _shape(edge: Edge) -> Shape:
    return (edge.via, edge.to) if edge.via == "call" else (edge.via, edge.type)


def _shape_of(sent: Sent) -> Shape:
    return (sent.via, sent.to) if sent.via == "call" else (sent.via, sent.type)


def _strays(ledger: Ledger, receipt: Receipt, rules: _Rules) -> Iterator[str]:
    sent = Counter(map(_shape_of, receipt.sent))
    if receipt.waits:
        for shape, times in sent.items():
            yield f"{receipt.function} sent {_what(shape)} {_times(times)}, not 0, while it waited ({_of(receipt)})"
        return
    if sent == rules.exactly:
        return
    for shape in sent:
        if shape not in rules.edges and shape != rules.gateway:
            yield f"{receipt.function} sent {_what(shape)} {_times(sent[shape])}, not 0 ({_of(receipt)})"
    counts = {shape: _counted(ledger, receipt, edge, sent[shape]) for shape, edge in rules.edges.items()}
    yield from _beside(receipt, rules, counts)
    yield from _chosen(receipt, rules, counts)
    yield from _standing_in(receipt, rules, counts)
    yield from _badly_tried(receipt, rules, counts)


def _counted(ledger: Ledger, receipt: Receipt, edge: Edge, sent: int) -> Tried:
    return tried(ledger, receipt, edge) if edge.via == "call" and sent else Tried(sent, sent)


Counts = Mapping[Shape, Tried]


def _beside(receipt: Receipt, rules: _Rules, counts: Counts) -> Iterator[str]:
    """Edges that stand for themselves, and more over a chosen one than it allows."""
    for shape, edge in rules.edges.items():
        found = counts[shape]
        if edge.fallback or (edge.choice and found.most == 0):
            continue
        least = 0 if edge.done else edge.least
        if found.most < least or (edge.most is not MANY and found.least > edge.most):
            yield (
                f"{receipt.function} sent {_what(shape)} {_span(found.least, found.most)}, "
                f"not {_wanted(least, edge.most)} ({_of(receipt)})"
            )


def _chosen(receipt: Receipt, rules: _Rules, counts: Counts) -> Iterator[str]:
    choices: dict[str, list[Shape]] = defaultdict(list)
    for shape, edge in rules.edges.items():
        if edge.choice:
            choices[edge.choice].append(shape)
    for choice, shapes in choices.items():
        taken = [shape for shape in shapes if counts[shape].most]
        if len(taken) > 1:
            both = " and ".join(map(_what, taken))
            yield f"{receipt.function} took {len(taken)} edges of the choice {choice}, not 1: {both} ({_of(receipt)})"
        elif not taken and all(rules.edges[shape].least for shape in shapes):
            yield f"{receipt.function} took no edge of the choice {choice} ({_of(receipt)})"


def _standing_in(receipt: Receipt, rules: _Rules, counts: Counts) -> Iterator[str]:
    """Edges that are taken as often as another one failed for good."""
    for shape, edge in rules.edges.items():
        if not edge.fallback:
            continue
        found, instead = counts[shape], counts.get(("call", edge.fallback), Tried(0, 0))
        if found.most < instead.lost_least or found.least > instead.lost_most:
            yield (
                f"{receipt.function} sent {_what(shape)} {_span(found.least, found.most)} in the place of "
                f"{edge.fallback}, which had failed for good {_span(instead.lost_least, instead.lost_most)} "
                f"({_of(receipt)})"
            )


def _badly_tried(receipt: Receipt, rules: _Rules, counts: Counts) -> Iterator[str]:
    replaced = {edge.fallback for edge in rules.edges.values() if edge.fallback}
    for shape, edge in rules.edges.items():
        if counts[shape].late:
            yield f"{receipt.function} tried {_what(shape)} again after it had succeeded ({_of(receipt)})"
        if counts[shape].early and edge.to in replaced:
            yield (
                f"{receipt.function} gave up {_what(shape)} before it had tried {1 + edge.retry} times ({_of(receipt)})"
            )


def _what(shape: Sequence[str | None]) -> str:
    via, name = shape
    return f"a call to {name}" if via == "call" else f"an event {name}"


def _wanted(least: int, most: int | None) -> str:
    if most is MANY:
        return f"{least:,} or more"
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def _span(least: int, most: int) -> str:
    return _times(least) if least == most else f"{least:,} to {most:,} times"


def _times(count: int) -> str:
    return f"{count:,} times"


def _of(receipt: Receipt) -> str:
    return f"call {short(receipt.call)}"
