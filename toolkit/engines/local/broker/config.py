"""What a broker is told: brokers, triggers and delivery rules, as data, to and from JSON.

May live here: the shape of the configuration and its validation. Durations are seconds, URLs absolute http(s). The
fields follow `Broker.spec`, `Trigger.spec` and `DeliverySpec`; references are already resolved to URLs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from toolkit.sdk.http1 import split_url

BackoffPolicy = Literal["linear", "exponential"]


class ConfigError(ValueError):
    """The configuration cannot be used; the text names the place."""


@dataclass(frozen=True, slots=True)
class DeliveryConfig:
    """`DeliverySpec`. All left out: one attempt, no dead letter sink. `dead_letter` is a URL."""

    retry: int | None = None
    backoffPolicy: BackoffPolicy | None = None  # noqa: N815  # the CRD's name
    backoffDelay_s: float | None = None  # noqa: N815
    timeout_s: float | None = None
    dead_letter: str | None = None
    format: Literal["json", "binary"] | None = None

    def __post_init__(self) -> None:
        _whole(self.retry, "retry")
        _choice(self.backoffPolicy, ("linear", "exponential"), "backoffPolicy")
        _choice(self.format, ("json", "binary"), "format")
        _seconds(self.backoffDelay_s, "backoffDelay_s")
        _seconds(self.timeout_s, "timeout_s")
        if self.dead_letter is not None:
            _url(self.dead_letter, "dead_letter")


@dataclass(frozen=True, slots=True)
class TriggerConfig:
    """One Trigger. `subscribers` are the URLs of its replicas, used in turn; `filters` as in `Trigger.spec.filters`.

    The legacy `filter.attributes` is one more filter here: `{"attributes": {...}}`, heeded only when it is alone
    (Knative ignores it beside `filters`). `delivery` None: the broker's; even an empty one replaces it.
    """

    name: str
    subscribers: tuple[str, ...]
    filters: tuple[Mapping[str, Any], ...] = ()
    delivery: DeliveryConfig | None = None

    def __post_init__(self) -> None:
        if not self.subscribers:
            raise ConfigError(f"trigger {self.name!r}: it has no subscriber")
        for each in self.subscribers:
            _url(each, f"trigger {self.name!r}: subscriber")


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    """One Broker at `/{namespace}/{name}`. `delivery` None: Knative's default (10 retries, exponential, 0.2 s)."""

    namespace: str
    name: str
    triggers: tuple[TriggerConfig, ...] = ()
    acknowledge: Literal["sync", "async"] = "sync"
    delivery: DeliveryConfig | None = None

    def __post_init__(self) -> None:
        _choice(self.acknowledge, ("sync", "async"), f"broker {self.name!r}: acknowledge")
        for what, text in (("namespace", self.namespace), ("name", self.name)):
            if not isinstance(text, str) or not text or "/" in text:
                raise ConfigError(f"broker {self.name!r}: {what} is {text!r}; it must be a name without '/'")

    @property
    def path(self) -> str:
        return f"/{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class ServiceConfig:
    """The whole of one broker process."""

    brokers: tuple[BrokerConfig, ...]
    host: str = "127.0.0.1"
    port: int = 0


def encode(config: ServiceConfig) -> str:
    """One JSON object on one line, as `python -m toolkit.engines.local.broker` takes it."""
    return json.dumps(asdict(config), separators=(",", ":"))


def decode(text: str | bytes) -> ServiceConfig:
    """The configuration in `text`; raises ConfigError."""
    try:
        found = json.loads(text)
        brokers = tuple(_broker(each) for each in found["brokers"])
        return ServiceConfig(brokers, **{key: found[key] for key in found if key != "brokers"})
    except ConfigError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ConfigError(f"not a broker configuration: {type(error).__name__}: {error}") from error


def _broker(found: Mapping[str, Any]) -> BrokerConfig:
    fields = dict(found)
    fields["triggers"] = tuple(_trigger(each) for each in fields.get("triggers") or ())
    fields["delivery"] = _delivery(fields.get("delivery"))
    return BrokerConfig(**fields)


def _trigger(found: Mapping[str, Any]) -> TriggerConfig:
    fields = dict(found)
    fields["subscribers"] = tuple(fields["subscribers"])
    fields["filters"] = tuple(fields.get("filters") or ())
    fields["delivery"] = _delivery(fields.get("delivery"))
    return TriggerConfig(**fields)


def _delivery(found: Mapping[str, Any] | None) -> DeliveryConfig | None:
    return None if found is None else DeliveryConfig(**found)


def _whole(value: object, what: str) -> None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise ConfigError(f"{what} is {value!r}; it must be a whole number, 0 or more")


def _seconds(value: object, what: str) -> None:
    if value is None:
        return
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1e9:
        raise ConfigError(f"{what} is {value!r}; it must be a number of seconds, 0 or more")


def _choice(value: object, choices: Sequence[str], what: str) -> None:
    if value is not None and value not in choices:
        raise ConfigError(f"{what} is {value!r}; it must be one of {', '.join(choices)}")


def _url(value: object, what: str) -> None:
    try:
        split_url(value if isinstance(value, str) else str(value))
    except ValueError as error:
        raise ConfigError(f"{what}: {error}") from None


# What Knative's webhook writes into a Broker without `spec.delivery` (config-br-defaults).
DEFAULT_DELIVERY = DeliveryConfig(retry=10, backoffPolicy="exponential", backoffDelay_s=0.2)
