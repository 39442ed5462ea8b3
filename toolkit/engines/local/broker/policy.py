"""How often, when and where to: attempts, waits, what counts as failure, hops left, and what a dead letter says.

May live here: pure arithmetic and tables (eventing `kncloudevents/retries.go`, `event_dispatcher.go`, `broker/ttl.go`).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from toolkit.engines.local.broker import golang
from toolkit.engines.local.broker.config import DEFAULT_DELIVERY, BrokerConfig, DeliveryConfig, TriggerConfig
from toolkit.engines.local.broker.event import TTL, Message

MAX_TTL = 255  # of broker-ingress
ERROR_DATA_LIMIT = 1024  # characters of base64
ERROR_BODY_LIMIT = ERROR_DATA_LIMIT // 4 * 3  # bytes; one more kills the real dispatcher when there is a sink
_RETRIED = frozenset({404, 408, 409, 429})


def effective(broker: BrokerConfig, trigger: TriggerConfig) -> DeliveryConfig:
    """The Trigger's delivery replaces the Broker's as a whole, even when it is empty; only the sink falls back."""
    outer = DEFAULT_DELIVERY if broker.delivery is None else broker.delivery
    if trigger.delivery is None:
        # The Broker's format reaches the hop to the filter, not the one to the subscriber.
        return DeliveryConfig(
            outer.retry, outer.backoffPolicy, outer.backoffDelay_s, outer.timeout_s, outer.dead_letter
        )
    own = trigger.delivery
    sink = own.dead_letter or outer.dead_letter
    return DeliveryConfig(own.retry, own.backoffPolicy, own.backoffDelay_s, own.timeout_s, sink, own.format)


def attempts(delivery: DeliveryConfig) -> int:
    return 1 + (delivery.retry or 0)


def wait_s(delivery: DeliveryConfig, retry: int) -> float:
    """Seconds before retry `retry`, counted from 0. Without a policy or a delay there is none; linear begins with 0."""
    if delivery.backoffPolicy is None or not delivery.backoffDelay_s:
        return 0.0
    if delivery.backoffPolicy == "linear":
        return delivery.backoffDelay_s * retry
    return delivery.backoffDelay_s * float(2 ** min(retry, 60))


def is_retried(status: int) -> bool:
    return status >= 500 or status in _RETRIED


def next_ttl(value: bytes | None) -> int:
    """The hops an event has left once it is in, from what it says itself; 0 or less: it goes no further."""
    if value is None:
        return MAX_TTL
    try:
        left = golang.to_int32(value)
    except ValueError:
        return MAX_TTL
    return (left - 1 + 2**31) % 2**32 - 2**31  # int32 wraps


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a delivery failed. `status` and `body` are of the last attempt; `told` False: the dead letter hears nothing
    of it (a timeout, a reply that is no event)."""

    why: str
    retried: bool
    status: int = 500
    body: bytes = b""
    destination: str = ""
    told: bool = True


def dead_letter(message: Message, failure: Failure, ttl: int) -> Message:
    """The original event with the hops it has left and, where there is something to tell, the three extensions.

    What the producer set itself is not overwritten.
    """
    attributes = {**message.attributes, TTL: b"%d" % ttl}
    if failure.told:
        attributes.setdefault(b"knativeerrordest", failure.destination.encode())
        attributes.setdefault(b"knativeerrorcode", b"%d" % failure.status)
        attributes.setdefault(b"knativeerrordata", base64.b64encode(failure.body)[:ERROR_DATA_LIMIT])
    return Message(attributes, message.content_type, message.body)
