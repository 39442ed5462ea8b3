"""The load sent from inside the cluster, by generators as Jobs."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.suite import rights
from tests.cluster.suite.api import NAMESPACE, POD, Kind
from tests.cluster.suite.cluster import Cluster
from tests.cluster.suite.namespaces import namespace
from tests.cluster.suite.waiting import until
from toolkit import catalog
from toolkit.engines.knative.connection import Cluster as Whichever
from toolkit.engines.knative.engine import KnativeEngine
from toolkit.engines.knative.settings import Settings
from toolkit.errors import EngineError
from toolkit.results import Load, Progress, Report
from toolkit.run import Order, Outcome, run

JOB = Kind("batch/v1", "Job")
LOAD = Load(requests=300, rate=100.0)
GENERATOR = "kn-bench.dev/generator"
TOOLKIT = (sys.executable, "-m", "toolkit.cli")


@pytest.fixture
def place(cluster: Cluster) -> Iterator[str]:
    """The name of a namespace that is not there; the engine makes it, and has to take it away."""
    name = f"kn-bench-tests-inside-{secrets.token_hex(3)}"
    yield name
    left = cluster.get(NAMESPACE, name)
    if left is not None:
        cluster.delete(NAMESPACE, name)
    assert left is None, f"the namespace {name} was left"


async def outcome(
    chain: str,
    generators: int,
    load: Load = LOAD,
    on_progress: Callable[[Progress], None] | None = None,
    **settings: Any,
) -> Outcome:
    engine = KnativeEngine(Settings(**settings))
    order = Order(catalog.load(chain), load)
    return await run(order, engine, source=engine.inside(generators), on_progress=on_progress)


def red(found: Report) -> set[str]:
    return {each.name for each in found.checks if not each.passed}


@pytest.mark.parametrize("generators", [1, 3])
@pytest.mark.parametrize("chain", ["chained-serving", "chained-eventing"])
def test_every_call_from_inside_is_sent_and_handled_exactly_once(
    chain: str, generators: int, images: Mapping[str, str], place: str
) -> None:
    found = asyncio.run(outcome(chain, generators, image=images[chain], namespace=place))
    assert red(found.report) == set(), [check for check in found.report.checks if not check.passed]
    assert [each.seq for each in found.calls] == list(range(300))
    entries = Counter(each.receipt.message for each in found.evidence.receipts if each.receipt.via == "entry")
    assert entries == Counter(each.call for each in found.calls)
    measured = found.report.measurement
    assert (measured.ok, measured.lost, measured.refused, measured.duplicated) == (300, 0, 0, 0)
    assert measured.traces_complete == 300
    origin = found.report.environment["load"]
    assert (origin["from"], origin["generators"]) == ("cluster", generators)
    assert origin["to"] == f"producer.{place}.svc.cluster.local:80"


def test_in_a_namespace_of_somebody_elses_no_job_and_no_pod_is_left(
    cluster: Cluster, images: Mapping[str, str]
) -> None:
    with namespace(cluster, "inside") as name:
        load = Load(requests=20, concurrency=4)
        found = asyncio.run(outcome("chained-serving", 2, load, image=images["chained-serving"], namespace=name)).report
        assert red(found) == set()
        assert cluster.list(JOB, name) == []
        assert cluster.list(POD, name) == []


def test_the_documented_rights_are_enough_and_no_ingress_has_to_be_seen(
    cluster: Cluster, images: Mapping[str, str], tmp_path: Path
) -> None:
    with namespace(cluster, "inside") as name:
        kubeconfig = rights.user(cluster, name, tmp_path, rights.JOBS)
        settings: dict[str, Any] = {"cluster": Whichever(kubeconfig), "from_inside": True, "namespace": name}
        load = Load(requests=10, rate=10.0)
        found = asyncio.run(outcome("chained-serving", 2, load, image=images["chained-serving"], **settings)).report
        assert red(found) == set()
        assert cluster.list(JOB, name) == []


def test_a_generator_that_is_killed_under_load_is_told_and_no_call_goes_missing(
    cluster: Cluster, images: Mapping[str, str], place: str
) -> None:
    async def broken_run() -> Outcome:
        load = Load(requests=240, rate=30.0)
        under_way = asyncio.Event()

        def told(progress: Progress) -> None:
            if progress.ok >= 30:
                under_way.set()

        image = images["chained-serving"]
        running = asyncio.ensure_future(outcome("chained-serving", 3, load, told, image=image, namespace=place))
        await asyncio.wait((running, asyncio.ensure_future(under_way.wait())), return_when=asyncio.FIRST_COMPLETED)
        await asyncio.to_thread(_kill, cluster, place, 1)
        return await running

    found = asyncio.run(broken_run())
    report = found.report
    assert [each.seq for each in found.calls] == list(range(240))
    (reason,) = [each for each in report.measurement.invalid if each.startswith("generator ")]
    assert reason.startswith("generator 2 of 3 was gone during the load: ")
    assert [each.text for each in report.incidents if each.subject.startswith("load-")] == [reason]
    assert "clean" in red(report)
    measured = report.measurement
    assert measured.refused > 0
    assert measured.ok + measured.lost + measured.refused == 240


def _kill(cluster: Cluster, place: str, index: int) -> None:
    """Takes a generator's pod away."""
    pod = _running(cluster, place, f"{GENERATOR}={index}", "the generator to run")
    cluster.delete(POD, pod, place, gracePeriodSeconds=0)


def _running(cluster: Cluster, place: str, labels: str, what: str) -> str:
    def look() -> str | None:
        found = [each for each in cluster.pods(place, labels) if each["status"].get("phase") == "Running"]
        return str(found[0]["metadata"]["name"]) if found else None

    return until(look, what, 90.0)


def _with(change: Callable[[dict[str, Any]], None]) -> Callable[[Any], Any]:
    """The manifests, the Jobs among them changed."""

    def alter(manifests: Any) -> Any:
        for each in manifests:
            if each["kind"] == "Job":
                change(each["spec"]["template"]["spec"])
        return manifests

    return alter


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda pod: pod["containers"][0].update(image="dev.local/nowhere:1"), "its image dev.local/nowhere:1 cannot"),
        (lambda pod: pod.update(nodeSelector={"kn-bench.dev/none": "such"}), "no node takes its pod"),
        (
            lambda pod: pod["containers"][0].update(command=["python3", "-P", "-m", "toolkit.nowhere"]),
            "its image holds no generator: it was built by an older toolkit",
        ),
        (
            lambda pod: pod["containers"][0]["command"].__setitem__(5, "1"),
            "port 1: ",
        ),
        (
            lambda pod: pod["containers"][0]["resources"].update(limits={"memory": "12Mi"}, requests={"memory": "1Mi"}),
            "killed",
        ),
    ],
    ids=["image", "node", "old image", "unreachable", "memory"],
)
def test_a_generator_that_does_not_come_says_why_before_the_load(
    change: Callable[[dict[str, Any]], None], says: str, images: Mapping[str, str], place: str
) -> None:
    with pytest.raises(EngineError) as caught:
        asyncio.run(
            outcome(
                "chained-serving",
                2,
                image=images["chained-serving"],
                namespace=place,
                error_window_s=4.0,
                alter=_with(change),
            )
        )
    assert says in str(caught.value)
    assert str(caught.value).startswith("Job load-")
    assert caught.value.next_step


def test_what_a_killed_toolkit_leaves_is_taken_away_with_its_jobs(cluster: Cluster, images: Mapping[str, str]) -> None:
    with namespace(cluster, "inside") as name:
        options = ("chained-serving", "-n", name)
        loading = (
            "--engine",
            "knative",
            "--image",
            images["chained-serving"],
            "--from",
            "cluster",
            "--duration",
            "60s",
        )
        process = subprocess.Popen(
            (*TOOLKIT, "run", *options, *loading), env=dict(os.environ), stderr=subprocess.DEVNULL
        )
        try:
            _running(cluster, name, GENERATOR, "the generator to run")
        finally:
            process.kill()
            process.wait()
        assert cluster.list(JOB, name) != []
        done = subprocess.run((*TOOLKIT, "delete", *options), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert cluster.list(JOB, name) == []
        assert cluster.list(POD, name) == []
