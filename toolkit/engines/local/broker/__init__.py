"""The embedded broker: answers and delivers on the wire as Knative's MTChannelBasedBroker over InMemoryChannel does.

Recorded from a real one (Knative Eventing 1.22) and replayed against this one by `tests/broker`. Pure parts: `event`
(decode, normalise, validate), `golang` (the Go rules behind it), `filters` and `cesql`, `policy`, `tracing`, `wire`.
I/O: `ingress`, `delivery`, `service`. What it does not copy, and why, is in docs/broker.md: nothing of its crashes.
"""

from toolkit.engines.local.broker.config import (
    BrokerConfig,
    ConfigError,
    DeliveryConfig,
    ServiceConfig,
    TriggerConfig,
    decode,
    encode,
)
from toolkit.engines.local.broker.service import RunningBroker, serve

__all__ = [
    "BrokerConfig",
    "ConfigError",
    "DeliveryConfig",
    "RunningBroker",
    "ServiceConfig",
    "TriggerConfig",
    "decode",
    "encode",
    "serve",
]
