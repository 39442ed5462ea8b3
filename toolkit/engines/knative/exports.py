"""What Knative's own components do with their spans, as this cluster's ConfigMaps say, and how long one takes to come.

May live here: reading that for a run. May not: changing it, or judging it (`tracing`).
"""

from __future__ import annotations

from collections.abc import Mapping

from toolkit.engines.knative import observability
from toolkit.engines.knative.api import Api
from toolkit.engines.knative.kinds import CONFIG_MAP
from toolkit.errors import EngineError

EVERY_S = 5.0  # OpenTelemetry's batch processor exports so often (OTEL_BSP_SCHEDULE_DELAY); Knative leaves it so
PLACES = tuple(
    observability.place(part, otlp=otlp)
    for part in (observability.SERVING, observability.EVENTING)
    for otlp in (True, False)
)


async def told(api: Api) -> Mapping[str, observability.Told]:
    """By ConfigMap, of those that are there and that we may see. Never fails: a run can do without."""
    found = {}
    try:
        for place in PLACES:
            if (config := await api.see(CONFIG_MAP, place.name, place.namespace)) is not None:
                found[str(place)] = place.dialect.told(config.get("data") or {})
    except EngineError:
        pass
    return found


def words(found: Mapping[str, observability.Told]) -> str | None:
    """One line for a report; None where nothing could be seen."""
    if not found:
        return None
    on = [f"{place}: {each}" for place, each in found.items() if each.on]
    return "; ".join(on) or "off"


def expected(found: Mapping[str, observability.Told]) -> bool:
    """Whether spans of the platform may come: some are sent, or nobody lets us see."""
    return not found or any(each.on for each in found.values())
