"""Where the spans of a deployment go: the user's Zipkin, the cluster's, or a store of ours."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.engines.knative.fake import FakeCluster
from toolkit.engines.knative import exports, platform, spans
from toolkit.engines.knative.settings import Audience, Settings
from toolkit.errors import EngineError
from toolkit.manifests import NAMESPACE
from toolkit.traces import zipkin
from toolkit.traces.model import Span

SPAN = Span(trace="a" * 32, id="b" * 16, parent=None, name="say", kind="CLIENT", service="caller", timestamp=1)


def service(labels: dict[str, str]) -> dict[str, Any]:
    metadata = {"name": "zipkin", "namespace": NAMESPACE, "labels": labels}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata}


@pytest.fixture
def cluster() -> FakeCluster:
    """With the Zipkin of `toolkit tracing setup`, which answers through the API server."""
    found = FakeCluster()
    found.put(service({"app.kubernetes.io/managed-by": "kn-bench"}))
    found.replies[f"GET {spans.proxy(NAMESPACE)}/api/v2/services"] = [(200, [])]
    return found


@pytest.fixture
async def stack() -> AsyncIterator[contextlib.AsyncExitStack]:
    async with contextlib.AsyncExitStack() as found:
        yield found


async def here() -> str:
    return "127.0.0.1"


async def chosen(cluster: FakeCluster, stack: contextlib.AsyncExitStack, **settings: Any) -> spans.Spans | None:
    return await spans.choose(cluster.api, Settings(**settings), Audience(), stack, here)


async def test_the_cluster_s_zipkin_is_used_where_no_other_is_named(
    cluster: FakeCluster, stack: contextlib.AsyncExitStack
) -> None:
    found = await chosen(cluster, stack)
    assert found is not None
    assert (found.url, found.shared) == (f"http://zipkin.{NAMESPACE}.svc.cluster.local:9411", True)


async def test_a_cluster_whose_names_end_otherwise_has_its_zipkin_there(
    cluster: FakeCluster, stack: contextlib.AsyncExitStack
) -> None:
    found = await chosen(cluster, stack, cluster_domain="example.org")
    assert found is not None
    assert found.url == f"http://zipkin.{NAMESPACE}.svc.example.org:9411"


async def test_a_zipkin_that_somebody_else_calls_so_is_left_alone(stack: contextlib.AsyncExitStack) -> None:
    cluster = FakeCluster()
    cluster.put(service({}))
    found = await chosen(cluster, stack)
    assert found is not None
    assert not found.shared


async def test_who_may_not_look_at_the_cluster_s_zipkin_has_a_store_of_his_own(
    cluster: FakeCluster, stack: contextlib.AsyncExitStack
) -> None:
    cluster.replies[f"GET /api/v1/namespaces/{NAMESPACE}/services/zipkin"] = [(403, {"message": "no"})]
    found = await chosen(cluster, stack)
    assert found is not None
    assert found.store is not None


async def test_a_zipkin_of_the_cluster_that_does_not_answer_is_told_and_left_alone(
    cluster: FakeCluster, stack: contextlib.AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spans, "READY_WITHIN_S", 0.0)
    cluster.replies[f"GET {spans.proxy(NAMESPACE)}/api/v2/services"] = [
        (403, {"message": "no right to services/proxy"})
    ]
    notes: list[str] = []
    found = await spans.choose(cluster.api, Settings(), Audience(note=notes.append), stack, here)
    assert found is not None
    assert not found.shared
    (told,) = notes
    assert "no right to services/proxy" in told


async def test_nobody_who_stays_means_no_store_of_ours(stack: contextlib.AsyncExitStack) -> None:
    assert await spans.choose(FakeCluster().api, Settings(), Audience(), stack, None) is None


async def test_spans_go_and_come_through_the_api_server(cluster: FakeCluster, stack: contextlib.AsyncExitStack) -> None:
    stored = json.loads(zipkin.encode([SPAN]))
    cluster.replies[f"POST {spans.proxy(NAMESPACE)}/api/v2/spans"] = [(503, {}), (202, b"")]
    cluster.replies[f"GET {spans.proxy(NAMESPACE)}/api/v2/trace/{SPAN.trace}"] = [(200, stored), (200, stored)]
    found = await chosen(cluster, stack)
    assert found is not None
    await found.send([SPAN])
    assert await found.of([SPAN.trace]) == [SPAN]
    assert sum(each == f"POST {spans.proxy(NAMESPACE)}/api/v2/spans" for each in cluster.asked) == 2


async def test_a_proxy_that_always_finds_nobody_is_told(cluster: FakeCluster, stack: contextlib.AsyncExitStack) -> None:
    cluster.replies[f"GET {spans.proxy(NAMESPACE)}/api/v2/trace"] = [(503, {"message": "no endpoints"})] * spans.TRIES
    found = await chosen(cluster, stack)
    assert found is not None
    with pytest.raises(EngineError, match="no endpoints"):
        await found.of([SPAN.trace])


def config(namespace: str, data: dict[str, str]) -> dict[str, Any]:
    metadata = {"name": "config-observability", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


ON = {
    "tracing-protocol": "http/protobuf",
    "tracing-endpoint": "http://collector:4318/v1/traces",
    "tracing-sampling-rate": "1",
}


async def test_a_report_says_what_the_platform_does_with_its_spans() -> None:
    cluster = FakeCluster()
    cluster.put(config("knative-serving", ON))
    cluster.put(config("knative-eventing", {}))
    told = await exports.told(cluster.api)
    assert exports.expected(told)
    said = (await platform.versions(cluster.api))["tracing"]
    assert said.startswith("knative-serving/config-observability: http/protobuf to http://collector:4318/v1/traces")
    assert "eventing" not in said


async def test_a_zipkin_in_another_namespace_is_found_by_what_knative_was_told(
    stack: contextlib.AsyncExitStack,
) -> None:
    cluster = FakeCluster()
    told = {**ON, "tracing-endpoint": "http://otel-collector.elsewhere.svc.cluster.local:4318/v1/traces"}
    cluster.put(config("knative-serving", told))
    ours = service({"app.kubernetes.io/managed-by": "kn-bench"})
    cluster.put({**ours, "metadata": {**ours["metadata"], "namespace": "elsewhere"}})
    cluster.replies[f"GET {spans.proxy('elsewhere')}/api/v2/services"] = [(200, [])]
    found = await chosen(cluster, stack)
    assert found is not None
    assert found.url == "http://zipkin.elsewhere.svc.cluster.local:9411"


async def test_a_platform_that_does_not_trace_is_not_waited_for() -> None:
    cluster = FakeCluster()
    cluster.put(config("knative-serving", {}))
    told = await exports.told(cluster.api)
    assert not exports.expected(told)
    assert exports.words(told) == "off"


async def test_spans_of_a_platform_that_nobody_lets_us_see_may_come() -> None:
    told = await exports.told(FakeCluster().api)
    assert exports.expected(told)
    assert exports.words(told) is None
