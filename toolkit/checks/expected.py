"""`expected`: the chain's own answers are right, as far as the chain can say it.

May live here: which answers a call had, and what was said about them. May not: judging them, which runs the chain's own
code (`toolkit.answers`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from toolkit.checks.ledger import FEW, Ledger, short, some
from toolkit.checks.messages import incomplete
from toolkit.contract import Receipt
from toolkit.results import Check
from toolkit.spec.model import ChainSpec


def answers(receipts: Iterable[Receipt]) -> Mapping[str, Sequence[str]]:
    """The different answers of each call. Once another function has said an answer, to any call, this is a chain that
    answers later, and what its entry replied is no answer, of no call."""
    said: dict[str, dict[str, None]] = {}
    replied: dict[str, dict[str, None]] = {}
    for receipt in receipts:
        if receipt.answer is not None and receipt.error is None:
            place = replied if receipt.via == "entry" else said
            place.setdefault(receipt.call, {})[receipt.answer] = None
    return {call: list(found) for call, found in (said or replied).items()}


def size(chain: ChainSpec) -> int | None:
    """What the judge of answers is told about how large the input was: the parameter `size`, or else `payload`."""
    for name in ("size", "payload"):
        value = chain.parameter(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None


def expected(ledger: Ledger) -> Check:
    """Of calls that were answered OK; one that left no receipt for its answer is `delivered`'s."""
    wanted = f"every answer right, as {ledger.chain.expect} judges it"
    judged = ledger.judged
    if not any(call.ok for call in ledger.calls):
        return Check("expected", True, wanted, "no call was answered OK (see answered)")
    if judged is None:
        return Check("expected", False, wanted, "the answers were not judged")
    found = answers(each for own in ledger.by_call.values() for each in own)
    unseen = incomplete(ledger)
    right, silent, wrong = 0, 0, list[tuple[str, str]]()
    for call in ledger.calls:
        own = found.get(call.call, ())
        if not call.ok or (not own and call.call in unseen):
            silent += call.ok
            continue
        if len(own) == 1 and call.call in judged and judged[call.call] is None:
            right += 1
        else:
            wrong.append((f"call {call.seq} ({short(call.call)})", _wrong(own, judged.get(call.call))))
    got = f"{right:,} right" if right else "none is right"
    aside = f"{some(silent, 'answer')} nobody knows of (see delivered)" if silent else ""
    return Check(
        "expected",
        not wrong,
        wanted,
        "; ".join(filter(None, [_summary(wrong), got, aside])),
        tuple(f"{call}: {text}" for call, text in wrong[:FEW]),
    )


def _wrong(own: Sequence[str], verdict: str | None) -> str:
    if not own:
        return "there is no answer"
    if len(own) > 1:
        return f"there are {len(own)} different answers: {own[0][:40]!r}, {own[1][:40]!r}"
    return verdict or "the answer was not judged"


def _summary(wrong: Sequence[tuple[str, str]]) -> str:
    """What is said of all alike is said once, without a call's name."""
    if not wrong:
        return ""
    call, text = wrong[0]
    alike = len({text for _, text in wrong}) == 1
    return f"{len(wrong):,} wrong: {text}" if alike else f"{len(wrong):,} wrong: {call}: {text}"
