"""From receipts to the spans that must be there: what happened decides what the trace has to say.

May live here: the expectation of one call's trace, as data, and how receipts become one. Judging spans is `match`'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from toolkit.contract import CALLER, Receipt, Sent
from toolkit.traces.model import Kind

MESSAGE_TAG = "toolkit.message"  # every span of the scaffold and of the caller says which message it is about
ORIGIN_TAG = "cloudevents.traceparent"  # on CONSUMER spans: the traceparent extension, the origin of a reply's event


class Key(NamedTuple):
    """Names the spans that one side of one message leaves."""

    service: str
    kind: Kind
    message: str


@dataclass(frozen=True, slots=True)
class ExpectedSpan:
    """`least` to `most` spans of this service and kind about this message, below a span of `parent` (None: a root)."""

    service: str
    kind: Kind
    message: str
    parent: Key | None
    least: int = 1
    most: int = 1

    @property
    def key(self) -> Key:
        return Key(self.service, self.kind, self.message)


def expect(receipts: Sequence[Receipt], call: str) -> list[ExpectedSpan]:
    """The spans that `call` must have left, told by the receipts of that call (others are passed over).

    The caller's CLIENT span is the root; the entry's SERVER span is below it. Each message that a function sent leaves
    a CLIENT or PRODUCER span below the span of the message the function was handling. Each receipt leaves a SERVER or
    CONSUMER span below the sender's; a message handled n times leaves n, and the messages sent meanwhile, whose ids are
    derived, n times as well. A call that was accepted was served, receipt or not; one that failed may have been.
    """
    own = [receipt for receipt in receipts if receipt.call == call]
    wanted: Counter[ExpectedSpan] = Counter({ExpectedSpan(CALLER, "CLIENT", call, None): 1})
    senders = {sent.message: _sender(receipt, sent) for receipt in own for sent in receipt.sent}
    wanted.update(_received(receipt, senders) for receipt in own)
    wanted.update(_sent(receipt, sent) for receipt in own for sent in receipt.sent)
    spans = [_times(span, times) for span, times in wanted.items()]
    return spans + _unconfirmed(own)


def _received(receipt: Receipt, senders: dict[str, Key]) -> ExpectedSpan:
    key = _handled(receipt)
    if receipt.via == "entry":
        return ExpectedSpan(*key, parent=Key(CALLER, "CLIENT", receipt.message))
    kind: Kind = "CLIENT" if receipt.via == "call" else "PRODUCER"
    return ExpectedSpan(*key, parent=senders.get(receipt.message, Key(receipt.sender.lower(), kind, receipt.message)))


def _sent(receipt: Receipt, sent: Sent) -> ExpectedSpan:
    return ExpectedSpan(*_sender(receipt, sent), parent=_handled(receipt))


def _handled(receipt: Receipt) -> Key:
    return Key(receipt.function.lower(), "CONSUMER" if receipt.via == "event" else "SERVER", receipt.message)


def _sender(receipt: Receipt, sent: Sent) -> Key:
    return Key(receipt.function.lower(), "CLIENT" if sent.via == "call" else "PRODUCER", sent.message)


def _times(span: ExpectedSpan, times: int) -> ExpectedSpan:
    return ExpectedSpan(span.service, span.kind, span.message, span.parent, times, times)


def _unconfirmed(receipts: Sequence[Receipt]) -> list[ExpectedSpan]:
    """The serving side of calls without a receipt: there when the call was accepted, perhaps there when it failed."""
    confirmed = {(receipt.message, receipt.function) for receipt in receipts}
    calls = [(receipt, sent) for receipt in receipts for sent in receipt.sent if sent.via == "call" and sent.to]
    found: dict[ExpectedSpan, list[bool]] = {}
    for receipt, sent in calls:
        if (sent.message, sent.to) not in confirmed:
            span = ExpectedSpan((sent.to or "").lower(), "SERVER", sent.message, _sender(receipt, sent))
            found.setdefault(span, []).append(sent.accepted)
    return [
        ExpectedSpan(span.service, span.kind, span.message, span.parent, sum(accepted), len(accepted))
        for span, accepted in found.items()
    ]
