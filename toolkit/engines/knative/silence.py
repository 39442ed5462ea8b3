"""Parts of the platform that were told to send spans and were heard in no trace: such a trace looks whole, and is not.

May live here: telling it of a run. May not: what may be the cause (`doctor`), or a verdict: no check turns red for the
platform's spans. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from toolkit.engines.knative.observability import EVENTING, SERVING, Told
from toolkit.traces.model import Span
from toolkit.traces.platform import Part, part

_SURE: Mapping[str, tuple[Part, str]] = {  # whoever is on every way; the activator is not, once there are pods enough
    SERVING: ("queue-proxy", "its queue-proxies"),
    EVENTING: ("broker ingress", "its broker"),
}


def unheard(
    told: Mapping[str, Told], spans: Sequence[Span], traces: int, services: Collection[str], store: str, *, events: bool
) -> Iterator[str]:
    """One sentence for each ConfigMap that turns tracing on without effect.

    `told` is by ConfigMap, `traces` how many were sampled, `services` are the functions, and `store` is where their
    spans go; without `events` no broker was on the way.
    """
    heard = {which for span in spans if (which := part(span, services)) is not None}
    for place, each in told.items():
        which, whose = _SURE[place.partition("/")[0]]
        if traces and each.on and which not in heard and (events or which != "broker ingress"):
            yield (
                f"{place} has the platform send its spans, and of {whose} none is in any of {traces:,} traces: "
                f"{_why(each, store)}"
            )


def _why(told: Told, store: str) -> str:
    if _are_neighbours(told.endpoint, store):
        return "'toolkit doctor' tells what may be in the way"
    return (
        f"they go to {told.endpoint} and the functions' to {store}; 'toolkit tracing setup' brings them together, and "
        "'toolkit doctor' tells what else may be in the way"
    )


def _are_neighbours(one: str, other: str) -> bool:
    """One host, or two Services of one namespace, as a collector and the Zipkin behind it are."""
    try:
        hosts = [urlsplit(each).hostname or "" for each in (one, other)]
    except ValueError:
        return False
    spaces = [each.partition(".")[2] for each in hosts]
    return hosts[0] == hosts[1] or (spaces[0] == spaces[1] != "")
