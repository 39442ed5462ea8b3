"""Checks of the cluster itself, of Knative Serving, and of the way in.

May live here: what a chain with `call` edges needs. May not: Eventing (`eventing`), rights, tracing.
"""

from __future__ import annotations

from collections.abc import Sequence

from toolkit.engines.findings import Finding, missing, ok, remark, unseen
from toolkit.engines.knative import conditions, configmaps, installed, observability, reach
from toolkit.engines.knative.api import Api, Refused, UnknownKind, accepted
from toolkit.engines.knative.doctor.rights import what_is_forbidden
from toolkit.engines.knative.kinds import CONFIG_MAP, DEPLOYMENT, KSVC, NAMESPACE, NODE, Kind, labels, leaving, name
from toolkit.engines.knative.observability import EVENTING, SERVING
from toolkit.errors import EngineError

INSTALL = "install it: https://knative.dev/docs/install"
OWN_DOMAIN = "svc.cluster.local"
ENFORCE = "pod-security.kubernetes.io/enforce"
FEATURES = (
    (SERVING, "kubernetes.podspec-nodeselector", "disabled", "node-selector"),
    (EVENTING, "delivery-timeout", "enabled", "delivery.timeout"),
)
"""Flags of `config-features` that a manifest may need: what counts where one is not set, and the key of chain.yaml."""
_SET_DOMAIN = 'kubectl patch configmap config-domain -n knative-serving --type merge -p \'{"data":{"example.com":""}}\''


async def kubernetes(api: Api, namespace: str | None) -> Sequence[Finding]:
    version = str(accepted("ask for the version", await api.ask("GET", "/version")).get("gitVersion", ""))
    try:
        nodes = await api.every(NODE)
    except Refused:
        return [ok("kubernetes", version)]
    ready = [name(each) for each in nodes if conditions.holds(each)]
    if not ready:
        return [missing("kubernetes", f"{version}, none of {len(nodes)} nodes is ready", "kubectl describe nodes")]
    return [ok("kubernetes", f"{version}, {len(ready)} of {len(nodes)} nodes ready")]


async def serving(api: Api, namespace: str | None) -> Sequence[Finding]:
    return await whole(api, "serving", SERVING, KSVC)


async def whole(api: Api, topic: str, namespace: str, kind: Kind) -> Sequence[Finding]:
    """Whether a part of Knative is there, which release, and whether all of it runs."""
    title = installed.NAMES[namespace]
    if not await is_there(api, kind):
        return [missing(topic, f"{title} is not installed", INSTALL)]
    try:
        part = await installed.part(api, namespace)
    except Refused as error:
        return [ok(topic, f"installed; which release cannot be seen: {what_is_forbidden(error)}")]
    if part is None:
        return [missing(topic, f"{title} is not whole: its namespace {namespace} holds no ConfigMaps of it", INSTALL)]
    if down := await unavailable(api, namespace):
        text = f"{observability.shown(part.version)}, and not available: {', '.join(down)}"
        return [missing(topic, text, f"kubectl describe pods -n {namespace}")]
    return [ok(topic, observability.shown(part.version) or "of no known release")]


async def is_there(api: Api, kind: Kind) -> bool:
    """Whether the cluster knows this kind."""
    try:
        await api.path(kind)
    except UnknownKind:
        return False
    return True


async def unavailable(api: Api, namespace: str) -> Sequence[str]:
    """The Deployments of it that do not have the pods they need; one that is scaled to nothing needs none."""
    return [
        name(each)
        for each in await api.every(DEPLOYMENT, namespace)
        if each["spec"].get("replicas", 1) and conditions.condition(each, "Available").get("status") != "True"
    ]


async def ingress(api: Api, namespace: str | None) -> Sequence[Finding]:
    """Who may not look at Knative's settings can still use an ingress whose address somebody tells them."""
    try:
        which, hidden = await _which_ingress(api), None
    except Refused as error:
        which, hidden = "of a class that cannot be seen", what_is_forbidden(error)
    try:
        addresses = await reach.ingresses(api, None)
    except EngineError as error:
        if hidden is None:
            raise
        return [unseen("ingress", hidden, error.next_step)]
    return [ok("ingress", f"{which}, takes connections from here at {addresses[0]}")]


async def _which_ingress(api: Api) -> str:
    which = (await installed.ingress_class(api)).partition(".")[0] or "no class in config-network"
    gateway = await installed.gateway(api)
    return f"{which} {observability.shown(gateway.version)}".rstrip() if gateway is not None else which


async def domain(api: Api, namespace: str | None) -> Sequence[Finding]:
    """A route that no selector chooses gets the one domain without a selector (serving/pkg/reconciler/route/config)."""
    if not await is_there(api, KSVC):
        return []
    found = configmaps.data(await api.get(CONFIG_MAP, "config-domain", SERVING) or {})
    domains = {key: value for key, value in found.items() if not key.startswith("_")}
    default = sorted(key for key, value in domains.items() if "selector" not in value)
    if not default or default == [OWN_DOMAIN]:
        text = f"{OWN_DOMAIN}: functions would be reachable within the cluster only"
        return [missing("domain", text, _SET_DOMAIN)]
    return [ok("domain", default[0] if default[0] != OWN_DOMAIN else default[1])]


async def features(api: Api, place: str | None) -> Sequence[Finding]:
    if not await is_there(api, KSVC):
        return []
    findings = [
        _off(namespace, flag, key)
        for namespace, flag, default, key in FEATURES
        if not await _enabled(api, namespace, flag, default)
    ]
    return findings or [ok("features", "all that chains may ask for are on")]


async def _enabled(api: Api, namespace: str, flag: str, default: str) -> bool:
    """Of a part that is not installed, nothing is off."""
    found = await api.get(CONFIG_MAP, "config-features", namespace)
    return found is None or configmaps.data(found).get(flag, default).lower() == "enabled"


def _off(namespace: str, flag: str, key: str) -> Finding:
    value = f'{{"data":{{"{flag}":"enabled"}}}}'
    mend = f"kubectl patch configmap config-features -n {namespace} --type merge -p '{value}'"
    text = f"{flag} is off, which {key} in a chain.yaml needs"
    return remark("features", text, f"only for chains that use it: {mend}")


async def pods(api: Api, namespace: str | None) -> Sequence[Finding]:
    """Our manifests meet the strictest standard, so no label is in their way; a namespace that ends is."""
    if namespace is None:
        return [ok("pods", 'each chain makes a namespace of its own, with pod security "restricted"')]
    found = await api.get(NAMESPACE, namespace)
    if found is None:
        return [ok("pods", f'the namespace {namespace} will be made, with pod security "restricted"')]
    if leaving(found):
        return [missing("pods", f"the namespace {namespace} is ending", "wait for its end, or name another with -n")]
    level = labels(found).get(ENFORCE)
    said = f'enforces pod security "{level}", which our pods meet' if level else "enforces no pod security"
    return [ok("pods", f"the namespace {namespace} {said}")]
