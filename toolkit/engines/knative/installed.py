"""Which Knative a cluster has: its parts, their releases, and where each keeps what it does with traces.

May live here: finding that out, from what is installed. May not: judging it (`doctor`), changing it (`tracing`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from toolkit.engines.knative import configmaps, observability
from toolkit.engines.knative.api import Api
from toolkit.engines.knative.kinds import CONFIG_MAP, NAMESPACE, Object, labels
from toolkit.engines.knative.observability import EVENTING, KOURIER, OTLP_SINCE, SERVING, Place
from toolkit.engines.knative.platform import VERSION
from toolkit.errors import EngineError

NAMES = {SERVING: "Knative Serving", EVENTING: "Knative Eventing"}


@dataclass(frozen=True, slots=True)
class Part:
    """Serving or Eventing. `version` is empty when nothing says it; `place` None when nothing tells the release."""

    namespace: str
    version: str
    place: Place | None

    @property
    def name(self) -> str:
        return NAMES[self.namespace]


@dataclass(frozen=True, slots=True)
class Gateway:
    """Kourier, when it is the ingress. `place` is None of a release whose gateway does not send OTLP."""

    version: str
    place: Place | None


async def part(api: Api, namespace: str) -> Part | None:
    """None when it is not installed. Raises EngineError: no right to look."""
    new = await api.get(CONFIG_MAP, "config-observability", namespace)
    old = await api.get(CONFIG_MAP, "config-tracing", namespace)
    if new is None and old is None:
        return None
    version = labels(new or {"metadata": {}}).get(VERSION) or labels(old or {"metadata": {}}).get(VERSION) or ""
    if observability.release(version) is None:
        version = labels(await api.see(NAMESPACE, namespace) or {"metadata": {}}).get(VERSION) or version
    otlp = _speaks_otlp(version, new, old)
    return Part(namespace, version, None if otlp is None else observability.place(namespace, otlp=otlp))


def _speaks_otlp(version: str, new: Object | None, old: Object | None) -> bool | None:
    """By its version; of a build that is no release, by the examples in its ConfigMaps."""
    if (found := observability.release(version)) is not None:
        return found >= OTLP_SINCE
    if observability.explained(new, observability.OTLP.protocol):
        return True
    return False if observability.explained(old, observability.ZIPKIN.endpoint) else None


async def ingress_class(api: Api) -> str:
    """What `config-network` says; empty when it says nothing. Raises EngineError: no right to look."""
    data = configmaps.data(await api.get(CONFIG_MAP, "config-network", SERVING) or {})
    return data.get("ingress-class") or data.get("ingress.class") or ""


async def gateway(api: Api) -> Gateway | None:
    """None when the ingress is another one. Raises EngineError: no right to look."""
    found = await api.get(CONFIG_MAP, KOURIER.name, KOURIER.namespace)
    if found is None or "kourier" not in await ingress_class(api):
        return None
    knows = observability.explained(found, observability.GATEWAY.endpoint)
    set_already = observability.GATEWAY.endpoint in configmaps.data(found)
    return Gateway(labels(found).get(VERSION, ""), KOURIER if knows or set_already else None)


@dataclass(frozen=True, slots=True)
class Installed:
    """The parts that are there, Serving first."""

    parts: Sequence[Part]
    gateway: Gateway | None

    @property
    def places(self) -> Sequence[Place]:
        """The ConfigMaps that decide about tracing in this cluster. Raises EngineError when a release is unknown."""
        found: list[Place] = []
        for each in self.parts:
            if each.place is None:
                raise EngineError(
                    f"it cannot be told which release of {each.name} this is ({each.version or 'no version'}), "
                    "so not which of its ConfigMaps holds for tracing",
                    next_step=f"label its namespace: 'kubectl label namespace {each.namespace} {VERSION}=1.N.P'",
                )
            found.append(each.place)
        if self.gateway is not None and self.gateway.place is not None:
            found.append(self.gateway.place)
        return found

    @property
    def versions(self) -> Mapping[str, str]:
        return {each.namespace: each.version for each in self.parts}


async def look(api: Api) -> Installed:
    """Raises EngineError: no right to look."""
    parts = [found for namespace in (SERVING, EVENTING) if (found := await part(api, namespace)) is not None]
    serving = any(each.namespace == SERVING for each in parts)
    return Installed(parts, await gateway(api) if serving else None)
