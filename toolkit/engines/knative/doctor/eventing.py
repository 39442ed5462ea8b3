"""Checks of Knative Eventing: what a chain with `event` edges needs. One without such edges runs without all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from toolkit.engines.findings import Finding, State, ok, remark
from toolkit.engines.knative import configmaps
from toolkit.engines.knative.api import Api
from toolkit.engines.knative.doctor import serving
from toolkit.engines.knative.kinds import BROKER, CHANNEL, CONFIG_MAP, DEPLOYMENT, Kind, name
from toolkit.engines.knative.observability import EVENTING

OURS = "MTChannelBasedBroker"
CLASSES: Mapping[str, str] = {
    "mt-broker-controller": OURS,
    "kafka-broker-receiver": "Kafka",
    "rabbitmq-broker-controller": "RabbitMQBroker",
    "jetstream-ch-controller": "NatsJetStreamBroker",
}
"""The Deployments that answer for brokers, and of which class."""
_WITHOUT = "chains without event edges run all the same"
_RELEASES = "https://knative.dev/docs/install/yaml-install/eventing/install-eventing-with-yaml"


async def eventing(api: Api, namespace: str | None) -> Sequence[Finding]:
    """That it is not there is a remark; that it is there and broken is one too, for chains may do without."""
    found = await serving.whole(api, "eventing", EVENTING, BROKER)
    return [_softened(each) for each in found]


def _softened(found: Finding) -> Finding:
    return remark(found.topic, f"{found.text}; {_WITHOUT}", found.mend) if found.state is State.MISSING else found


async def broker(api: Api, namespace: str | None) -> Sequence[Finding]:
    if not await serving.is_there(api, BROKER):
        return []
    there = {name(each) for each in await api.every(DEPLOYMENT, EVENTING)}
    classes = [of for deployment, of in CLASSES.items() if deployment in there]
    data = configmaps.data(await api.get(CONFIG_MAP, "config-br-defaults", EVENTING) or {})
    default = str(_mapping(_mapping(_yaml(data.get("default-br-config")), "clusterDefault"), "brokerClass") or "none")
    text = f"{', '.join(classes) or 'no known class'}; the default is {default}"
    if OURS not in classes:
        return [
            remark("broker", f"{text}; event edges need {OURS}; {_WITHOUT}", f"install mt-channel-broker: {_RELEASES}")
        ]
    return [ok("broker", text)]


async def channel(api: Api, namespace: str | None) -> Sequence[Finding]:
    """Brokers of the class that we use are made of channels, of the kind that a ConfigMap names."""
    if not await serving.is_there(api, BROKER):
        return []
    data = configmaps.data(await api.get(CONFIG_MAP, "config-br-default-channel", EVENTING) or {})
    template = _yaml(data.get("channel-template-spec"))
    kind = Kind(str(_mapping(template, "apiVersion") or ""), str(_mapping(template, "kind") or ""))
    if not kind.kind or not kind.api_version:
        mend = "see that 'kubectl get configmap config-br-default-channel -n knative-eventing -o yaml' names one"
        return [remark("channel", f"no kind of channel for brokers; {_WITHOUT}", mend)]
    if not await serving.is_there(api, kind):
        return [
            remark("channel", f"{kind} for brokers, and it is not installed; {_WITHOUT}", f"install it: {_RELEASES}")
        ]
    if kind != CHANNEL:
        return [remark("channel", f"{kind} for brokers; what was subscribed is only verified of {CHANNEL}")]
    return [ok("channel", f"{kind} for brokers")]


def _yaml(text: str | None) -> Any:
    try:
        return yaml.safe_load(text or "")
    except yaml.YAMLError:
        return None


def _mapping(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, Mapping) else None
