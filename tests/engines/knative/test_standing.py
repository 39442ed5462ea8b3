"""Deployments that others brought up are found by their labels, their logs are read, and the store comes and goes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.engines.knative.fake import FakeCluster
from toolkit.contract import LEDGER, LEDGER_TOKEN
from toolkit.engines import zipkin_client
from toolkit.engines.knative import logs, standing
from toolkit.engines.knative.kinds import Object
from toolkit.engines.knative.store import Store
from toolkit.engines.waiting import until
from toolkit.errors import EngineError
from toolkit.manifests.names import FUNCTION
from toolkit.traces.model import Span

READY = {"conditions": [{"type": "Ready", "status": "True"}]}
WAITING = {"conditions": [{"type": "Ready", "status": "Unknown", "reason": "Deploying"}]}
SERVING = "serving.knative.dev/v1"


def thing(
    api_version: str, kind: str, name: str, run: str, status: dict[str, Any], at: str = "2030-01-01T00:00:00Z"
) -> dict[str, Any]:
    labels = {
        "app.kubernetes.io/managed-by": "kn-bench",
        "app.kubernetes.io/part-of": "chained-serving",
        "kn-bench.dev/run": run,
        FUNCTION: name,
    }
    metadata = {"name": name, "namespace": "a", "labels": labels, "creationTimestamp": at}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": {}, "status": status}


async def test_a_deployment_is_found_with_its_objects_and_pods_and_with_nobody_elses() -> None:
    cluster = FakeCluster()
    cluster.put(thing(SERVING, "Service", "consumer", "r1", READY))
    cluster.put(thing("v1", "Pod", "consumer-1", "r1", READY))
    cluster.put({**thing(SERVING, "Service", "theirs", "r1", READY), "metadata": {"name": "theirs", "namespace": "a"}})
    (found,) = await standing.find(cluster.api, "chained-serving", "a")
    assert (found.run, found.ready, standing.functions(found)) == ("r1", True, ["consumer"])
    assert [(each.kind, each.name, each.ready) for each in standing.lines(found)] == [
        ("Service", "consumer", True),
        ("Pod", "consumer-1", True),
    ]
    assert await standing.find(cluster.api, "chained-eventing", "a") == []


async def test_one_object_that_waits_makes_the_whole_wait_and_says_what_for() -> None:
    cluster = FakeCluster()
    cluster.put(thing(SERVING, "Service", "consumer", "r1", READY))
    cluster.put(thing(SERVING, "Service", "producer", "r1", WAITING))
    found = await standing.the_one(cluster.api, "chained-serving", "a")
    assert not found.ready
    assert [each.state for each in standing.lines(found)] == ["ready", "Deploying"]
    with pytest.raises(EngineError, match="the entry producer of chained-serving is not ready: Deploying"):
        await standing.entry(cluster.api, found, "producer", "192.0.2.1:80")


async def test_of_several_runs_the_newest_is_meant() -> None:
    cluster = FakeCluster()
    cluster.put(thing(SERVING, "Service", "consumer", "z-old", READY, "2030-01-01T00:00:00Z"))
    cluster.put(thing(SERVING, "Service", "producer", "a-new", READY, "2030-01-02T00:00:00Z"))
    assert (await standing.the_one(cluster.api, "chained-serving", "a")).run == "a-new"


def test_a_ledger_s_token_is_read_from_its_deployment() -> None:
    ledger = thing("apps/v1", "Deployment", LEDGER, "r1", READY)
    container = {"name": "ledger", "env": [{"name": "OTHER"}, {"name": LEDGER_TOKEN, "value": "0123"}]}
    ledger["spec"] = {"template": {"spec": {"containers": [container]}}}
    assert standing.ledger_token(standing.Standing("r1", "chained-serving", "a", [ledger], [])) == "0123"


async def test_a_chain_without_a_ledger_has_no_token_and_that_is_told() -> None:
    cluster = FakeCluster()
    cluster.put(thing(SERVING, "Service", LEDGER, "r1", READY))
    with pytest.raises(EngineError, match="has no ledger in the namespace a, so no tasks"):
        standing.ledger_token(await standing.the_one(cluster.api, "chained-serving", "a"))


async def test_where_nothing_stands_the_command_that_brings_it_up_is_told() -> None:
    with pytest.raises(EngineError, match="nothing of chained-serving stands in the namespace a") as caught:
        await standing.the_one(FakeCluster().api, "chained-serving", "a")
    assert "toolkit deploy chained-serving --engine knative" in (caught.value.next_step or "")


async def test_a_namespace_that_a_run_made_is_found_though_it_is_empty() -> None:
    cluster = FakeCluster()
    space = thing("v1", "Namespace", "a", "r1", {})
    del space["metadata"]["namespace"]
    cluster.put(space)
    (found,) = await standing.find(cluster.api, "chained-serving", "a")
    assert (found.run, found.objects) == ("r1", [])


LOG = "GET /api/v1/namespaces/a/pods/consumer-1/log"


async def test_logs_are_kept_in_a_file_a_pod_and_a_pod_that_is_gone_costs_nothing(tmp_path: Path) -> None:
    cluster = FakeCluster()
    cluster.put(thing("v1", "Pod", "consumer-1", "r1", READY))
    cluster.replies[LOG] = [(200, b"one\ntwo\n")]
    await logs.keep(cluster.api, "a", "kn-bench.dev/run=r1", tmp_path / "logs")
    (file,) = (tmp_path / "logs").iterdir()
    assert (file.name, file.read_text()) == ("consumer-1.1.log", "one\ntwo\n")
    cluster.replies["GET /api/v1/namespaces/a/pods?"] = [(403, {"message": "no"})]
    await logs.keep(cluster.api, "a", "kn-bench.dev/run=r1", tmp_path / "other")
    assert not (tmp_path / "other").exists()


async def test_logs_are_told_as_they_come_also_those_of_pods_that_come_later() -> None:
    cluster = FakeCluster()
    told: list[tuple[str, str]] = []
    running = {"containerStatuses": [{"name": "user-container", "state": {"running": {}}}]}
    starting = {"containerStatuses": [{"name": "user-container", "state": {"waiting": {}}}]}
    cluster.put(thing("v1", "Pod", "one", "r1", running))
    cluster.put(thing("v1", "Pod", "two", "r1", starting))
    cluster.replies["WATCH /api/v1/namespaces/a/pods/one/log"] = [(200, [b"hello"])]
    cluster.replies["WATCH /api/v1/namespaces/a/pods/two/log"] = [(200, [b"there"])]

    def tell(pod: Object, line: str) -> None:
        told.append((pod["metadata"]["name"], line))

    async def is_told(count: int) -> bool:
        return await until(lambda: _true(len(told) == count), within_s=5)

    following = asyncio.ensure_future(logs.follow(cluster.api, "a", "kn-bench.dev/run=r1", None, tell))
    assert await is_told(1)
    cluster.put(thing("v1", "Pod", "two", "r1", running))
    assert await is_told(2)
    following.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await following
    assert told == [("one", "hello"), ("two", "there")]


async def _true(value: bool) -> bool:
    return value


async def test_the_store_of_spans_listens_where_it_is_told_and_ends_when_it_is_closed() -> None:
    store = await Store.start("127.0.0.1")
    try:
        span = Span("a" * 32, "b" * 16, "call", service="caller", timestamp=1, duration=1)
        await zipkin_client.send(store.url, [span])
        assert await zipkin_client.spans(store.url, [span.trace]) == [span]
    finally:
        await store.close()
        await store.close()
    with pytest.raises(EngineError):
        await zipkin_client.ready(store.url, within_s=0.1)


async def test_a_store_that_cannot_listen_there_is_told() -> None:
    with pytest.raises(EngineError, match=r"the trace store cannot listen on 192\.0\.2\.77: .*192\.0\.2\.77") as caught:
        await Store.start("192.0.2.77")
    assert "--advertise" in (caught.value.next_step or "")


async def test_a_store_that_was_killed_is_closed_without_complaint() -> None:
    store = await Store.start("127.0.0.1")
    os.kill(store._process.pid, signal.SIGKILL)
    await store.close()
    assert store._process.returncode == -signal.SIGKILL
