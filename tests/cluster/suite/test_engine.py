"""The engine `knative` on the cluster: chains that run as they do on one machine, and chains that cannot."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.suite import broken, rights
from tests.cluster.suite import images as image_building
from tests.cluster.suite.api import BROKER, CHANNEL, KSVC, NAMESPACE, POD, Kind
from tests.cluster.suite.broken import CASES, Broken
from tests.cluster.suite.broker import broker
from tests.cluster.suite.calls import Door
from tests.cluster.suite.cluster import Cluster
from tests.cluster.suite.functions import CONTAINER, pods_of
from tests.cluster.suite.namespaces import namespace
from tests.cluster.suite.waiting import until
from toolkit import catalog
from toolkit import plan as plans
from toolkit.engines.knative.connection import Cluster as Whichever
from toolkit.engines.knative.engine import KnativeEngine
from toolkit.engines.knative.settings import Audience, Settings
from toolkit.errors import EngineError
from toolkit.results import Load, Progress, Report
from toolkit.run import Order, run

CONFIG_MAP = Kind("v1", "ConfigMap")
AT_ONCE = 4  # broken deployments
TAKEN_AWAY_WITHIN_S = 60.0  # pods in a namespace of somebody else's drain for half a minute
LOAD = Load(requests=50, rate=25.0)
ANSWERED = 5  # calls, until something befalls the chain


@pytest.fixture(scope="module")
def mixed(images: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """The images of all three chains."""
    folder = tmp_path_factory.mktemp("mixed")
    return {**images, "chained-mixed": image_building.provide("chained-mixed", folder)}


def fresh(purpose: str) -> str:
    return f"kn-bench-tests-{purpose}-{secrets.token_hex(3)}"


@pytest.fixture
def place(cluster: Cluster) -> Iterator[str]:
    """The name of a namespace that is not there; the engine makes it, and has to take it away."""
    name = fresh("engine")
    yield name
    left = cluster.get(NAMESPACE, name)
    if left is not None:
        cluster.delete(NAMESPACE, name)
    assert left is None, f"the namespace {name} was left"


def report(chain: str, image: str, place: str, load: Load = LOAD, **settings: Any) -> Report:
    engine = KnativeEngine(Settings(image, namespace=place, **settings))
    return asyncio.run(run(Order(catalog.load(chain), load), engine)).report


def red(found: Report) -> set[str]:
    return {each.name for each in found.checks if not each.passed}


@pytest.mark.parametrize("chain", ["chained-serving", "chained-eventing", "chained-mixed"])
def test_a_chain_keeps_its_promises_and_leaves_nothing(chain: str, mixed: Mapping[str, str], place: str) -> None:
    found = report(chain, mixed[chain], place)
    assert red(found) == set(), [check for check in found.checks if not check.passed]
    assert (found.engine, found.emulated) == ("knative", False)
    assert (found.measurement.ok, found.measurement.lost) == (50, 0)
    assert found.measurement.traces_complete == 50
    assert found.incidents == ()


def test_who_shares_a_namespace_with_a_chain_notices_nothing(cluster: Cluster, images: Mapping[str, str]) -> None:
    with namespace(cluster, "shared") as name:
        cluster.apply(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs", "namespace": name}, "data": {}},
            broker("theirs", name),
        )
        cluster.wait(BROKER, "theirs", name)
        before = _theirs(cluster, name)
        assert red(report("chained-eventing", images["chained-eventing"], name)) == set()
        assert _theirs(cluster, name) == before
        assert [each["metadata"]["name"] for each in cluster.list(BROKER, name)] == ["theirs"]
        assert [each["metadata"]["name"] for each in cluster.list(CHANNEL, name)] == ["theirs-kne-trigger"]
        assert cluster.list(KSVC, name) == []
        assert cluster.list(POD, name) == []


def _theirs(cluster: Cluster, name: str) -> list[Any]:
    """What they have: nobody touched it if this stays the same. (Knative itself labels where a SinkBinding is.)"""
    kinds = ((CONFIG_MAP, "theirs", name), (BROKER, "theirs", name), (NAMESPACE, name, None))
    found = [each for kind, of, space in kinds if (each := cluster.get(kind, of, space)) is not None]
    own = [{**each["metadata"].get("labels", {}), "bindings.knative.dev/include": ""} for each in found]
    return [(each["metadata"]["uid"], labels, each.get("spec")) for each, labels in zip(found, own, strict=True)]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a broken deployment: what was said, and how long it took until it was known."""

    said: str
    next_step: str | None
    exit: int
    after_s: float


@pytest.fixture(scope="module")
def verdicts(cluster: Cluster, images: Mapping[str, str]) -> Mapping[str, Verdict]:
    """Of all cases, some at a time."""

    async def judged() -> dict[str, Verdict]:
        gate = asyncio.Semaphore(AT_ONCE)
        found = await asyncio.gather(*(_verdict(cluster, each, images, gate) for each in CASES.values()))
        return dict(zip(CASES, found, strict=True))

    return asyncio.run(judged())


async def _verdict(cluster: Cluster, case: Broken, images: Mapping[str, str], gate: asyncio.Semaphore) -> Verdict:
    async with gate:
        with contextlib.ExitStack() as stack:
            name = await asyncio.to_thread(stack.enter_context, _namespace_of(cluster, case))
            settings = Settings(
                images[case.chain],
                namespace=name,
                ready_within_s=case.within_s,
                error_window_s=3.0,
                gone_within_s=TAKEN_AWAY_WITHIN_S,
                alter=case.alter,
            )
            known: list[float] = []
            began = time.monotonic()
            audience = Audience(note=lambda text: pytest.fail(f"it was not taken away: {text}"))
            engine = KnativeEngine(settings, audience)
            try:
                await engine.deploy(plans.make(catalog.load(case.chain), name), receipts=None, tracing=False)
            except EngineError as error:
                known.append(time.monotonic() - began)
                return Verdict(str(error), error.next_step, error.exit, known[0])
            return Verdict("it stands", None, 0, time.monotonic() - began)


@contextlib.contextmanager
def _namespace_of(cluster: Cluster, case: Broken) -> Iterator[str]:
    if not case.own_namespace:
        yield fresh("broken")
        return
    with namespace(cluster, "broken") as name:
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": dict(case.labels)}}
        cluster.change("PATCH", space, content_type="application/merge-patch+json")
        cluster.apply(*({**each, "metadata": {**each["metadata"], "namespace": name}} for each in case.beside))
        yield name


@pytest.mark.parametrize("case", CASES)
def test_a_deployment_with_one_thing_wrong_says_which_in_time_and_what_to_do(
    case: str, verdicts: Mapping[str, Verdict]
) -> None:
    verdict, wanted = verdicts[case], CASES[case]
    assert wanted.says in verdict.said
    assert verdict.exit == 3
    assert verdict.next_step
    assert verdict.after_s < wanted.within_s + TAKEN_AWAY_WITHIN_S


def test_every_broken_deployment_says_something_else(verdicts: Mapping[str, Verdict]) -> None:
    assert len({each.said.splitlines()[0] for each in verdicts.values()}) == len(CASES)


def test_nothing_of_the_broken_deployments_is_left(cluster: Cluster, verdicts: Mapping[str, Verdict]) -> None:
    assert verdicts
    names = (
        each["metadata"]["name"] for each in cluster.list(NAMESPACE, labels="app.kubernetes.io/managed-by=kn-bench")
    )
    assert [each for each in names if each.startswith("kn-bench-tests-broken")] == []


def test_a_function_that_leaves_under_load_is_named(cluster: Cluster, images: Mapping[str, str], place: str) -> None:
    async def broken_run() -> Report:
        answered = asyncio.Event()

        def look(progress: Progress) -> None:
            if progress.ok >= ANSWERED:
                answered.set()

        async def end() -> None:
            await answered.wait()
            await asyncio.to_thread(_end_consumer, cluster, place)

        engine = KnativeEngine(Settings(images["chained-serving"], namespace=place))
        order = Order(catalog.load("chained-serving"), Load(requests=60, rate=10.0, timeout_s=20.0))
        ending = asyncio.ensure_future(end())
        outcome = await run(order, engine, on_progress=look)
        assert answered.is_set(), "the load was over before a handful of calls was answered"
        await ending
        return outcome.report

    found = asyncio.run(broken_run())
    assert "steady" in red(found)
    (restart,) = [each for each in found.incidents if each.kind == "restart"]
    assert restart.subject == "consumer"
    assert "is started again" in restart.text


def _end_consumer(cluster: Cluster, place: str) -> None:
    """From inside its container, whose first process takes SIGTERM only."""
    (pod,) = [each["metadata"]["name"] for each in cluster.pods(place, pods_of("consumer")) if _is_ready(each)]
    cluster.run(pod, place, "python3", "-c", "import os; os.kill(1, 15)", container=CONTAINER)


def _is_ready(pod: Mapping[str, Any]) -> bool:
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", ()))


def test_an_event_edge_without_its_trigger_is_not_delivered(images: Mapping[str, str], place: str) -> None:
    found = report(
        "chained-eventing",
        images["chained-eventing"],
        place,
        Load(requests=10, rate=10.0),
        alter=lambda objects: [each for each in objects if each["kind"] != "Trigger"],
    )
    assert "delivered" in red(found)


def test_a_sink_binding_that_leads_elsewhere_is_told_before_the_load(images: Mapping[str, str], place: str) -> None:
    def elsewhere(objects: broken.Objects) -> broken.Objects:
        (own,) = [each for each in objects if each["kind"] == "Broker"]
        other = {**own, "metadata": {**own["metadata"], "name": "elsewhere"}}
        rest = broken.of("SinkBinding", "producer", lambda each: each["spec"]["sink"]["ref"].update(name="elsewhere"))
        return [*rest(objects), other]

    with pytest.raises(EngineError, match=f"producer sends its events elsewhere: K_SINK .*/{place}/elsewhere, and the"):
        report("chained-eventing", images["chained-eventing"], place, error_window_s=4.0, alter=elsewhere)


def test_a_domain_that_is_not_the_clusters_is_told_before_the_load(images: Mapping[str, str], place: str) -> None:
    with pytest.raises(EngineError, match=r"calls it at consumer\..*\.svc\.nowhere\.example:80") as caught:
        report("chained-serving", images["chained-serving"], place, cluster_domain="nowhere.example")
    assert "--cluster-domain " in (caught.value.next_step or "")


def test_a_user_with_the_documented_rights_in_one_namespace_needs_no_others(
    cluster: Cluster, images: Mapping[str, str], door: Door, tmp_path: Path
) -> None:
    with namespace(cluster, "rights") as name:
        kubeconfig = rights.user(cluster, name, tmp_path)
        settings: dict[str, Any] = {"cluster": Whichever(kubeconfig), "ingress": door.address}
        found = report("chained-eventing", images["chained-eventing"], name, Load(requests=5, rate=5.0), **settings)
        assert red(found) == set()
        with pytest.raises(EngineError, match=r'cannot get resource "\w+" .* in the namespace "default"') as caught:
            report("chained-eventing", images["chained-eventing"], "default", **settings)
        assert "kubectl auth can-i" in (caught.value.next_step or "")


def test_a_machine_that_pods_cannot_reach_is_told_before_the_load(images: Mapping[str, str], place: str) -> None:
    with pytest.raises(EngineError, match=r"none of them reached this machine at tcp://127.0.0.1") as caught:
        report("chained-serving", images["chained-serving"], place, advertise="127.0.0.1")
    assert "--advertise" in (caught.value.next_step or "")


def toolkit(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "toolkit.cli", *arguments)


def call(*arguments: str, status: int = 0) -> str:
    done = subprocess.run(toolkit(*arguments), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def test_a_deployment_stays_when_its_command_has_ended_and_others_find_it(
    images: Mapping[str, str], place: str, tmp_path: Path
) -> None:
    chain, where = "chained-eventing", ("-n", place)
    deploy = ("deploy", chain, "--engine", "knative", *where, "--image", images[chain], "-o", "json")
    first = json.loads(call(*deploy))
    assert first["authority"].startswith(f"producer.{place}.")
    assert first["sink"].endswith(f"/{place}/default")
    assert json.loads(call(*deploy)) == first, "deploying what stands changes nothing"

    found = json.loads(call("status", chain, *where, "-o", "json"))
    assert (found["ready"], found["run"]) == (True, first["run"])
    assert {each["kind"] for each in found["objects"]} == {"Broker", "SinkBinding", "Service", "Trigger", "Pod"}
    assert call("invoke", chain, "--engine", "knative", *where) == "0: emitted\n"
    assert "consumer | " in call("logs", chain, *where)
    assert "producer | " not in call("logs", chain, "consumer", *where)

    call("delete", chain, *where)
    assert call("delete", chain, *where) == ""
    call("status", chain, *where, status=3)


def test_who_interrupts_a_deployment_finds_nothing_of_it(
    cluster: Cluster, images: Mapping[str, str], place: str
) -> None:
    arguments = ("deploy", "chained-serving", "--engine", "knative", "-n", place, "--image", images["chained-serving"])
    with subprocess.Popen(toolkit(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        until(lambda: cluster.get(KSVC, "producer", place), "the first object", 30.0)
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=90)
    assert process.returncode == 130
    assert said == ""
    assert "Traceback" not in errors
    assert cluster.get(NAMESPACE, place) is None
