"""`intact`: what was received is what was sent, byte for byte: messages and their answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from toolkit.checks.ledger import Ledger, short, some, verdict
from toolkit.contract import CALLER, Receipt
from toolkit.results import CallRecord, Check

Print = tuple[str, int | None]  # digest and size; the caller keeps no size of an answer


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Something that was received, and all that may have been sent in its place (more than one if it was repeated)."""

    call: str
    receiver: str
    sender: str
    what: str
    got: Print
    sent: frozenset[Print]

    @property
    def alike(self) -> bool:
        return self.got in self.sent

    def __str__(self) -> str:
        left, what = _said(min(self.sent, key=str)), f"{self.sender} {self.what}"
        return f"{self.receiver} received {_said(self.got)}, but {what} {left} (call {short(self.call)})"


def intact(ledger: Ledger) -> Check:
    """Each message and each answer has the digest and the size that it left with, and an id is one message's. What one
    side alone knows of is not compared: a message without a receipt is `delivered`'s."""
    messages, answers, twice = list(_messages(ledger)), list(_answers(ledger)), list(_of_one_id(ledger))
    counted = [some(len(messages), "message"), some(len(answers), "answer")]
    return verdict(
        "intact",
        "every message and every answer received as it was sent",
        f"{' and '.join(filter(None, counted))} compared, all alike" if messages else "nothing was received",
        [*(str(each) for each in (*messages, *answers) if not each.alike), *twice],
    )


def altered(ledger: Ledger) -> frozenset[str]:
    """The calls of which a message or an answer was changed on its way, so that nobody can say how they had ended."""
    return frozenset(each.call for each in (*_messages(ledger), *_answers(ledger)) if not each.alike)


def _of_one_id(ledger: Ledger) -> Iterator[str]:
    """Ids that two different messages had, so that whoever goes by ids loses one of them, and takes another twice.

    Of data that travels by reference, the reference is compared, which says the data's own digest. What was not taken
    is left out: of a stream that broke off, only a part has been hashed.
    """
    for sends in ledger.sends.values():
        prints = {(sent.digest, sent.size) for _, sent in sends if sent.accepted} if len(sends) > 1 else ()
        if len(prints) > 1:
            receipt, sent = sends[0]
            what = f"a call to {sent.to}" if sent.via == "call" else f"an event {sent.type}"
            yield (
                f"{receipt.function} sent {len(prints)} different messages with one id, {what}, when it handled a "
                f"message again: sends that race need a `key` (call {short(receipt.call)})"
            )


def _messages(ledger: Ledger) -> Iterator[_Comparison]:
    asked = {call.call: frozenset({(call.digest, call.size)} if call.digest else ()) for call in ledger.calls}
    for receipt in (each for own in ledger.by_call.values() for each in own):
        if receipt.via == "entry":
            sent: frozenset[Print] = asked[receipt.call]
        else:
            sent = frozenset((each.digest, each.size) for _, each in ledger.sends.get(receipt.message, ()))
        if sent:
            got = (receipt.digest, receipt.size)
            yield _Comparison(receipt.call, receipt.function, receipt.sender, "sent", got, sent)


def _answers(ledger: Ledger) -> Iterator[_Comparison]:
    for call in ledger.calls:
        if call.reply_digest is not None:
            yield from _answer_to_the_caller(ledger, call, call.reply_digest)
    for receipt in (each for own in ledger.by_call.values() for each in own):
        for sent in receipt.sent:
            if sent.reply is None or sent.to is None:
                continue
            if left := _answered(ledger, sent.message, sent.to):
                got = (sent.reply, sent.reply_size)
                yield _Comparison(receipt.call, receipt.function, sent.to, "answered", got, left)


def _answer_to_the_caller(ledger: Ledger, call: CallRecord, digest: str) -> Iterator[_Comparison]:
    entry = ledger.chain.entry
    if left := _answered(ledger, call.call, entry):
        sent: frozenset[Print] = frozenset((each, None) for each, _ in left)
        yield _Comparison(call.call, CALLER, entry, "answered", (digest, None), sent)


def _answered(ledger: Ledger, message: str, function: str) -> frozenset[Print]:
    """What left as the answer to a message; handled more than once, any of its answers may be the one that came."""
    handlings: tuple[Receipt, ...] = tuple(ledger.handlings.get((message, function), ()))
    return frozenset((each.reply, each.reply_size) for each in handlings if each.reply is not None)


def _said(of: Print) -> str:
    digest, size = of
    what = "bytes" if size is None else some(size, "byte") or "nothing"
    return f"{what} with digest {digest}"
