"""What a cluster consists of, as far as a measurement depends on it: versions, nodes, tracing."""

from __future__ import annotations

from collections.abc import Mapping

from toolkit.engines.knative import exports
from toolkit.engines.knative.api import Api
from toolkit.engines.knative.kinds import NAMESPACE, NODE, labels
from toolkit.errors import EngineError

VERSION = "app.kubernetes.io/version"
PARTS = ("knative-serving", "knative-eventing", "kourier-system")


async def versions(api: Api) -> Mapping[str, str]:
    """By part; what we have no right to see, or what does not say it, is left out. Never fails."""
    found = {"server": api.server}
    try:
        found["kubernetes"] = str((await api.ask("GET", "/version")).body.get("gitVersion", ""))
        for part in PARTS:
            namespace = await api.see(NAMESPACE, part)
            if namespace is not None and (version := labels(namespace).get(VERSION)):
                found[part] = version
        found["tracing"] = exports.words(await exports.told(api)) or ""
        found["nodes"] = str(len(await api.every(NODE)))
    except EngineError:
        pass
    return {part: value for part, value in found.items() if value}
