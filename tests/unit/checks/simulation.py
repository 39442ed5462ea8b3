"""A run without sockets: what the receipts and spans of a chain look like when everything is well."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from toolkit.contract import CALLER, Receipt, Sent, child_id, digest
from toolkit.results import CallRecord, Evidence, Incident, Stamped
from toolkit.spec.model import Broker, ChainSpec, Edge, Function
from toolkit.traces.model import Kind, Span

SINK = "http://127.0.0.1:9000/default/default"
MS = 1_000_000


def chain_of(*edges: tuple[str, str, str], entry: str = "a") -> ChainSpec:
    """A chain from (from, to, via); all events that a function sends have one type, so its receivers share one."""
    names = dict.fromkeys([entry, *(name for source, to, _ in edges for name in (source, to))])
    return ChainSpec(
        name="simulated",
        about="",
        entry=entry,
        functions=tuple(Function(name, f"{name}.py:handle", "h2c") for name in names),
        edges=tuple(
            Edge(source, to, "call", method="link.Link/Send") if via == "call" else Edge(source, to, "event", type="t")
            for source, to, via in edges
        ),
        broker=Broker() if any(via == "event" for *_, via in edges) else None,
        parameters=(),
        folder="",
        sha256="",
    )


PAIR = chain_of(("a", "b", "call"))
EVENT_PAIR = chain_of(("a", "b", "event"))
MIXED = chain_of(("a", "b", "call"), ("b", "c", "event"), ("c", "d", "call"))
DIAMOND = chain_of(("a", "b", "call"), ("a", "c", "call"), ("b", "d", "call"), ("c", "d", "call"))
FAN_OUT = chain_of(("a", "b", "event"), ("a", "c", "event"), ("a", "d", "call"))


@dataclass(slots=True)
class Run:
    """Everything `judge` and `measure` look at, in lists that a test may spoil."""

    chain: ChainSpec
    calls: list[CallRecord] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    gaps: bool = False

    @property
    def bound(self) -> dict[str, str]:
        return {each.name: address_of(each.name) for each in self.chain.functions}

    @property
    def evidence(self) -> Evidence:
        stamped = [Stamped(each, each.ended_ns) for each in self.receipts]
        return Evidence(stamped, list(self.spans), list(self.incidents), self.gaps)

    def below(self, receipt: Receipt) -> list[Receipt]:
        """This handling and all that followed from it."""
        found = [receipt]
        for each in found:
            messages = {sent.message for sent in each.sent}
            found += [other for other in self.receipts if other.message in messages]
        return found

    def forget(self, receipts: Iterable[Receipt]) -> None:
        """As if these handlings had never been: neither a receipt nor a span of them is left."""
        gone = list(receipts)
        handled = {(each.message, each.function) for each in gone}
        sent = {message.message for each in gone for message in each.sent}
        self.receipts = [each for each in self.receipts if each not in gone]
        self.spans = [
            span
            for span in self.spans
            if (span.tags["toolkit.message"], span.service) not in handled
            and not (span.kind in ("CLIENT", "PRODUCER") and span.tags["toolkit.message"] in sent)
        ]

    def replace_receipt(self, receipt: Receipt, **changes: object) -> Receipt:
        changed = dataclasses.replace(receipt, **changes)  # type: ignore[arg-type]
        self.receipts[self.receipts.index(receipt)] = changed
        return changed

    def replace_span(self, span: Span, **changes: object) -> None:
        self.spans[self.spans.index(span)] = dataclasses.replace(span, **changes)  # type: ignore[arg-type]


def address_of(function: str) -> str:
    return f"127.0.0.1:{5000 + sum(function.encode())}"


def healthy(chain: ChainSpec, calls: int = 3, *, sampled: Callable[[int], bool] = lambda _: True) -> Run:
    """`calls` calls, 10 ms apart, each of them answered after 2 ms."""
    run = Run(chain)
    for seq in range(calls):
        call = f"{seq + 1:032x}"
        due = (seq + 1) * 10 * MS
        request = f"request {seq}".encode()
        record = CallRecord(
            seq, call, f"a{seq + 1:031x}", sampled(seq), due, due + 1000, due + 2 * MS, "OK",
            reply="hello", size=len(request), digest=digest(request), reply_digest=digest(_answer(chain.entry, call)),
        )  # fmt: skip
        run.calls.append(record)
        root = _span(run, record, CALLER, "CLIENT", call, None)
        _handle(run, record, chain.entry, "entry", CALLER, call, request, root)
    return run


def _handle(
    run: Run, record: CallRecord, function: str, via: str, sender: str, message: str, body: bytes, parent: str | None
) -> Receipt:
    own = _span(run, record, function, "CONSUMER" if via == "event" else "SERVER", message, parent)
    seq = sum(each.function == function for each in run.receipts)
    receipt = Receipt(
        record.call, function, f"replica-{function}", seq, message, via, sender, digest(body), len(body),  # type: ignore[arg-type]
        record.due_ns + MS // 2, record.due_ns + MS, type="t" if via == "event" else None,
    )  # fmt: skip
    if via != "event":
        receipt = replace(receipt, reply=digest(_answer(function, message)), reply_size=len(_answer(function, message)))
    at = len(run.receipts)
    run.receipts.append(receipt)
    sent = tuple(_send(run, record, function, message, index, edges, own) for index, edges in _outgoing(run, function))
    run.receipts[at] = replace(receipt, sent=sent)
    return run.receipts[at]


def _outgoing(run: Run, function: str) -> Iterable[tuple[int, list[Edge]]]:
    """A call each, and one event for all its subscribers."""
    edges = run.chain.out_of(function)
    groups = [[edge] for edge in edges if edge.via == "call"]
    if events := [edge for edge in edges if edge.via == "event"]:
        groups.append(events)
    return enumerate(groups)


def _send(
    run: Run, record: CallRecord, function: str, parent: str, index: int, edges: list[Edge], own: str | None
) -> Sent:
    message = child_id(parent, function, index)
    body = f"{message} from {function}".encode()
    via, is_call = edges[0].via, edges[0].via == "call"
    span = _span(run, record, function, "CLIENT" if is_call else "PRODUCER", message, own)
    for edge in edges:
        _handle(run, record, edge.to, via, function, message, body, span)
    answer = _answer(edges[0].to, message) if is_call else None
    return Sent(
        via, message, digest(body), len(body), address_of(edges[0].to) if is_call else SINK,
        to=edges[0].to if is_call else None, type=None if is_call else "t",
        reply=None if answer is None else digest(answer), reply_size=None if answer is None else len(answer),
    )  # fmt: skip


def _answer(function: str, message: str) -> bytes:
    return f"{function} answers {message}".encode()


def _span(run: Run, record: CallRecord, service: str, kind: Kind, message: str, parent: str | None) -> str | None:
    if not record.sampled:
        return None
    identity = f"{len(run.spans) + 1:016x}"
    tags = {"toolkit.call": record.call, "toolkit.message": message}
    start = record.due_ns // 1000 + len(run.spans)
    run.spans.append(Span(record.trace, identity, kind.lower(), service, parent, kind, start, 100, tags=tags))
    return identity
