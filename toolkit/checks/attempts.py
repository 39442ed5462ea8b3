"""What one handling sent over a call edge, attempt by attempt: which were tried again, and which failed for good.

May live here: telling attempts from messages. May not: what an edge allows (`followed`), what was lost (`messages`).

An attempt is a message of its own with the same bytes. One that failed is the last of its message, or another one
follows: behind a failure that the other side wrote down as its own there is none, as the scaffold tries again only what
failed for now.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from toolkit.checks.ledger import Ledger
from toolkit.contract import Receipt, Sent
from toolkit.spec.model import Edge

FOR_NOW = ("UNAVAILABLE", "ABORTED", "RESOURCE_EXHAUSTED")  # what the scaffold tries again


@dataclass(frozen=True, slots=True)
class Tried:
    """Over one edge: `least` to `most` messages, of which `lost_least` to `lost_most` failed for good.

    `again` are the attempts that another one followed, `lost` those with which a message was given up. `early`: one was
    given up though it could have been tried again. `late`: one was tried again after it had succeeded.
    """

    least: int
    most: int
    lost_least: int = 0
    lost_most: int = 0
    again: tuple[Sent, ...] = ()
    lost: tuple[Sent, ...] = ()
    early: bool = False
    late: bool = False


def tried(ledger: Ledger, receipt: Receipt, edge: Edge) -> Tried:
    """What became of the messages that a handling sent over this call edge."""
    own = [each for each in receipt.sent if each.via == "call" and each.to == edge.to]
    if all(each.accepted for each in own):
        return Tried(len(own), len(own))
    found = [_of_one_request(ledger, each, edge.retry) for each in _requests(own, edge)]
    return Tried(
        sum(each.least for each in found),
        sum(each.most for each in found),
        sum(each.lost_least for each in found),
        sum(each.lost_most for each in found),
        tuple(sent for each in found for sent in each.again),
        tuple(sent for each in found for sent in each.lost),
        any(each.early for each in found),
        any(each.late for each in found),
    )


def _requests(own: Sequence[Sent], edge: Edge) -> Iterator[Sequence[Sent]]:
    """Attempts with the same bytes. What travels aside is named by other bytes each time."""
    inline = edge.transfer in ("inline", "stream")
    found: dict[str, list[Sent]] = defaultdict(list)
    for each in own:
        found[each.digest if inline else ""].append(each)
    return iter(found.values())


def _of_one_request(ledger: Ledger, own: Sequence[Sent], retry: int) -> Tried:
    """`own` may be several messages that say the same: how many there were follows from what became of them."""
    failed = [each for each in own if not each.accepted]
    accepted, ends = len(own) - len(failed), [_is_the_end(ledger, each) for each in failed]
    final, open_ = sum(end is True for end in ends), sum(end is None for end in ends)
    certain = len(failed) - final - open_
    least = _given_up(certain + open_, accepted + final, retry)
    most = final + open_ + certain // (1 + retry)
    early = final + least > most
    lost = [each for each, end in zip(failed, ends, strict=True) if end]
    others = [each for each, end in zip(failed, ends, strict=True) if not end]
    lost += others[len(others) - least :]
    return Tried(
        accepted + final + least,
        accepted + max(most, final + least),
        final + least,
        max(most, final + least),
        tuple(others[: len(others) - least]),
        tuple(lost),
        early,
        late=bool(accepted) and most == 0 and not own[-1].accepted,
    )


def _given_up(failed: int, ended: int, retry: int) -> int:
    """How many messages were given up at least: each that `ended` otherwise explains `retry` failures before."""
    return max(0, -(-(failed - ended * retry) // (1 + retry)))


def _is_the_end(ledger: Ledger, sent: Sent) -> bool | None:
    """Whether nothing follows this failed attempt; None: nobody can say."""
    handlings = ledger.handlings.get((sent.message, sent.to or ""), ())
    if not handlings:  # never reached, or gone with its receipt
        return None if sent.to in ledger.restarted else False
    if any(each.error is None for each in handlings):  # the answer was lost, or came too late
        return None
    return not any((each.error or "").startswith(FOR_NOW) for each in handlings)


def made_good(ledger: Ledger) -> Mapping[str, str]:
    """The failed attempts that did no harm, by message: `retried`, or `replaced` by what the edge's fallback did."""
    found: dict[str, str] = {}
    edges = [edge for edge in ledger.chain.edges if edge.via == "call"]
    replaced = {(edge.source, edge.fallback) for edge in edges if edge.fallback}
    patient = [edge for edge in edges if edge.retry or (edge.source, edge.to) in replaced]
    if not patient:
        return found
    for own in ledger.by_call.values():
        for receipt in own:
            if all(sent.accepted for sent in receipt.sent):
                continue
            for edge in patient:
                if edge.source == receipt.function:
                    outcome = tried(ledger, receipt, edge)
                    found.update((sent.message, "retried") for sent in outcome.again)
                    if (edge.source, edge.to) in replaced and receipt.error is None:
                        found.update((sent.message, "replaced") for sent in outcome.lost)
    return found
