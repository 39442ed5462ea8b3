"""When pods came up, of what the API server tells in whole seconds and of what a watch saw; and waiting for none."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.engines.knative.fake import FakeCluster
from toolkit import catalog
from toolkit.cold import soon_asleep
from toolkit.engines.knative import zero
from toolkit.engines.knative.instances import SECOND_NS, Instances, finer
from toolkit.engines.waiting import until
from toolkit.errors import EngineError
from toolkit.manifests.names import FUNCTION, GENERATOR

OURS = {"kn-bench.dev/run": "r"}
SEVEN = round(datetime(2026, 1, 2, 3, 4, 7, tzinfo=UTC).timestamp()) * SECOND_NS


def at(second: int) -> str:
    return f"2026-01-02T03:04:{second:02}Z"


def pod(
    name: str = "one", *, ready: int | None = None, leaving: bool = False, generator: bool = False
) -> dict[str, Any]:
    told = [{"type": "PodScheduled", "status": "True", "lastTransitionTime": at(7)}]
    told.append({"type": "Ready", "status": "False" if ready is None else "True", "lastTransitionTime": at(ready or 7)})
    started = {"name": "user-container", "state": {"running": {"startedAt": at(8)}}}
    end = {"deletionTimestamp": at(9)} if leaving else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "a",
            "creationTimestamp": at(7),
            "labels": {**OURS, FUNCTION: "consumer", **({GENERATOR: "0"} if generator else {})},
            **end,
        },
        "status": {"conditions": told, "containerStatuses": [started]},
    }


@pytest.mark.parametrize(("arrived_ms", "taken_ms"), [(300, 300), (-40, 0), (1500, 999)])
def test_an_arrival_is_held_to_the_second_that_was_told(arrived_ms: int, taken_ms: int) -> None:
    assert finer(SEVEN, SEVEN + arrived_ms * 1_000_000) // 1_000_000 == SEVEN // 1_000_000 + taken_ms


def test_each_moment_is_kept_as_it_was_first_seen() -> None:
    seen = Instances()
    seen.saw([pod()], SEVEN + 100)
    seen.saw([pod(ready=9)], SEVEN + 2 * SECOND_NS + 5)
    seen.saw([pod(ready=9)], SEVEN + 60 * SECOND_NS)
    (found,) = seen.told()
    assert (found.function, found.name) == ("consumer", "one")
    assert found.marks["created"] == SEVEN + 100
    assert found.marks["ready"] == SEVEN + 2 * SECOND_NS + 5
    assert found.coarse == {
        "created": SEVEN,
        "scheduled": SEVEN,
        "started": SEVEN + SECOND_NS,
        "ready": SEVEN + 2 * SECOND_NS,
    }


def test_a_pod_that_was_there_before_anybody_looked_is_told_as_the_server_has_it() -> None:
    seen = Instances()
    seen.saw([pod(ready=9)], None)
    assert seen.told()[0].marks == seen.told()[0].coarse


def test_a_pod_that_left_is_still_told_and_generators_are_no_instances() -> None:
    seen = Instances()
    seen.saw([pod("one"), pod("load", generator=True)], SEVEN)
    seen.saw([], SEVEN)
    assert [each.name for each in seen.told()] == ["one"]


@pytest.mark.parametrize("stamp", [None, 7, "soon", "2026-99-99T00:00:00Z"])
def test_a_moment_that_cannot_be_read_is_not_there(stamp: object) -> None:
    strange = pod()
    strange["metadata"]["creationTimestamp"] = stamp
    seen = Instances()
    seen.saw([strange], SEVEN)
    assert "created" not in seen.told()[0].marks


def test_an_image_is_there_once_the_function_s_own_container_has_it() -> None:
    seen = Instances()
    seen.saw([pod()], SEVEN)
    other = {
        "reason": "Pulled",
        "involvedObject": {"name": "one", "fieldPath": "spec.containers{queue-proxy}"},
        "firstTimestamp": at(7),
    }
    own = {
        **other,
        "involvedObject": {"name": "one", "fieldPath": "spec.containers{user-container}"},
        "message": "already present",
    }
    seen.saw_events([other, own], SEVEN + 500)
    (found,) = seen.told()
    assert (found.marks["pulled"], found.image) == (SEVEN + 500, "already present")


async def test_zero_is_when_no_pod_is_left() -> None:
    cluster = FakeCluster()
    cluster.put(pod(leaving=True))
    waiting = asyncio.create_task(zero.none_left(cluster.api, "a", "kn-bench.dev/run=r", 5.0))

    async def looked() -> bool:
        return any("/pods" in each for each in cluster.asked)

    assert await until(looked, within_s=5)
    assert not waiting.done(), "one that is leaving is still there"
    await cluster.ask("DELETE", cluster.path_of(pod()), None, {}, 1.0)
    await waiting


async def test_a_pod_that_does_not_go_away_is_named_with_what_to_do() -> None:
    cluster = FakeCluster()
    cluster.put(pod("kept-1"))
    cluster.put(pod("gone-1", leaving=True))
    with pytest.raises(EngineError) as told:
        await zero.none_left(cluster.api, "a", "kn-bench.dev/run=r", 0.2)
    assert "pod gone-1 is leaving" in str(told.value)
    assert "pod kept-1 is kept" in str(told.value)
    assert "--cold-timeout" in (told.value.next_step or "")


def config(**data: str) -> dict[str, Any]:
    metadata = {"name": "config-autoscaler", "namespace": "knative-serving"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


async def test_what_decides_is_told_as_it_was_found_and_as_it_was_set() -> None:
    cluster = FakeCluster()
    cluster.put(config(**{"scale-to-zero-grace-period": "5s"}))
    found = await zero.settings(cluster.api, soon_asleep(catalog.load("chained-serving", {})))
    assert found == {
        "enable-scale-to-zero": "true (default)",
        "scale-to-zero-grace-period": "5s",
        "window": "6s",
        "retention": "0s",
    }


async def test_a_cluster_that_never_scales_to_zero_is_told_at_once() -> None:
    cluster = FakeCluster()
    cluster.put(config(**{"enable-scale-to-zero": "false"}))
    with pytest.raises(EngineError, match="never scales to zero"):
        await zero.settings(cluster.api, catalog.load("chained-serving", {}))


async def test_where_settings_cannot_be_seen_only_what_was_set_is_told() -> None:
    found = await zero.settings(FakeCluster().api, soon_asleep(catalog.load("chained-serving", {})))
    assert found == {"window": "6s", "retention": "0s"}
