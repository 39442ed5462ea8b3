"""Bringing the functions of a run to zero: waiting until the autoscaler has, and what it goes by.

May live here: waiting for no pod of ours, and reading Knative's settings. May not: changing any setting of a cluster.

What counts as zero is that no pod is left, not that none is ready: one that leaves holds on while queue-proxy drains,
for half a minute, or for as long as its `timeoutSeconds` where that is less.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from toolkit.engines.knative.api import Api
from toolkit.engines.knative.kinds import CONFIG_MAP, POD, Object, labels, leaving, name
from toolkit.engines.knative.watching import View
from toolkit.errors import EngineError
from toolkit.manifests.names import GENERATOR
from toolkit.spec.model import ChainSpec

SERVING, AUTOSCALER = "knative-serving", "config-autoscaler"
DEFAULTS = {  # knative.dev/serving/pkg/autoscaler/config
    "enable-scale-to-zero": "true",
    "scale-to-zero-grace-period": "30s",
}
HOW = "Knative scaled every function to zero, and no pod was left"


async def none_left(api: Api, namespace: str, ours: str, within_s: float) -> None:
    """Raises EngineError with the pods that are still there."""
    async with View(api, namespace, {POD: ours}) as view:

        def gone() -> bool | None:
            return True if view.listed(POD) and not _of_functions(view.every(POD)) else None

        if await view.until(gone, within_s):
            return
        left = _of_functions(view.every(POD))
    raise EngineError(
        f"after {within_s:.0f} s the functions were not at zero: {_told(left)}",
        next_step="give it more time with --cold-timeout, see that nobody else calls them, and that Knative may scale "
        f"to zero (enable-scale-to-zero in {SERVING}/{AUTOSCALER}, min-scale)",
    )


async def settings(api: Api, chain: ChainSpec) -> Mapping[str, str]:
    """What decides how soon: of the cluster as it was found, of the functions as it was set.

    Raises EngineError where the cluster never scales to zero.
    """
    config = await api.see(CONFIG_MAP, AUTOSCALER, SERVING)
    data = (config or {}).get("data") or {}
    found = {key: str(data.get(key, f"{default} (default)")) for key, default in DEFAULTS.items()} if config else {}
    if found.get("enable-scale-to-zero", "true").lower().startswith("false"):
        raise EngineError(
            f"this cluster never scales to zero: {SERVING}/{AUTOSCALER} says enable-scale-to-zero: false",
            next_step="ask whoever runs it, or run without --cold",
        )
    scales = [each.scale for each in chain.functions]
    windows = sorted({f"{each.window_s:g}s" for each in scales if each.window_s is not None})
    retentions = sorted({f"{each.retention_s:g}s" for each in scales if each.retention_s is not None})
    return {**found, "window": ", ".join(windows), "retention": ", ".join(retentions)}


def _of_functions(pods: Sequence[Object]) -> list[Object]:
    return [pod for pod in pods if GENERATOR not in labels(pod)]


def _told(pods: Sequence[Object]) -> str:
    words = (f"pod {name(pod)} {'is leaving' if leaving(pod) else 'is kept'}" for pod in pods)
    return ", ".join(words) or "they could not be seen"
