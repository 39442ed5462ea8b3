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
from toolkit.engines.knative.kinds import CONFIG_MAP, DEPLOYMENT, K8S_SERVICE, POD, Object, leaving, selector
from toolkit.engines.knative.observability import GATEWAY, KOURIER, SERVING, Place, Told
from toolkit.errors import EngineError

SETUP = "toolkit tracing setup"
_PROTOCOLS = ("http/protobuf", "grpc")


async def tracing(api: Api, namespace: str | None) -> Sequence[Finding]:
    found = await installed.look(api)
    if not any(each.namespace == SERVING for each in found.parts):
        return []
    try:
        places = found.places
    except EngineError as error:
        return [remark("tracing", str(error), error.next_step)]
    maps = {place: await api.get(CONFIG_MAP, place.name, place.namespace) or {} for place in places}
    said = {place: place.dialect.told(configmaps.data(each)) for place, each in maps.items()}
    findings = [*_refused(maps), *_broken_gateway(said), *_overall(said), *await _ignored(api, said)]
    for place, each in maps.items():
        findings += await _unread(api, place, each)
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


def _refused(maps: Mapping[Place, Object]) -> Iterator[Finding]:
    """What runs goes on as it was; what starts anew does not."""
    for place, found in maps.items():
        if place.dialect is observability.OTLP and (why := observability.refused(configmaps.data(found))) is not None:
            text = f"{place}: {why}; with this no part of Knative that reads it starts again"
            yield missing("tracing", text, SETUP)


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


async def _unread(api: Api, place: Place, found: Object) -> Sequence[Finding]:
    """Who reads its settings at start, and started before they were set: the pods of a Deployment tell."""
    changed = _changed(found, place.dialect.keys)
    if place.dialect is not observability.OTLP or changed is None:
        return []
    old: list[str] = []
    for each in observability.READ_AT_START[place.namespace]:
        deployment = await api.get(DEPLOYMENT, each, place.namespace)
        wanted = (deployment or {}).get("spec", {}).get("selector", {}).get("matchLabels") or {}
        pods = await api.every(POD, place.namespace, selector(wanted)) if wanted else []
        if any(not leaving(pod) and _born(pod) < changed for pod in pods):
            old.append(each)
    if not old:
        return []
    text = f"{', '.join(old)} started before {place} was changed, and read it at start only"
    return [remark("tracing", text, f"kubectl rollout restart deployment {' '.join(old)} -n {place.namespace}")]


def _changed(found: Object, keys: Sequence[str]) -> str | None:
    """When somebody last wrote one of the keys, as Kubernetes notes it; taking a key away leaves no trace."""
    times = [
        str(each.get("time", ""))
        for each in (found.get("metadata") or {}).get("managedFields") or ()
        if any(f"f:{key}" in ((each.get("fieldsV1") or {}).get("f:data") or {}) for key in keys)
    ]
    return max(times, default=None)


def _born(pod: Object) -> str:
    """Times of Kubernetes' are all of one form, so their order is that of their texts."""
    return str(pod["metadata"].get("creationTimestamp", ""))


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
