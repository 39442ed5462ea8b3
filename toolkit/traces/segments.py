"""A piece of a trace's time that answers to one thing, as data.

May live here: the words for what time is spent on, and the segment. Cutting is `critical`'s (the path that decides a
trace's end) and `anatomy`'s (the way of each message).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

What = Literal[
    "work",  # in a function: the user's code and the scaffold around it
    "network",  # between two sides, where nobody tells of anything else
    "gateway",  # the ingress (Kourier's Envoy, Istio)
    "proxy",  # activator and queue-proxy, without what they waited for
    "cold wait",  # the activator's wait for capacity: `throttler_try`
    "queue",  # queue-proxy's breaker: `kn.queueproxy.wait`, `queue_wait`
    "broker ingress",
    "dispatch",  # the channel's dispatcher
    "filter",  # the broker's filter, one for each trigger
    "unattributed",  # no span explains it
]
WHATS: tuple[What, ...] = get_args(What)


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """`start` and `end` in microseconds since the epoch; `span` is the id of the span that answers for it, if one does.

    `label` is a service for its own work, `a → b (call)` for the way between the sides of a call and whatever queues
    there, `a → b (event)` from publishing to delivery, `activator (platform)` for what a part of the platform says it
    did on such a way, or `unattributed`.
    """

    start: int
    end: int
    label: str
    what: What = "unattributed"
    span: str | None = None

    @property
    def duration_us(self) -> int:
        return self.end - self.start
