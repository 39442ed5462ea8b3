"""What goes wrong under load is named, and what is usual is not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.engines.knative.fake import FakeCluster, status
from toolkit.engines.knative.observer import Observer, how, restarted
from toolkit.engines.waiting import until
from toolkit.manifests.names import FUNCTION

OURS = {"kn-bench.dev/run": "r"}
LOG = "/api/v1/namespaces/a/pods/one/log"


def pod(restarts: int = 0, **last: Any) -> dict[str, Any]:
    container = {
        "name": "user-container",
        "restartCount": restarts,
        "lastState": {"terminated": last} if last else {},
        "state": {"running": {}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "one", "namespace": "a", "uid": "u", "labels": {**OURS, FUNCTION: "consumer"}},
        "status": {"phase": "Running", "containerStatuses": [container]},
    }


def event(reason: str, message: str = "told", kind: str = "Warning", count: int = 1) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{reason}-{count}", "namespace": "a"},
        "type": kind,
        "reason": reason,
        "message": message,
        "count": count,
        "involvedObject": {"kind": "Pod", "name": "one"},
    }


class Watched:
    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.observer = Observer(self.cluster.api, "a", "kn-bench.dev/run=r")

    async def told(self, count: int) -> list[tuple[str, str, str]]:
        async def enough() -> bool:
            return len(self.observer.incidents) >= count

        assert await until(enough, within_s=5)
        return [(each.kind, each.subject, each.text) for each in self.observer.incidents]


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    made = Watched()
    yield made
    await made.observer.close()


async def test_a_container_that_begins_again_is_a_restart_with_its_last_words(watched: Watched) -> None:
    watched.cluster.put(pod())
    await watched.observer.start()
    watched.cluster.replies[f"GET {LOG}"] = [(200, b""), (200, b"one\ntwo\n")]
    watched.cluster.put(pod(1, exitCode=137, reason="Error"))
    assert await watched.told(1) == [("restart", "consumer", "was ended by signal 9 and is started again")]
    assert watched.observer.incidents[0].log_tail == ("one", "two")


async def test_a_restart_before_all_was_ready_is_not_told(watched: Watched) -> None:
    watched.cluster.put(pod(3, exitCode=1))
    await watched.observer.start()
    await watched.observer.look_once_more()
    assert watched.observer.incidents == []


async def test_an_evicted_pod_is_a_restart_once(watched: Watched) -> None:
    watched.cluster.put(pod())
    await watched.observer.start()
    evicted = pod()
    evicted["status"] = {"phase": "Failed", "reason": "Evicted", "message": "low on memory"}
    watched.cluster.put(evicted)
    assert await watched.told(1) == [("restart", "consumer", "its pod was ended: Evicted: low on memory")]
    watched.cluster.put(evicted)
    await watched.observer.look_once_more()
    assert len(watched.observer.incidents) == 1


async def test_a_warning_that_bears_on_a_measurement_is_told_and_others_are_not(watched: Watched) -> None:
    await watched.observer.start()
    watched.cluster.put(event("FailedScheduling", "0/1 nodes are available"))
    watched.cluster.put(event("Unhealthy", "a readiness probe failed once"))
    watched.cluster.put(event("Killing", kind="Normal"))
    await watched.observer.look_once_more()
    told = ("warning", "cluster", "Pod one: FailedScheduling: 0/1 nodes are available")
    assert await watched.told(1) == [told]


async def test_a_warning_from_before_is_told_only_if_it_came_again(watched: Watched) -> None:
    watched.cluster.put(event("FailedScheduling"))
    await watched.observer.start()
    await watched.observer.look_once_more()
    assert watched.observer.incidents == []
    again = {**event("FailedScheduling"), "count": 2}
    watched.cluster.put(again)
    await watched.observer.look_once_more()
    assert len(watched.observer.incidents) == 1


async def test_what_is_no_longer_ready_at_the_end_is_told(watched: Watched) -> None:
    await watched.observer.start()
    service = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "spec": {}}
    broken = {"conditions": [{"type": "Ready", "status": "False", "reason": "RevisionFailed"}]}
    watched.cluster.put({**service, "metadata": {"name": "p", "namespace": "a", "labels": OURS}, "status": broken})
    watched.cluster.put({**service, "metadata": {"name": "theirs", "namespace": "a"}, "status": broken})
    await watched.observer.look_once_more()
    assert await watched.told(1) == [("warning", "Service p", "is no longer ready: RevisionFailed")]


async def test_a_cluster_that_cannot_be_looked_at_in_the_end_is_told_and_costs_nothing_else(watched: Watched) -> None:
    await watched.observer.start()
    watched.cluster.replies["GET /apis/eventing"] = [status(403, "Forbidden", "brokers is forbidden")] * 9
    await watched.observer.look_once_more()
    (told,) = await watched.told(1)
    assert told[:2] == ("warning", "cluster")
    assert "it could not be seen whether all stayed well" in told[2]


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ({"exitCode": 0}, "left with exit status 0 and is started again"),
        ({"exitCode": 2, "reason": "Error"}, "left with exit status 2 and is started again"),
        ({"exitCode": 143}, "was ended by signal 15 and is started again"),
        (
            {"exitCode": 137, "reason": "OOMKilled"},
            "was killed: it needed more memory than its limit (OOMKilled) and is started again",
        ),
        ({}, "ended and is started again"),
    ],
)
def test_how_a_container_ended_is_said_in_words(last: dict[str, Any], said: str) -> None:
    state = {"name": "user-container", "lastState": {"terminated": last}}
    assert how("user-container", state) == said
    assert how("queue-proxy", state) == f"its queue-proxy {said}"


def test_each_restart_is_told_once() -> None:
    seen: dict[tuple[str, str], int] = {}
    assert list(restarted(pod(0), seen)) == []
    assert [name for name, _ in restarted(pod(2), seen)] == ["user-container"]
    assert list(restarted(pod(2), seen)) == []
