"""Where each release of Knative keeps what it does with traces, and how that is read and said. Pure.

Up to 1.18 Serving and Eventing send Zipkin's JSON, as `config-tracing` says. From 1.19 they send OTLP, as
`config-observability` says, and `config-tracing` is an empty stub (knative.dev/pkg/observability/tracing). Kourier's
gateway sends OTLP of its own from 1.21, as `config-kourier` says (net-kourier/pkg/reconciler/ingress/config).

May live here: names, keys, values, defaults. May not: reading or writing a ConfigMap (`configmaps`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

SERVING, EVENTING = "knative-serving", "knative-eventing"
OTLP_SINCE = (1, 19)
_SENDING = ("http/protobuf", "grpc")
_ZEROTH = 27  # modules and nightly labels count v0.N, and v0.27 was released as 1.0
_VERSION = re.compile(r"v?(\d{1,4})\.(\d{1,4})(?:\.\d+)?(?:[-+].*)?", re.ASCII)

Release = tuple[int, int]
Data = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Dialect:
    """The keys of a ConfigMap and the value that turns tracing on; what counts where a key is not there.

    `speaks` is what goes over the wire, as it is told to people.
    """

    speaks: str
    protocol: str
    on: str
    endpoint: str
    rate: str
    absent_protocol: str
    absent_rate: str

    @property
    def keys(self) -> tuple[str, str, str]:
        return self.protocol, self.endpoint, self.rate

    def wanted(self, endpoint: str, rate: float) -> dict[str, str]:
        return {self.protocol: self.on, self.endpoint: endpoint, self.rate: f"{rate:g}"}

    def told(self, data: Data) -> Told:
        protocol = data.get(self.protocol) or self.absent_protocol
        endpoint = data.get(self.endpoint) or ""
        return Told(protocol, endpoint, data.get(self.rate) or self.absent_rate)


OTLP = Dialect("OTLP", "tracing-protocol", "http/protobuf", "tracing-endpoint", "tracing-sampling-rate", "none", "0")
GATEWAY = Dialect(
    "OTLP", "tracing-protocol", "http/protobuf", "tracing-endpoint", "tracing-sampling-rate", "grpc", "1.0"
)
ZIPKIN = Dialect("Zipkin", "backend", "zipkin", "zipkin-endpoint", "sample-rate", "none", "0.1")


@dataclass(frozen=True, slots=True)
class Told:
    """What a ConfigMap says, as its reader takes it. All are texts, for anything may stand there."""

    protocol: str
    endpoint: str
    rate: str

    @property
    def on(self) -> bool:
        """Whether spans leave at all."""
        return self.protocol not in ("none", "stdout") and bool(self.endpoint) and self.share > 0

    @property
    def share(self) -> float:
        """The share of requests that are traced; what is no number traces none."""
        try:
            return float(self.rate)
        except ValueError:
            return 0.0

    def __str__(self) -> str:
        if not self.on:
            return "off" if not self.endpoint or self.protocol == "none" else f"off (a sampling rate of {self.rate})"
        return f"{self.protocol} to {self.endpoint}, {self.share:.4g} of all requests"


@dataclass(frozen=True, slots=True)
class Place:
    """A ConfigMap that says something of tracing."""

    namespace: str
    name: str
    dialect: Dialect

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


KOURIER = Place(SERVING, "config-kourier", GATEWAY)


def place(part: str, *, otlp: bool) -> Place:
    """Of Serving, or of Eventing."""
    return Place(part, "config-observability", OTLP) if otlp else Place(part, "config-tracing", ZIPKIN)


EVERY = (*(place(part, otlp=otlp) for part in (SERVING, EVENTING) for otlp in (True, False)), KOURIER)

READ_AT_START: Mapping[str, tuple[str, ...]] = {
    SERVING: ("activator",),
    EVENTING: ("mt-broker-ingress", "mt-broker-filter", "imc-dispatcher"),
}
"""The Deployments on the way of a request or an event that ask OTLP's place once, when they start.

Serving's controller watches it, and gives the queue-proxies theirs; Kourier's watches its own and tells Envoy.
"""


def refused(data: Data) -> str | None:
    """Why no part of Knative that speaks OTLP starts with what `config-observability` says; None when it is fine.

    The rules of `Validate` in knative.dev/pkg/observability/tracing, of which a part dies in `SetupObservabilityOrDie`.
    """
    protocol, endpoint = data.get(OTLP.protocol, OTLP.absent_protocol), data.get(OTLP.endpoint, "")
    if protocol not in (*_SENDING, "none", "stdout"):
        return f"{OTLP.protocol} is {protocol!r}, which is none of http/protobuf, grpc, stdout and none"
    if protocol in _SENDING and not endpoint:
        return f"{OTLP.protocol} is {protocol}, and {OTLP.endpoint} is not there"
    if protocol not in _SENDING and endpoint:
        return f"{OTLP.endpoint} is there, and {OTLP.protocol} is {protocol}"
    rate = data.get(OTLP.rate, OTLP.absent_rate)
    try:
        fine = 0 <= float(rate) <= 1
    except ValueError:
        fine = False
    return None if fine else f"{OTLP.rate} is {rate!r}, which is no number from 0 to 1"


def release(text: str) -> Release | None:
    """`1.18.2`, `v1.18.2`, and `v0.50.0` for 1.23; None of what is no release, such as a nightly build."""
    found = _VERSION.fullmatch(text.strip())
    if found is None:
        return None
    major, minor = int(found[1]), int(found[2])
    return (1, minor - _ZEROTH) if major == 0 and minor >= _ZEROTH else (major, minor)


def shown(text: str) -> str:
    """A version for people: of a module's number also the release that it is."""
    found = release(text)
    if found is None or not text.lstrip("v").startswith("0."):
        return text
    return f"{found[0]}.{found[1]} ({text})"


def explained(found: Mapping[str, object] | None, key: str) -> bool:
    """Whether a ConfigMap's own `_example` knows the key: what it tells of the release that wrote it."""
    data = (found or {}).get("data")
    return isinstance(data, Mapping) and f"{key}:" in str(data.get("_example", ""))
