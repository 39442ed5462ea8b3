"""A namespace that ends slowly, as it does when its pods were on their way to zero already."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engines.knative.fake import FakeCluster
from toolkit.engines.knative import removal

OURS = {"kn-bench.dev/run": "run-1"}
SPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a", "labels": OURS}}
POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "consumer-1", "namespace": "a", "labels": OURS}}


class Ending:
    """A namespace controller that has found a pod, and looks again only when the namespace changes."""

    def __init__(self, cluster: FakeCluster) -> None:
        self._cluster, self._path = cluster, cluster.path_of(SPACE)
        self._space, self._pod = cluster.put(SPACE), cluster.put(POD)

    def __call__(self, method: str, path: str) -> None:
        objects: dict[str, Any] = self._cluster.objects
        if method == "DELETE" and path == self._path:
            objects[self._path] = self._space
            objects[self._cluster.path_of(POD)] = self._pod  # drains, until it is told to hurry
        elif method == "PATCH" and self._cluster.names("Pod") == []:
            del objects[self._path]


async def test_a_namespace_whose_pods_are_gone_is_changed_so_that_its_controller_looks_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(removal, "NUDGE_S", 0.02)
    cluster = FakeCluster()
    cluster.changed = Ending(cluster)
    assert await removal.remove(cluster.api, "a", OURS, within_s=5.0) == []
    assert cluster.objects == {}
    assert "PATCH /api/v1/namespaces/a" in cluster.asked


async def test_a_namespace_whose_pods_still_drain_is_left_to_its_controller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "NUDGE_S", 0.02)
    cluster = FakeCluster()
    ending = Ending(cluster)
    draining = "DELETE /api/v1/namespaces/a/pods"
    cluster.changed, cluster.replies[draining] = ending, [(200, {})]
    (told,) = await removal.remove(cluster.api, "a", OURS, within_s=0.3)
    assert "a" in told
    assert "PATCH /api/v1/namespaces/a" not in cluster.asked
