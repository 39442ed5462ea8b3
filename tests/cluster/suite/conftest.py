"""The cluster that the tests share, and what decides whether there is one.

Every test that asks for `cluster` carries the marker of that name. Without $KUBECONFIG it is skipped, at no cost: the
Kubernetes client is imported only once there is something to talk to. With KNBENCH_CLUSTER=1, which `make test-cluster`
sets, a cluster that cannot be reached is a failure. One process, so no `-n`: images and namespaces are the session's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import pytest

from tests.cluster.suite import images as image_building
from tests.cluster.suite import ingress, namespaces, platform, tracing
from tests.cluster.suite.api import Unreachable
from tests.cluster.suite.calls import Door
from tests.cluster.suite.cluster import Cluster

NEEDS = "needs a cluster: make cluster-up && make test-cluster, or KUBECONFIG=…"
HERE = Path(__file__).parent
CHAINS = ("chained-serving", "chained-eventing")
TIMEOUT_S = 400  # of a test with all that is set up before it: the first one waits for images


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE) and "cluster" in _fixtures(item):
            item.add_marker(pytest.mark.cluster)
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))
    items.sort(key=lambda item: "in_the_end" in _fixtures(item))


@pytest.fixture(scope="session")
def cluster(_connected: Cluster, at_first: frozenset[platform.Container]) -> Iterator[Cluster]:
    """The cluster, without namespaces of sessions that are over, and in the end without any of this one."""
    namespaces.sweep(_connected)
    try:
        yield _connected
    finally:
        namespaces.sweep(_connected)


@pytest.fixture(scope="session")
def at_first(_connected: Cluster) -> frozenset[platform.Container]:
    """Knative's containers before any test ran."""
    return platform.containers(_connected)


@pytest.fixture(scope="session")
def on_purpose() -> tracing.OnPurpose:
    """What tests restarted of Knative because they had to."""
    return tracing.OnPurpose()


@pytest.fixture
def in_the_end(cluster: Cluster) -> frozenset[platform.Container]:
    """Knative's containers after all other tests ran: who asks for this comes last."""
    return platform.containers(cluster)


@pytest.fixture(scope="session")
def _connected() -> Cluster:
    kubeconfig = os.environ.get("KUBECONFIG")
    if not kubeconfig:
        _without("KUBECONFIG is not set")
    if "PYTEST_XDIST_WORKER" in os.environ:
        _without("the tests share one cluster: run them without -n")
    try:
        return Cluster.of(Path(kubeconfig))
    except Unreachable as error:
        _without(str(error))


def _without(why: str) -> NoReturn:
    if os.environ.get("KNBENCH_CLUSTER") == "1":
        pytest.fail(f"{NEEDS}: {why}", pytrace=False)
    pytest.skip(f"{NEEDS} ({why})")


@pytest.fixture(scope="session")
def door(cluster: Cluster) -> Door:
    """Kourier, as it is reached from here."""
    return Door(ingress.find(cluster))


@pytest.fixture(scope="session")
def images(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Image references by chain; the cluster has them."""
    folder = tmp_path_factory.mktemp("images")
    return {chain: image_building.provide(chain, folder) for chain in CHAINS}


def _fixtures(item: pytest.Item) -> Sequence[str]:
    return item.fixturenames if isinstance(item, pytest.Function) else ()
