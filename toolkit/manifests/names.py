"""The names and addresses that follow from a plan and a namespace. Pure.

May live here: labels, cluster names, URLs. May not: whole objects.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from toolkit.plan import Plan

MANAGED_BY = "app.kubernetes.io/managed-by"
OWNER = "kn-bench"
PART_OF = "app.kubernetes.io/part-of"
RUN = "kn-bench.dev/run"
FUNCTION = "kn-bench.dev/function"
GENERATOR = "kn-bench.dev/generator"  # which one of a run's, from 0 on
CLUSTER_DOMAIN = "cluster.local"  # the usual one; kubelet's clusterDomain
DOMAIN = f"svc.{CLUSTER_DOMAIN}"

_LONGEST = 63
_LABEL_VALUE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the plan's names lead inside the cluster: gRPC targets by function, and the URL that events are sent to."""

    targets: Mapping[str, str]
    sink: str | None


def bound(plan: Plan, namespace: str, cluster_domain: str = CLUSTER_DOMAIN) -> Addresses:
    """Fully qualified, as a guest without search domains needs them. Port 80 is that of Knative's routes."""
    targets = {each.name: f"{each.name}.{namespace}.svc.{cluster_domain}:80" for each in plan.chain.functions}
    brokers = f"http://broker-ingress.knative-eventing.svc.{cluster_domain}/{namespace}"
    return Addresses(targets, f"{brokers}/{plan.broker.name}" if plan.broker else None)


def labels(plan: Plan, function: str | None = None) -> dict[str, str]:
    """The labels of everything that belongs to a run, or of what belongs to one function of it."""
    found = {MANAGED_BY: OWNER, PART_OF: label_value(plan.chain.name), RUN: label_value(plan.run)}
    return found if function is None else {**found, FUNCTION: label_value(function)}


def label_value(text: str) -> str:
    """`text` if Kubernetes takes it as the value of a label, else one that it takes and that stands for `text` alone.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
    """
    if len(text) <= _LONGEST and (_LABEL_VALUE.fullmatch(text) or not text):
        return text
    mark = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", text)[: _LONGEST - len(mark) - 1].strip("-._")
    return f"{readable}-{mark}" if readable else mark
