"""What the spans of one trace tell of one message's way into a function: who sent it when, and who held it up.

May live here: finding these spans. May not: what is made of them (`cold`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from toolkit.measure.witnesses import WAIT
from toolkit.traces.expect import MESSAGE_TAG
from toolkit.traces.model import Span
from toolkit.traces.platform import part

SENT, RECEIVED = ("CLIENT", "PRODUCER"), ("SERVER", "CONSUMER")


def of_message(spans: Sequence[Span], function: str, message: str) -> Mapping[str, int | None]:
    """Wall-clock nanoseconds: when it was `sent`, came to the activator (`asked`), was let through there (`admitted`),
    and came to queue-proxy (`queued`). None where no span says so.
    """
    about = [span for span in spans if span.tags.get(MESSAGE_TAG) == message and span.timestamp]
    sent = [span for span in about if span.kind in SENT]
    received = [span for span in about if span.kind in RECEIVED and span.service == function.lower()]
    above = list(_above(spans, received[0])) if received else []
    ids = {each.id for each in above}
    waits = [
        span for span in spans if span.name == WAIT and span.kind is None and span.parent in ids and span.timestamp
    ]
    queued = [span for span in above if part(span, (function.lower(),)) == "queue-proxy" and span.timestamp]
    return {
        "sent": _first(sent),
        "asked": _first(waits),
        "admitted": max(((span.timestamp or 0) + (span.duration or 0)) * 1000 for span in waits) if waits else None,
        "queued": _first(queued),
    }


def _above(spans: Sequence[Span], span: Span) -> Iterator[Span]:
    """Whoever stands between this span and the one about the message before it, the nearest first."""
    by_id = {each.id: each for each in spans}
    seen = {span.id}
    while span.parent is not None and span.parent not in seen and (above := by_id.get(span.parent)) is not None:
        if MESSAGE_TAG in above.tags:
            return
        seen.add(above.id)
        yield above
        span = above


def _first(spans: Sequence[Span]) -> int | None:
    return min((span.timestamp or 0) * 1000 for span in spans) if spans else None
