"""What the user decides about a deployment on a cluster, and who is told how it goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from toolkit.engines.knative.connection import Cluster
from toolkit.engines.knative.kinds import Key
from toolkit.manifests import Manifest
from toolkit.manifests.names import CLUSTER_DOMAIN

READY_WITHIN_S = 180.0
ERROR_WINDOW_S = 8.0
GONE_WITHIN_S = 90.0


def _as_they_are(manifests: Sequence[Manifest]) -> Sequence[Manifest]:
    return manifests


@dataclass(frozen=True, slots=True)
class Settings:
    """None is what the engine finds by itself; the namespace is then called like the chain.

    `advertise` is the address of this machine as pods reach it, `ingress` that of the gateway as we do (`HOST:PORT`).
    A failure that lasts `error_window_s` seconds is one, whatever is left of `ready_within_s`. `logs` is a folder that
    takes the functions' logs at the end, `manifests` one for what is applied. `alter` is for fault tests: it gets the
    manifests before they are applied. With `from_inside` no call is sent from here, so no ingress has to be reached.
    """

    image: str = ""
    cluster: Cluster = field(default_factory=Cluster)
    namespace: str | None = None
    advertise: str | None = None
    ingress: str | None = None
    from_inside: bool = False
    cluster_domain: str = CLUSTER_DOMAIN
    zipkin: str | None = None
    ready_within_s: float = READY_WITHIN_S
    error_window_s: float = ERROR_WINDOW_S
    gone_within_s: float = GONE_WITHIN_S
    logs: Path | None = None
    manifests: Path | None = None
    alter: Callable[[Sequence[Manifest]], Sequence[Manifest]] = _as_they_are


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is told: `stage` how far each object has come, `note` whatever else a person should read."""

    stage: Callable[[Key, str], None] = lambda key, state: None
    note: Callable[[str], None] = lambda text: None
