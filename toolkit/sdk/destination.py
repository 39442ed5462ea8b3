"""Where spans go, and in which protocol: the wiring says it, else OpenTelemetry's own variables do.

May live here: reading and checking what was said. May not: sending (`toolkit.sdk.exporter`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from toolkit.contract import Protocol, Tracing
from toolkit.sdk.failures import WiringError

# OpenTelemetry specification, "OpenTelemetry Protocol Exporter": the signal's own variable first, as it stands.
TRACES_ENDPOINT = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
ENDPOINT, PATH = "OTEL_EXPORTER_OTLP_ENDPOINT", "/v1/traces"
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
HEADERS = ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")


@dataclass(frozen=True, slots=True)
class Destination:
    """An endpoint, taken apart. `headers` go with every request: what a collector wants to be shown."""

    endpoint: str
    protocol: Protocol
    address: str  # HOST[:PORT]
    tls: bool
    target: str
    headers: Mapping[str, str]


def of(settings: Tracing, environment: Mapping[str, str]) -> Destination | None:
    """None: nowhere. Raises WiringError, naming what said it, for an endpoint that cannot be used."""
    if settings.endpoint is not None:
        return _split(settings.endpoint, settings.protocol, "wiring.tracing.endpoint", {})
    if endpoint := environment.get(TRACES_ENDPOINT):
        origin = TRACES_ENDPOINT
    elif endpoint := environment.get(ENDPOINT):
        origin, endpoint = ENDPOINT, endpoint.rstrip("/") + PATH
    else:
        return None
    if _first(environment, PROTOCOLS) == "grpc":
        raise WiringError(f"{origin}: spans are sent by OTLP/HTTP, not by gRPC: unset {' and '.join(PROTOCOLS)}")
    return _split(endpoint, "otlp", origin, _headers(_first(environment, HEADERS)))


def _first(environment: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((value for name in names if (value := environment.get(name))), "")


def _headers(text: str) -> dict[str, str]:
    """`name=value,name=value`, values percent-encoded, as baggage is written."""
    pairs = (each.partition("=") for each in text.split(",") if each.strip())
    found = {name.strip(): unquote(value.strip()) for name, _, value in pairs}
    if not all(name.isascii() and name.isprintable() and name and " " not in name for name in found) or not all(
        value.isascii() and value.isprintable() for value in found.values()
    ):
        raise WiringError(f"{HEADERS[1]}: not a list of NAME=VALUE that HTTP can carry")  # the values may be secrets
    return found


def _split(endpoint: str, protocol: Protocol, origin: str, headers: Mapping[str, str]) -> Destination:
    try:
        parts = urlsplit(endpoint)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or True)
    except ValueError:
        usable = False
    if not usable:
        raise WiringError(f"{origin}: {endpoint!r} is not http(s)://HOST[:PORT]/PATH")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    address = parts.netloc.rpartition("@")[2]
    return Destination(endpoint, protocol, address, parts.scheme == "https", target, headers)
