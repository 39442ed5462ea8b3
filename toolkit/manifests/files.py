"""Manifests as the files of a folder: what each is called. Pure; who writes them is the caller.

`kubectl apply -f FOLDER` reads them in the order of their names, so a name begins with its kind's place in that order.
"""

from __future__ import annotations

from collections.abc import Iterable

from toolkit.manifests.scalars import document
from toolkit.manifests.templates import Manifest

_RANKS = {
    ("v1", "Namespace"): 0,
    ("v1", "ConfigMap"): 10,
    ("v1", "Service"): 11,
    ("apps/v1", "Deployment"): 12,
    ("eventing.knative.dev/v1", "Broker"): 20,
    ("sources.knative.dev/v1", "SinkBinding"): 30,
    ("serving.knative.dev/v1", "Service"): 40,
    ("eventing.knative.dev/v1", "Trigger"): 50,
}


def files(manifests: Iterable[Manifest]) -> dict[str, str]:
    """Text by file name. A name is an object's own, so a chain that grows leaves the other files as they were."""
    return {_name(each): document(each) for each in manifests}


def _name(manifest: Manifest) -> str:
    kind = manifest["kind"]
    rank = _RANKS[manifest["apiVersion"], kind]
    of = "" if kind == "Namespace" else f"-{manifest['metadata']['name']}"
    return f"{rank:02}-{kind.lower()}{of}.yaml"
