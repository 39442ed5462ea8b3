"""Requests to an API server: what is tried again, what is refused, and watches that end."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engines.knative.fake import FakeCluster, gone, status
from toolkit.engines.knative import api as requests
from toolkit.engines.knative.api import Refused, UnknownKind, Unreachable
from toolkit.engines.knative.kinds import BROKER, KSVC, POD, Kind

SCHEMA = "failed to create typed patch object (a/b; serving.knative.dev/v1, Kind=Service): .spec.x: field not declared"
POD_PATH = "/api/v1/namespaces/a/pods"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(requests, "LONGEST_WAIT_S", 0.002)


def pod(name: str, **labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "a", "labels": labels}}


def ksvc(name: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "a"}
    return {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": metadata, "spec": {}}


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
async def test_a_server_that_is_busy_or_broken_for_a_moment_is_asked_again(code: int) -> None:
    cluster = FakeCluster()
    cluster.put(pod("one"))
    cluster.replies["GET /api/v1/namespaces/a/pods/one"] = [status(code, "", "not now")] * 3
    found = await cluster.api.get(POD, "one", "a")
    assert found is not None
    assert found["metadata"]["name"] == "one"


async def test_a_connection_that_breaks_is_made_again() -> None:
    cluster = FakeCluster()
    cluster.put(pod("one"))
    cluster.replies["GET /api/v1/namespaces/a/pods/one"] = [gone(), gone()]
    assert await cluster.api.get(POD, "one", "a") is not None


async def test_a_server_that_stays_away_is_told_after_some_tries() -> None:
    cluster = FakeCluster(replies={"GET": [gone() for _ in range(100)]})
    with pytest.raises(Unreachable, match="connection refused"):
        await cluster.api.get(POD, "one", "a")
    assert len(cluster.asked) == requests.TRIES


async def test_a_conflict_of_writers_is_tried_again_by_who_applies() -> None:
    cluster = FakeCluster(replies={"PATCH": [status(409, "Conflict", "the object has been modified")]})
    assert (await cluster.api.apply(ksvc("one")))["metadata"]["name"] == "one"


async def test_a_field_that_the_schema_does_not_have_is_refused_at_once_though_it_is_a_500() -> None:
    cluster = FakeCluster(replies={"PATCH": [status(500, "", SCHEMA)]})
    with pytest.raises(Refused, match="field not declared") as caught:
        await cluster.api.apply(ksvc("one"))
    assert caught.value.code == 500
    assert sum(each.startswith("PATCH") for each in cluster.asked) == 1


async def test_a_refusal_names_what_was_asked_and_why_not() -> None:
    cluster = FakeCluster(replies={"PATCH": [status(400, "BadRequest", 'admission webhook "x" denied the request')]})
    with pytest.raises(Refused, match=r'apply Service one: admission webhook "x" denied the request \(400\)'):
        await cluster.api.apply(ksvc("one"))


async def test_a_kind_that_the_cluster_does_not_have_is_told() -> None:
    cluster = FakeCluster(resources={"v1": {"Pod": "pods"}})
    with pytest.raises(UnknownKind, match=r"no Broker of eventing\.knative\.dev/v1"):
        await cluster.api.every(BROKER, "a")
    assert await cluster.api.every_known(BROKER, "a") == []


async def test_apply_is_server_side_with_our_field_manager_and_a_dry_run_when_asked() -> None:
    cluster = FakeCluster()
    await cluster.api.apply(ksvc("one"), dry_run=True)
    (sent,) = [each for each in cluster.asked if each.startswith("PATCH")]
    assert "fieldManager=kn-bench" in sent
    assert "force=true" in sent
    assert "dryRun=All" in sent
    assert cluster.names("Service") == []


async def test_a_core_service_and_one_of_knative_are_not_taken_for_each_other() -> None:
    cluster = FakeCluster()
    cluster.put(ksvc("one"))
    assert await cluster.api.get(Kind("v1", "Service"), "one", "a") is None
    assert await cluster.api.get(KSVC, "one", "a") is not None


async def test_delete_ends_exactly_the_object_that_was_seen() -> None:
    cluster = FakeCluster()
    seen = cluster.put(pod("one"))
    assert await cluster.api.delete(seen)
    cluster.put(pod("one"))
    assert not await cluster.api.delete(seen), "one of the same name that came later is not ours to take"
    assert cluster.names("Pod") == ["one"]


async def test_what_is_gone_already_is_deleted() -> None:
    cluster = FakeCluster()
    seen = cluster.put(pod("one"))
    del cluster.objects[f"{POD_PATH}/one"]
    assert not await cluster.api.delete(seen)


async def test_objects_of_a_list_say_what_they_are() -> None:
    cluster = FakeCluster()
    cluster.put(pod("one", of="a"))
    cluster.put(pod("two", of="b"))
    (found,) = await cluster.api.every(POD, "a", "of=b")
    assert (found["apiVersion"], found["kind"], found["metadata"]["name"]) == ("v1", "Pod", "two")


async def snapshots(cluster: FakeCluster, count: int) -> list[list[str]]:
    found: list[list[str]] = []
    async for each in cluster.api.snapshots(POD, "a"):
        found.append(sorted(each))
        if len(found) == count:
            break
    return found


async def test_a_watch_tells_what_comes_changes_and_goes() -> None:
    cluster = FakeCluster()
    cluster.put(pod("one"))
    events = [
        {"type": "ADDED", "object": pod("two")},
        {"type": "MODIFIED", "object": pod("two")},
        {"type": "DELETED", "object": pod("one")},
    ]
    cluster.replies["WATCH"] = [(200, events)]
    assert await snapshots(cluster, 4) == [["one"], ["one", "two"], ["one", "two"], ["two"]]


@pytest.mark.parametrize(
    "end",
    [
        (200, []),
        (410, []),
        (500, []),
        (200, [{"type": "ERROR", "object": {"code": 410, "reason": "Expired"}}]),
        (200, [b"not json"]),
        (200, [gone()]),
        gone(),
    ],
    ids=["closed", "gone", "broken", "expired", "garbage", "cut", "refused"],
)
async def test_a_watch_that_ends_is_begun_anew_with_a_list(end: Any) -> None:
    cluster = FakeCluster()
    cluster.put(pod("one"))
    cluster.replies["WATCH"] = [end, (200, [{"type": "ADDED", "object": pod("two")}])]
    assert await snapshots(cluster, 3) == [["one"], ["one"], ["one", "two"]]


async def test_a_bookmark_ends_nothing_but_the_watch_goes_on_with_a_list() -> None:
    cluster = FakeCluster()
    cluster.replies["WATCH"] = [(200, [{"type": "BOOKMARK", "object": pod("")}])]
    assert await snapshots(cluster, 2) == [[], []]


async def test_whoever_watches_what_he_may_not_see_is_told() -> None:
    cluster = FakeCluster(replies={"GET /api/v1/namespaces/a/pods": [status(403, "Forbidden", "pods is forbidden")]})
    with pytest.raises(Refused, match="list Pods: pods is forbidden"):
        await snapshots(cluster, 1)
