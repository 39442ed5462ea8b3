"""Namespaces of the tests: made with a label, taken away at the end, and swept up if an end never came.

One session of tests at a time may use a cluster: a new one takes the leftovers of any other for its own.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator

from tests.cluster.suite.api import BROKER, CHANNEL, NAMESPACE, POD, Manifest
from tests.cluster.suite.cluster import Cluster, NotInTime
from tests.cluster.suite.waiting import until

LABEL = "app.kubernetes.io/managed-by"
OWNER = "kn-bench-tests"
GONE_WITHIN_S = 120.0
BROKERS_GONE_WITHIN_S = 20.0


@contextlib.contextmanager
def namespace(cluster: Cluster, purpose: str, *, name: str | None = None, restricted: bool = True) -> Iterator[str]:
    """The name of a fresh namespace, whose pods have to meet the "restricted" standard. It ends with the context."""
    chosen = name or f"{OWNER}-{purpose}-{secrets.token_hex(3)}"
    found = cluster.get(NAMESPACE, chosen)
    assert found is None, f"there is a namespace {chosen} that is not of these tests: rename or delete it"
    cluster.apply(_manifest(chosen, restricted=restricted))
    try:
        yield chosen
    finally:
        clear(cluster, chosen)


def clear(cluster: Cluster, name: str) -> None:
    """Asks for the end of a namespace and all within, and does not wait for it: `sweep` does."""
    try:
        _end_brokers(cluster, name)
    finally:
        cluster.delete(NAMESPACE, name)
        cluster.delete(POD, None, name, gracePeriodSeconds=1)  # nobody is served any more: no pod has to drain


def sweep(cluster: Cluster) -> None:
    """No namespace of these tests is left when this returns. Raises NotInTime."""
    left = leftovers(cluster)
    for name in left:
        with contextlib.suppress(NotInTime):  # a broker that stays must not keep its namespace
            clear(cluster, name)
    for name in left:
        cluster.gone(NAMESPACE, name, within_s=GONE_WITHIN_S)


def leftovers(cluster: Cluster) -> list[str]:
    return [each["metadata"]["name"] for each in cluster.list(NAMESPACE, labels=f"{LABEL}={OWNER}")]


def _end_brokers(cluster: Cluster, name: str) -> None:
    """A broker goes before its triggers: triggers that go at once leave dead subscribers in a broker's channel."""
    with contextlib.suppress(LookupError):  # no Knative Eventing, no brokers
        cluster.delete(BROKER, None, name)
        until(lambda: not _brokers(cluster, name), f"the brokers of {name} to be gone", BROKERS_GONE_WITHIN_S)


def _brokers(cluster: Cluster, name: str) -> bool:
    return bool(cluster.list(BROKER, name) or cluster.list(CHANNEL, name))


def _manifest(name: str, *, restricted: bool) -> Manifest:
    labels = {LABEL: OWNER}
    if restricted:
        labels |= {"pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
