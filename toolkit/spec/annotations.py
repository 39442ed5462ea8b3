"""What a function's extra annotations may say, and on which object Knative reads each.

May not live here: annotations that a key of its own writes, which `cluster` names. Values are Knative's own text here:
durations as Go writes them, quantities as Kubernetes does.
Sources, knative.dev/serving: pkg/apis/serving/register.go, metadata_validation.go, v1/revision_validation.go;
knative.dev/networking: pkg/apis/networking/{register,metadata_validation}.go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from toolkit.contract.units import shown
from toolkit.spec import quantities
from toolkit.spec.cluster import AUTOSCALING, SPELLINGS
from toolkit.spec.findings import Findings, Place
from toolkit.spec.shapes import Row

_SERVING, _NETWORKING = "serving.knative.dev", "networking.knative.dev"
_SIDECAR = f"queue.sidecar.{_SERVING}"
_SIDECAR_RESOURCES = ("cpu", "memory", "ephemeral-storage")
_FEATURES, _AUTOSCALING = "features.knative.dev", "autoscaling.knative.dev"
_MOST_BYTES = 250_000  # Kubernetes takes 262,144 of all together, and Knative and the toolkit add theirs
_MOST_SECONDS = 2**31 - 1
_GO = r"(?:[0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})(?:ns|us|µs|μs|ms|s|m|h)"
_SECONDS = {"ns": "1e-9", "us": "1e-6", "µs": "1e-6", "μs": "1e-6", "ms": "1e-3", "s": "1", "m": "60", "h": "3600"}
_CPU_OF_SIDECAR = "25m"  # config-deployment queue-sidecar-cpu-request: what the sidecar asks for when nobody says

Fault = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class _Known:
    """An annotation that Knative reads on the revision or on the Service; `fault` is what is wrong with a value."""

    at: Literal["revision", "service"]
    fault: Fault = lambda value: None


@dataclass(frozen=True, slots=True)
class Placed:
    """A function's annotations by the object that they belong on."""

    revision: Mapping[str, str]
    service: Mapping[str, str]


def sort(rows: Mapping[str, Row], found: Findings) -> Placed:
    """The annotations of `rows`, each where it is read; a problem for each that nothing good comes of."""
    texts = {name: row.value.value for name, row in rows.items() if row.value.value is not None}
    for name, value in texts.items():
        row = rows[name]
        if fault := _misplaced(name, found):
            found.add(row.name, fault)
        elif name in _KNOWN and (fault := _KNOWN[name].fault(value)):
            found.add(row.value.place, fault)
    _sidecar_fits(texts, rows, found)
    if rows and sum(len(each.encode("utf-8", "replace")) for pair in texts.items() for each in pair) > _MOST_BYTES:
        found.add(next(iter(rows.values())).name, f"the annotations have more than {_MOST_BYTES:,} bytes altogether")
    service = {name: value for name, value in texts.items() if name in _KNOWN and _KNOWN[name].at == "service"}
    return Placed({name: value for name, value in texts.items() if name not in service}, service)


def _misplaced(name: str, found: Findings) -> str | None:
    """Why this annotation does not belong here, or None. Knative's own groups hold nothing but what Knative reads."""
    group, _, key = name.rpartition("/")
    if group == _AUTOSCALING:
        return _of_scale(key, found)
    if name in _ELSEWHERE:
        return _ELSEWHERE[name]
    if name not in _KNOWN and group in (_SERVING, _SIDECAR, _FEATURES, _NETWORKING):
        close = found.closest(name, _KNOWN)
        return "Knative reads no such annotation" + (f" — did you mean '{close}'?" if close else "; leave it out")
    return None


def _of_scale(key: str, found: Findings) -> str:
    close = key if key in SPELLINGS else found.closest(key, AUTOSCALING)
    if close is None:
        return "autoscaling is said by `scale`, and Knative reads no such annotation"
    return f"autoscaling is said by `scale`: write `{SPELLINGS[close]}` there"


def seconds(text: str) -> Decimal | None:
    """What Go's time.ParseDuration reads, in seconds; None when it refuses `text`."""
    sign, body = (text[0], text[1:]) if text[:1] in ("-", "+") else ("", text)
    if body == "0":
        return Decimal(0)
    if not re.fullmatch(rf"(?:{_GO})+", body):
        return None
    parts = re.findall(rf"(?={_GO})([0-9.]+)([^0-9.]+)", body)
    total = sum((Decimal(number) * Decimal(_SECONDS[unit]) for number, unit in parts), Decimal(0))
    return -total if sign == "-" else total


def _deadline(value: str) -> str | None:
    """An empty one and 0s pass the webhook, and then there is no Deployment and no word of it."""
    return _duration(value, least=1) if value else "it is empty, and so no Deployment is made; leave it out"


def _rollout(value: str) -> str | None:
    return _duration(value, least=0) if value else None


def _duration(value: str, *, least: int) -> str | None:
    found = seconds(value)
    if found is None:
        return f"{shown(value)} is not a duration as Go reads them; write 30s or 10m"
    if found != int(found):
        return f"{shown(value)} is no whole number of seconds, and Knative reads whole ones here"
    if not least <= found <= _MOST_SECONDS:
        return f"{shown(value)} is out of range; expected at least {least}s"
    return None


def _quantity(value: str) -> str | None:
    try:
        negative = quantities.amount(value) < 0
    except ValueError as error:
        return str(error)
    return f"{shown(value)} is below 0; Kubernetes makes no pod of it, and the function waits" if negative else None


def _bytes(value: str) -> str | None:
    if (fault := _quantity(value)) or (amount := quantities.amount(value)) == int(amount):
        return fault
    return f"{shown(value)} is a fraction of a byte"


def _protocol(value: str) -> str | None:
    """The webhook takes any word, and then no Ingress is made (networking.GetHTTPProtocol)."""
    known = value.lower() in ("", "enabled", "redirected")
    return None if known else f"{shown(value)} is neither enabled nor redirected; the function would never be reached"


def _percentage(value: str) -> str | None:
    if re.fullmatch(r"[0-9]{1,18}(?:\.[0-9]{1,18})?", value) and Decimal("0.1") <= Decimal(value) <= 100:
        return None
    return f"{shown(value)} is not a percentage, 0.1 to 100"


def _sidecar_fits(texts: Mapping[str, str], rows: Mapping[str, Row], found: Findings) -> None:
    """A limit below its request passes the webhook, and then there is no Deployment and no word of it."""
    for resource in _SIDECAR_RESOURCES:
        most, least = (f"{_SIDECAR}/{resource}-resource-{bound}" for bound in ("limit", "request"))
        request = texts.get(least, _CPU_OF_SIDECAR if resource == "cpu" else "0")
        readable = most in texts and not (_quantity(texts[most]) or _quantity(request))
        if readable and quantities.amount(texts[most]) < quantities.amount(request):
            said = "" if least in texts else ", which is Knative's default"
            found.add(_place(rows[most]), f"the limit is below the request of {shown(request)}{said}; it never runs")


def _place(row: Row) -> Place:
    return row.value.place


def _ours(key: str) -> str:
    return f"Knative reads this from a label, not here; write `{key}`"


_KNOWN: Mapping[str, _Known] = {
    f"{_SERVING}/progress-deadline": _Known("revision", _deadline),
    f"{_SERVING}/rollout-duration": _Known("service", _rollout),
    f"{_SERVING}/no-gc": _Known("revision"),
    **{f"{_SIDECAR}/{resource}-resource-request": _Known("revision", _quantity) for resource in _SIDECAR_RESOURCES},
    f"{_SIDECAR}/cpu-resource-limit": _Known("revision", _quantity),
    **{f"{_SIDECAR}/{resource}-resource-limit": _Known("revision", _bytes) for resource in _SIDECAR_RESOURCES[1:]},
    f"{_SIDECAR}/resource-percentage": _Known("revision", _percentage),
    f"{_SIDECAR}/resourcePercentage": _Known("revision", _percentage),
    f"{_FEATURES}/queueproxy-podinfo": _Known("revision"),
    f"{_FEATURES}/http-full-duplex": _Known("revision"),
    **{
        f"{_NETWORKING}/{key}": _Known("service")
        for key in (
            *(
                "ingress-class",
                "ingress.class",
                "certificate-class",
                "certificate.class",
                "disable-external-domain-tls",
            ),
            *("disable-auto-tls", "disableAutoTLS"),
        )
    },
    **{f"{_NETWORKING}/{key}": _Known("service", _protocol) for key in ("http-protocol", "httpOption")},
}
_ELSEWHERE: Mapping[str, str] = {
    f"{_NETWORKING}/visibility": _ours("visibility: cluster"),
    **{
        f"{_SERVING}/{key}": "Knative writes this one itself; leave it out"
        for key in ("creator", "lastModifier", "forceUpgrade", "lastPinned", "routes", "routingStateModified")
    },
}
