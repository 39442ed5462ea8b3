"""When the receipts of a load are all there: what was accepted, and is not yet handled by everyone it was for.

May live here: keeping account, one receipt after the other. May not: judging what is missing (`checks`), waiting.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from toolkit.contract import Receipt
from toolkit.spec.model import ChainSpec

Handled = tuple[str, str]  # message, function


class Account:
    """Of the calls that were answered, and of all that followed. Receipts may come in any order.

    What is under way follows from a message that was accepted and is not handled yet: from that of a function that
    still works, or from one that nobody has taken. A handling that failed has handled nothing: it comes again.
    """

    def __init__(self, chain: ChainSpec, calls: Iterable[str]) -> None:
        self._chain = chain
        self._handled: set[Handled] = set()
        self._open: set[Handled] = {(call, chain.entry) for call in calls}
        self._subscribers: dict[tuple[str, str | None], list[str]] = defaultdict(list)
        for edge in chain.edges:
            if edge.via == "event":
                self._subscribers[edge.source, edge.type].append(edge.to)

    @property
    def open(self) -> int:
        """Messages that were accepted and not handled so far, once for each receiver."""
        return len(self._open)

    def add(self, receipt: Receipt) -> None:
        if receipt.error is None:
            key = (receipt.message, receipt.function)
            self._handled.add(key)
            self._open.discard(key)
        for sent in receipt.sent:
            if sent.accepted:
                to = [sent.to or ""] if sent.via == "call" else self._subscribers.get((receipt.function, sent.type), ())
                self._open.update(key for each in to if (key := (sent.message, each)) not in self._handled)
