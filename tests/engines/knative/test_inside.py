"""The load sent from inside: Jobs on a cluster in miniature, whose kubelet runs the generators as processes here."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.engines.knative.fake import RESOURCES, FakeCluster, status
from tests.unit.load.entry import Entry, entry
from toolkit import catalog, manifests
from toolkit import plan as plans
from toolkit.engines.base import Bound, Driven
from toolkit.engines.knative import load_causes, load_job, removal
from toolkit.engines.knative.api import Api
from toolkit.engines.knative.connection import Cluster
from toolkit.engines.knative.evidence import Facts
from toolkit.engines.knative.inside import Inside
from toolkit.engines.knative.kinds import JOB, Key
from toolkit.engines.knative.settings import Audience, Settings
from toolkit.engines.waiting import until
from toolkit.errors import EngineError, UsageError
from toolkit.load import wire
from toolkit.plan import Plan
from toolkit.results import Load, Progress

NAMESPACE = "a"
LOAD = Load(requests=30, rate=100.0)
IMAGE = "dev.local/x:1"
PULL = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "dev.local/x:1"'}


@dataclass
class Kubelet:
    """Makes a pod of each Job, and runs its container as a process, unless `says` has another end for it."""

    cluster: FakeCluster
    says: dict[int, Mapping[str, Any]] = field(default_factory=dict)  # the status of a pod, by generator
    processes: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    def changed(self, method: str, path: str) -> None:
        for found in [each for each in self.cluster.objects.values() if each["kind"] == "Job"]:
            index = int(found["metadata"]["labels"]["kn-bench.dev/generator"])
            if index not in self.processes and not self._pods(found["metadata"]["name"]):
                self._run(index, found)

    def _pods(self, job: str) -> list[str]:
        return [each for each in self.cluster.names("Pod") if each.startswith(job)]

    def _run(self, index: int, job: Mapping[str, Any]) -> None:
        name, template = job["metadata"]["name"], job["spec"]["template"]
        running = {"phase": "Running", "containerStatuses": [{"name": "generator", "state": {"running": {}}}]}
        self.cluster.put(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": f"{name}-abcde",
                    "namespace": NAMESPACE,
                    "labels": {**template["metadata"]["labels"], "job-name": name},
                },
                "spec": {**template["spec"], "nodeName": "node-1"},
                "status": self.says.get(index, running),
            }
        )
        if index not in self.says:
            (container,) = template["spec"]["containers"]
            told = {each["name"]: each["value"] for each in container["env"]}
            command = [sys.executable, *container["command"][1:]]
            self.processes[index] = subprocess.Popen(command, env={**os.environ, **told})

    def dies(self, index: int, state: Mapping[str, Any]) -> None:
        """The container's end, and what is seen of it."""
        self.processes[index].kill()
        self.ends(index, "Failed", state)

    def ends(self, index: int, phase: str, state: Mapping[str, Any]) -> None:
        for each in list(self.cluster.objects.values()):
            if each["kind"] == "Pod" and each["metadata"]["labels"]["kn-bench.dev/generator"] == str(index):
                container = {"name": "generator", "state": {"terminated": dict(state)}}
                self.cluster.put({**each, "status": {"phase": phase, "containerStatuses": [container]}})


@dataclass(frozen=True)
class Standing:
    """A deployment as far as a source of load looks at it."""

    bound: Bound


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster(resources={**RESOURCES, "batch/v1": {"Job": "jobs"}})


@pytest.fixture
def kubelet(cluster: FakeCluster) -> Iterator[Kubelet]:
    found = Kubelet(cluster)
    cluster.changed = found.changed
    yield found
    for process in found.processes.values():
        process.kill()
        process.wait()


def plan() -> Plan:
    return plans.make(catalog.load("chained-serving"), "run-1")


def source(cluster: FakeCluster, generators: int, stages: list[str] | None = None, **settings: Any) -> Inside:
    @contextlib.asynccontextmanager
    async def dial(_: Cluster) -> AsyncIterator[Api]:
        yield cluster.api

    told = stages if stages is not None else []
    defaults = {"error_window_s": 0.3, "ready_within_s": 20.0, "advertise": "127.0.0.1"}
    audience = Audience(lambda key, state: told.append(f"{key}: {state}"))
    return Inside(Settings(IMAGE, namespace=NAMESPACE, **{**defaults, **settings}), generators, audience, dial)


async def driven(inside: Inside, there: Entry | None, load: Load = LOAD, **options: Any) -> Driven:
    target = there.target if there is not None else "127.0.0.1:1"
    standing: Any = Standing(Bound({"producer": target}))
    options = {"stop": asyncio.Event(), "on_progress": None, **options}
    return await inside.drive(plan(), standing, load, **options)


async def test_jobs_send_the_load_to_the_address_inside_and_are_gone_afterwards(
    cluster: FakeCluster, kubelet: Kubelet
) -> None:
    stages: list[str] = []
    told: list[Progress] = []
    async with entry() as there:
        found = await driven(source(cluster, 3, stages), there, on_progress=told.append)
    assert [each.seq for each in found.calls] == list(range(30))
    assert len({each.call for each in found.calls}) == len(there.requests) == len(found.roots) == 30
    assert all(each.ok for each in found.calls)
    assert (found.invalid, found.incidents) == ((), ())
    assert found.notes == (f"the load came from 3 generators inside the cluster, to {there.target}",)
    assert {**found.origin, "cpu": None, "scheduling": None} == {
        "from": "cluster",
        "generators": 3,
        "nodes": 1,
        "to": there.target,
        "clock_error_us": 0.0,
        "cpu": None,
        "scheduling": None,
    }
    assert found.elapsed.monotonic_ns > 0
    assert told[-1].ok == 30
    assert len([each for each in stages if each.endswith(": ready")]) == 3
    assert cluster.names("Job") == []


async def test_the_pod_of_a_generator_has_no_rights_and_the_labels_of_its_run() -> None:
    found = load_job.jobs(plan(), NAMESPACE, IMAGE, LOAD, ("10.0.0.1", 4711), "secret", 2)
    assert len({each["metadata"]["name"] for each in found}) == 2
    job, spec = found[1], found[1]["spec"]["template"]["spec"]
    assert job["metadata"]["labels"]["kn-bench.dev/run"] == "run-1"
    assert job["metadata"]["labels"] == job["spec"]["template"]["metadata"]["labels"]
    assert (job["spec"]["backoffLimit"], spec["restartPolicy"]) == (0, "Never")
    assert job["spec"]["activeDeadlineSeconds"] > 900
    assert (spec["automountServiceAccountToken"], spec["enableServiceLinks"]) == (False, False)
    (container,) = spec["containers"]
    assert container["image"] == IMAGE
    assert container["command"] == ["python3", "-P", "-m", "toolkit.load.worker", "10.0.0.1", "4711", "1"]
    assert container["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert set(container["resources"]["limits"]) == {"memory"}


def test_another_run_has_jobs_of_other_names() -> None:
    other = plans.make(catalog.load("chained-serving"), "run-2")
    names = [
        each["metadata"]["name"]
        for of in (plan(), other)
        for each in load_job.jobs(of, NAMESPACE, IMAGE, LOAD, ("10.0.0.1", 1), "secret", 1)
    ]
    assert len(set(names)) == 2


async def test_an_image_that_no_node_can_pull_is_told_before_the_load(cluster: FakeCluster, kubelet: Kubelet) -> None:
    container = {"name": "generator", "image": IMAGE, "state": {"waiting": PULL}}
    kubelet.says[1] = {"phase": "Pending", "containerStatuses": [container]}
    async with entry() as there:
        with pytest.raises(EngineError, match=f"its image {IMAGE} cannot be pulled: ImagePullBackOff") as caught:
            await driven(source(cluster, 2), there)
    assert caught.value.next_step
    assert there.requests == []
    assert cluster.names("Job") == []


async def test_a_pod_that_no_node_takes_is_told_before_the_load(cluster: FakeCluster, kubelet: Kubelet) -> None:
    full = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes: Too many pods"}
    kubelet.says[0] = {"phase": "Pending", "conditions": [full]}
    with pytest.raises(EngineError, match="no node takes its pod: 0/1 nodes: Too many pods"):
        await driven(source(cluster, 1), None)
    assert cluster.names("Job") == []


async def test_a_job_that_the_cluster_refuses_is_told(cluster: FakeCluster) -> None:
    cluster.replies[f"PATCH /apis/batch/v1/namespaces/{NAMESPACE}/jobs"] = [status(403, "Forbidden", "jobs: no right")]
    with pytest.raises(EngineError, match="jobs: no right"):
        await driven(source(cluster, 1), None)


async def test_a_generator_that_does_not_come_in_time_is_told(cluster: FakeCluster, kubelet: Kubelet) -> None:
    running = {"phase": "Running", "containerStatuses": [{"name": "generator", "state": {"running": {}}}]}
    kubelet.says[0] = running
    with pytest.raises(EngineError, match="it did not come in time"):
        await driven(source(cluster, 1, ready_within_s=0.5), None)


async def test_a_generator_of_another_version_is_told_at_once(
    cluster: FakeCluster, kubelet: Kubelet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "VERSION", wire.VERSION + 1)  # here, and not in the process that comes
    driving = asyncio.create_task(driven(source(cluster, 1), None))

    async def left() -> bool:
        return 0 in kubelet.processes and kubelet.processes[0].poll() is not None

    assert await until(left, within_s=20)
    kubelet.ends(0, "Succeeded", {"exitCode": 0})
    with pytest.raises(EngineError, match=f"speaks version {wire.VERSION - 1}, and {wire.VERSION} is spoken here"):
        await driving


async def test_who_interrupts_while_generators_come_gets_nothing_and_leaves_nothing(
    cluster: FakeCluster, kubelet: Kubelet
) -> None:
    kubelet.says[0] = {"phase": "Pending"}
    stop = asyncio.Event()
    driving = asyncio.create_task(driven(source(cluster, 1), None, stop=stop))

    async def applied() -> bool:
        return cluster.names("Job") != []

    assert await until(applied, within_s=10)
    stop.set()
    assert (await driving).calls == ()
    assert cluster.names("Job") == []


async def test_a_generator_that_is_killed_under_load_is_named_and_its_calls_are_counted(
    cluster: FakeCluster, kubelet: Kubelet
) -> None:
    async with entry() as there:
        driving = asyncio.create_task(driven(source(cluster, 2), there, Load(requests=80, rate=40.0)))

        async def under_way() -> bool:
            return len(there.requests) >= 20

        assert await until(under_way, within_s=20)
        kubelet.dies(1, {"exitCode": 137, "reason": "OOMKilled"})
        found = await driving
    assert [each.seq for each in found.calls] == list(range(80))
    assert all(each.ok for each in found.calls[0::2])
    assert found.calls[-1].refused
    (reason,), (incident,) = found.invalid, found.incidents
    assert reason.startswith("generator 2 of 2 was gone during the load: it needed more memory")
    assert (incident.kind, incident.text) == ("warning", reason)
    assert cluster.names("Job") == []


async def test_more_generators_than_calls_are_refused_before_anything_is_made(cluster: FakeCluster) -> None:
    with pytest.raises(UsageError, match="--generators 31 for --requests 30"):
        await driven(source(cluster, 31), None)
    assert cluster.asked == []


async def test_a_job_that_was_left_goes_with_its_run_and_others_stay(cluster: FakeCluster) -> None:
    for run in ("run-1", "run-2"):
        other = plans.make(catalog.load("chained-serving"), run)
        for each in load_job.jobs(other, NAMESPACE, IMAGE, LOAD, ("10.0.0.1", 1), "secret", 1):
            cluster.put(each)
    left = await removal.remove(cluster.api, NAMESPACE, manifests.labels(plan()), 5.0)
    assert left == []
    (job,) = [each for each in cluster.objects.values() if each["kind"] == "Job"]
    assert job["metadata"]["labels"]["kn-bench.dev/run"] == "run-2"


async def test_who_may_not_look_at_jobs_can_take_a_run_away_all_the_same(cluster: FakeCluster) -> None:
    cluster.replies[f"GET /apis/batch/v1/namespaces/{NAMESPACE}/jobs"] = [status(403, "Forbidden", "jobs: no right")]
    assert await removal.remove(cluster.api, NAMESPACE, manifests.labels(plan()), 5.0) == []


POD: Mapping[str, Any] = {"metadata": {"name": "load-x-0-abcde"}}


def facts(state: Mapping[str, Any] | None = None, *lines: str, **more: Any) -> Facts:
    container = {"name": "generator", "state": state or {}}
    pods = [{**POD, "status": {"phase": "Failed", "containerStatuses": [container]}}] if state is not None else []
    found: dict[str, Any] = {"pods": pods, "logs": {"p": lines} if lines else {}, **more}
    return Facts(Key(JOB, "load-x-0"), 1.0, **found)


FAILED = {"terminated": {"exitCode": 1}}
QUOTA = {"reason": "FailedCreate", "message": "exceeded quota: pods"}


@pytest.mark.parametrize(
    ("seen", "cause"),
    [
        (
            facts(FAILED, "python3: … (ModuleNotFoundError: No module named 'toolkit.load')"),
            "its image holds no generator",
        ),
        (facts(FAILED, "/usr/bin/python3: No module named toolkit.load.worker"), "its image holds no generator"),
        (
            facts({"terminated": {"exitCode": 3}}, "toolkit.load.worker: cannot reach 10.0.0.1 port 1: no answer"),
            "it cannot reach 10.0.0.1 port 1: no answer, where this machine waits for it",
        ),
        (facts(FAILED, "toolkit.load.worker: was told what it does not understand: x"), "was told what it does not"),
        (facts(FAILED, "toolkit.load.worker: asked h:80 in vain whether it serves: x"), "asked h:80 in vain whether"),
        (facts(FAILED, "Traceback", "ValueError: x"), "it left with exit status 1; its last words: ValueError: x"),
        (facts({"terminated": {"exitCode": 137}}), "it was killed (SIGKILL); it logged nothing"),
        (facts({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}), "it needed more memory than it may have"),
        (
            facts(pods=[{**POD, "status": {"phase": "Failed", "reason": "Evicted", "message": "low on memory"}}]),
            "its pod was ended: Evicted: low on memory",
        ),
        (facts({"running": {}}), "it is not heard any more, and its pod has not ended"),
        (facts(events=[QUOTA]), "no pod can be made for it: exceeded quota: pods"),
        (facts(), "its pod is gone: somebody deleted it"),
    ],
)
def test_the_end_of_a_generator_has_a_cause_and_a_next_step(seen: Facts, cause: str) -> None:
    told = next(told for rule in load_causes.RULES if (told := rule(seen)) is not None)
    assert cause in told[0]
    assert told[1]
