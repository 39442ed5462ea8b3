"""Knative itself: every component is there and serves, none had to begin again. Red when one was killed."""

from __future__ import annotations

import pytest

from tests.cluster import versions as pins
from tests.cluster.node import NAME as OWN_NODE
from tests.cluster.suite import platform, tracing
from tests.cluster.suite.api import NODE
from tests.cluster.suite.cluster import Cluster, holds


@pytest.mark.parametrize("namespace", platform.NAMESPACES)
def test_every_component_is_there(cluster: Cluster, namespace: str) -> None:
    assert platform.missing(cluster, namespace) == set()


@pytest.mark.parametrize("namespace", platform.NAMESPACES)
def test_every_component_serves_and_never_had_to_begin_again(cluster: Cluster, namespace: str) -> None:
    said = platform.complaints(cluster, namespace)
    assert said == [], (
        f"a restart that is understood is forgotten by `kubectl -n {namespace} rollout restart deployment`"
    )


def test_every_node_is_ready(cluster: Cluster) -> None:
    nodes = cluster.list(NODE)
    assert nodes
    assert [each["metadata"]["name"] for each in nodes if not holds(each, "Ready")] == []


def test_the_cluster_that_this_folder_brings_up_has_the_versions_it_pins(cluster: Cluster) -> None:
    if [each["metadata"]["name"] for each in cluster.list(NODE)] != [OWN_NODE]:
        pytest.skip("another cluster has versions of its own")
    pinned = pins.versions().go
    assert cluster.api.ask("GET", "/version").body["gitVersion"] == pinned[pins.KUBERNETES]
    serving = platform.versions(cluster, platform.SERVING)
    kourier = {"net-kourier-controller": serving["net-kourier-controller"]}
    kourier |= platform.versions(cluster, platform.KOURIER)
    assert {serving[each] for each in set(serving) - set(kourier)} == {pinned[pins.SERVING]}
    assert set(kourier.values()) == {pinned[pins.KOURIER]}
    assert set(platform.versions(cluster, platform.EVENTING).values()) == {pinned[pins.EVENTING]}


def test_nothing_of_knative_began_again_while_the_tests_ran(
    at_first: frozenset[platform.Container],
    in_the_end: frozenset[platform.Container],
    on_purpose: tracing.OnPurpose,
) -> None:
    assert at_first
    assert sorted(at_first - in_the_end - on_purpose.ended) == [], "these are gone, or began again"
    assert sorted(in_the_end - at_first - on_purpose.came) == [], "these came instead"
    assert sorted(on_purpose.came - in_the_end) == [], "these are gone, or began again, after they came on purpose"
