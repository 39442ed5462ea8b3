"""One call, told message by message: for shapes that are another one each time."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.unit.checks.simulation import MS, SINK, Run, address_of
from toolkit.checks.attempts import stand_in
from toolkit.contract import CALLER, Receipt, Sent, child_id, digest
from toolkit.results import CallRecord
from toolkit.spec.model import Broker, ChainSpec, Edge, Function
from toolkit.traces.model import Kind, Span

CALL = f"{1:032x}"
TRACE = f"a{1:031x}"


def chain(*edges: Edge, joins: dict[str, int] | None = None, gateway: str | None = None) -> ChainSpec:
    """The first edge leads out of the entry; `joins` say what a function waits for."""
    names = dict.fromkeys(name for edge in edges for name in (edge.source, edge.to))
    return ChainSpec(
        name="told",
        about="",
        entry=edges[0].source,
        functions=tuple(
            Function(
                name, f"{name}.py:handle", "h2c", join=(joins or {}).get(name), gateway="/" if name == gateway else None
            )
            for name in names
        ),
        edges=edges,
        broker=Broker(),
        parameters=(),
        folder="",
        sha256="",
    )


@dataclass(slots=True)
class Told:
    """A handling, as it is being told."""

    story: Story
    function: str
    message: str
    via: str
    sender: str
    body: bytes
    span: str
    type: str | None = None
    error: str | None = None
    waits: bool = False
    part: str | None = None
    joined: tuple[str, ...] = ()
    reply: bytes | None = None
    sent: list[Sent] = field(default_factory=list)

    def calls(
        self,
        to: str,
        body: bytes = b"same",
        *,
        fails: str | None = None,
        reached: bool = True,
        message: str | None = None,
    ) -> Told:
        """One attempt; `fails` with what `to` says of it, or, where it was not `reached`, without a word of `to`."""
        message = message or child_id(self.message, self.function, len(self.sent))
        span = self.story.span(self.function, "CLIENT", message, self.span)
        reply = None if fails else f"{to} answers".encode()
        self.sent.append(
            Sent(
                "call", message, digest(body), len(body), address_of(to), to=to, accepted=fails is None,
                reply=None if reply is None else digest(reply), reply_size=None if reply is None else len(reply),
            )
        )  # fmt: skip
        if not reached:
            return Told(self.story, to, message, "call", self.function, body, span)
        return self.story.handled(
            Told(self.story, to, message, "call", self.function, body, span, error=fails, reply=reply), "SERVER", span
        )

    def again(self, first: Told, number: int, *, fails: str | None = None, reached: bool = True) -> Told:
        """The attempt of this number after the first."""
        message = child_id(first.message, f"{self.function}/retry", number)
        return self.calls(first.function, first.body, fails=fails, reached=reached, message=message)

    def instead(self, first: Told, to: str, *, fails: str | None = None) -> Told:
        """What stands in for a message that failed for good."""
        return self.calls(to, first.body, fails=fails, message=stand_in(self.function, first.message, to))

    def emits(self, type: str, body: bytes = b"same") -> list[Told]:  # noqa: A002 - the event's word
        """One event; a handling for each of its subscribers."""
        message = child_id(self.message, self.function, len(self.sent))
        span = self.story.span(self.function, "PRODUCER", message, self.span)
        self.sent.append(Sent("event", message, digest(body), len(body), SINK, type=type))
        edges = [each for each in self.story.chain.out_of(self.function) if each.type == type]
        return [
            self.story.handled(
                Told(self.story, edge.to, message, "event", self.function, body, span, type), "CONSUMER", span
            )
            for edge in edges
        ]


@dataclass(slots=True)
class Story:
    chain: ChainSpec
    told: list[Told] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)

    def span(self, service: str, kind: Kind, message: str, parent: str | None) -> str:
        identity = f"{len(self.spans) + 1:016x}"
        tags = {"toolkit.call": CALL, "toolkit.message": message}
        start = 1_000_000 + len(self.spans)
        self.spans.append(Span(TRACE, identity, kind.lower(), service, parent, kind, start, 100, tags=tags))
        return identity

    def handled(self, told: Told, kind: Kind, parent: str) -> Told:
        told.span = self.span(told.function, kind, told.message, parent)
        self.told.append(told)
        return told

    def call(self) -> Told:
        """The one call, as the entry handles it."""
        root = self.span(CALLER, "CLIENT", CALL, None)
        entry = Told(self, self.chain.entry, CALL, "entry", CALLER, b"request", root, reply=b"hello")
        return self.handled(entry, "SERVER", root)

    def run(self) -> Run:
        due = 10 * MS
        record = CallRecord(
            0, CALL, TRACE, True, due, due, due + 2 * MS, "OK",
            reply="hello", size=7, digest=digest(b"request"), reply_digest=digest(b"hello"),
        )  # fmt: skip
        return Run(self.chain, [record], [_receipt(at, each) for at, each in enumerate(self.told)], list(self.spans))


def _receipt(at: int, told: Told) -> Receipt:
    reply = told.reply if told.error is None else None
    return Receipt(
        CALL, told.function, f"replica-{told.function}", at, told.message, told.via, told.sender,  # type: ignore[arg-type]
        digest(told.body), len(told.body), at * MS, at * MS + 1, type=told.type, sent=tuple(told.sent),
        error=told.error, joined=told.joined, waits=told.waits, part=told.part,
        reply=None if reply is None else digest(reply), reply_size=None if reply is None else len(reply),
    )  # fmt: skip
