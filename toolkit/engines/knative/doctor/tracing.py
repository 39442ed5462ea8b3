"""What the platform does with traces, as the ConfigMaps of *this* release say, and whether that can work.

That it is off is a remark: the functions' own spans do not depend on it. A setting that keeps a part of Knative from
starting is more than that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from toolkit.engines.findings import Finding, missing, ok, remark
from toolkit.engines.knative import configmaps, installed, observability
from toolkit.engines.knative.api import Api
from toolkit.engines.knative.kinds import CONFIG_MAP, K8S_SERVICE
from toolkit.engines.knative.observability import GATEWAY, KOURIER, SERVING, Place, Told

SETUP = "toolkit tracing setup"
_PROTOCOLS = ("http/protobuf", "grpc")


async def tracing(api: Api, namespace: str | None) -> Sequence[Finding]:
    found = await installed.look(api)
    if not any(each.namespace == SERVING for each in found.parts):
        return []
    said: dict[Place, Told] = {}
    for place in found.places:
        data = configmaps.data(await api.get(CONFIG_MAP, place.name, place.namespace) or {})
        said[place] = place.dialect.told(data)
    findings = [*_broken_gateway(said), *_overall(said), *await _ignored(api, said)]
    if found.gateway is not None and found.gateway.place is None:
        version = observability.shown(found.gateway.version)
        findings.append(remark("tracing", f"Kourier {version} sends no OTLP: its gateway's spans will be missing"))
    return [*findings, *[each for told in said.values() if told.on for each in await _receiver(api, told)][:1]]


def _overall(said: Mapping[Place, Told]) -> Iterator[Finding]:
    on = [place for place, told in said.items() if told.on]
    listed = "; ".join(f"{place}: {told}" for place, told in said.items())
    if not on:
        names = ", ".join(map(str, said))
        yield remark("tracing", f"the platform sends no spans (off in {names})", SETUP)
    elif len(on) < len(said):
        yield remark("tracing", f"only a part of the platform sends spans ({listed})", SETUP)
    else:
        alike = set(map(str, said.values()))
        yield ok("tracing", f"every part: {alike.pop()}" if len(alike) == 1 else listed)


def _broken_gateway(said: Mapping[Place, Told]) -> Iterator[Finding]:
    """Kourier's controller does not start with what it cannot read (net-kourier's `asTracing`)."""
    told = said.get(KOURIER)
    if told is None or not told.endpoint:
        return
    patch = f"kubectl patch configmap {KOURIER.name} -n {SERVING} --type merge -p "
    if told.protocol not in _PROTOCOLS:
        value = f'{{"data":{{"{GATEWAY.protocol}":"{GATEWAY.on}"}}}}'
        text = f"{KOURIER}: {GATEWAY.protocol} is {told.protocol!r}, with which Kourier's controller does not start"
        yield missing("tracing", text, f"{patch}'{value}'")
    elif _port(told.endpoint) is None:
        text = f"{KOURIER}: {GATEWAY.endpoint} {told.endpoint!r} has no port, so Kourier's controller does not start"
        yield missing("tracing", text, f"{SETUP} --endpoint http://HOST:4318/v1/traces")


def _port(url: str) -> int | None:
    try:
        return urlsplit(url).port
    except ValueError:
        return None


async def _ignored(api: Api, said: Mapping[Place, Told]) -> Sequence[Finding]:
    """Settings of the other age: written, accepted, and read by nobody."""
    findings: list[Finding] = []
    for place in observability.EVERY:
        if place in said or not any(each.namespace == place.namespace for each in said) or place == KOURIER:
            continue
        data = configmaps.data(await api.get(CONFIG_MAP, place.name, place.namespace) or {})
        if place.dialect.told(data).on:
            instead = next(each for each in said if each.namespace == place.namespace)
            findings.append(remark("tracing", f"{place} is set, and this release reads {instead} instead", SETUP))
    return findings


async def _receiver(api: Api, told: Told) -> Sequence[Finding]:
    """A Service of this cluster that spans are sent to has to be there."""
    try:
        labels = (urlsplit(told.endpoint).hostname or "").split(".")
    except ValueError:
        return [remark("tracing", f"{told.endpoint!r} is no address", SETUP)]
    if len(labels) < 2 or (len(labels) > 2 and labels[2] != "svc"):
        return []
    service, namespace = labels[:2]
    if await api.see(K8S_SERVICE, service, namespace) is not None:
        return []
    return [
        remark("tracing", f"nobody takes the spans: no Service {service} is seen in the namespace {namespace}", SETUP)
    ]
