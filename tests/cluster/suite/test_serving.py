"""Functions that call each other, on Knative Serving: real requests through Kourier, to pods that meet the standard."""

from __future__ import annotations

import dataclasses
import errno
import inspect
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from tests.cluster.suite import calls, probe
from tests.cluster.suite.api import DEPLOYMENT, KSVC, POD, Manifest
from tests.cluster.suite.calls import Door
from tests.cluster.suite.cluster import Cluster, Object
from tests.cluster.suite.functions import CONTAINER, Place, Scaling, ksvc, pods_of, wiring
from tests.cluster.suite.namespaces import namespace
from tests.cluster.suite.receipts import Receipts
from tests.cluster.suite.waiting import until
from toolkit.contract import Wiring

CHAIN = "chained-serving"
PAYLOAD = 16  # bytes
QUICK = Scaling(least=0, window="10s", drain_s=15, other={"scale-to-zero-pod-retention-period": "0s"})
ZERO_WITHIN_S = 150.0  # the window, Knative's grace period (30 s unless configured), and the drain


@dataclass(frozen=True, slots=True)
class Deployed:
    """chained-serving, and beside it a lone function that is not kept alive: `sleeper`."""

    cluster: Cluster
    namespace: str
    receipts: Receipts
    services: Mapping[str, Object]


@pytest.fixture(scope="module")
def deployed(cluster: Cluster, images: Mapping[str, str]) -> Iterator[Deployed]:
    with namespace(cluster, "serving") as name:
        receipts = Receipts.start(cluster, name, images[CHAIN])
        place = Place(name, images[CHAIN], receipts.address)
        cluster.apply(*_services(place))
        ready = {each: cluster.wait(KSVC, each, name) for each in ("producer", "consumer", "sleeper")}
        yield Deployed(cluster, name, receipts, ready)


def _services(place: Place) -> Iterator[Manifest]:
    wired = {name: _wired(name, place) for name in ("producer", "consumer")}
    yield ksvc("consumer", wired["consumer"], place)
    yield ksvc("producer", wired["producer"], place)
    yield ksvc("sleeper", dataclasses.replace(wired["consumer"], function="sleeper"), place, QUICK)


def _wired(name: str, place: Place) -> Wiring:
    return wiring(CHAIN, name, place, payload=str(PAYLOAD))


def test_a_function_answers_grpc_through_kourier_by_the_host_of_its_url(deployed: Deployed, door: Door) -> None:
    with door.to(deployed.services["consumer"]) as channel:
        assert calls.consume(channel, b"x" * PAYLOAD).value is True


def test_a_chain_of_two_functions_answers_and_the_second_handled_what_the_first_sent(
    deployed: Deployed, door: Door
) -> None:
    call = calls.new_call()
    with door.to(deployed.services["producer"]) as channel:
        assert calls.greet(channel, call).message == "suite: consumed"
    first = deployed.receipts.one("the producer", lambda each: (each.function, each.call) == ("producer", call))
    second = deployed.receipts.one("the consumer", lambda each: (each.function, each.call) == ("consumer", call))
    (sent,) = first.sent
    assert sent.address == f"consumer.{deployed.namespace}.svc.cluster.local:80"
    assert (second.sender, second.message) == ("producer", sent.message)
    assert (second.digest, second.size) == (sent.digest, sent.size)


def test_health_and_reflection_are_answered_through_kourier(deployed: Deployed, door: Door) -> None:
    with door.to(deployed.services["producer"]) as channel:
        assert calls.health(channel) == "SERVING"
        assert calls.health(channel, "helloworld.Greeter") == "SERVING"
        assert "helloworld.Greeter" in calls.services(channel)


def test_a_pod_that_does_not_meet_the_restricted_standard_is_refused_where_the_functions_run(
    deployed: Deployed,
) -> None:
    loose = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "loose", "namespace": deployed.namespace},
        "spec": {"containers": [{"name": "loose", "image": "dev.local/loose:1"}]},
    }
    answer = deployed.cluster.create(loose)
    assert answer.code == 403
    assert 'violates PodSecurity "restricted' in str(answer.message)


def test_a_function_runs_without_root_without_rights_and_writes_nowhere(deployed: Deployed) -> None:
    (pod,) = deployed.cluster.pods(deployed.namespace, pods_of("producer"))
    command = ("python3", "-c", inspect.getsource(probe))
    said = deployed.cluster.run(pod["metadata"]["name"], deployed.namespace, *command, container=CONTAINER)
    found = json.loads(said)
    assert found["uids"] == [found["uids"][0]] * 4
    assert found["uids"][0] != 0
    assert found["capabilities"] == 0
    assert found["no_new_privileges"] == 1
    assert found["seccomp"] == 2, "no filter of system calls"
    assert set(found["writes"]) >= {"/", "/usr", "/home"}
    assert set(found["writes"].values()) == {errno.EROFS}


def test_a_function_without_calls_goes_to_zero_and_a_new_replica_answers_the_next_one(
    deployed: Deployed, door: Door
) -> None:
    cluster, service = deployed.cluster, deployed.services["sleeper"]
    with door.to(service) as channel:
        calls.consume(channel, b"x" * PAYLOAD)
    before = deployed.receipts.one("the first call", lambda each: each.function == "sleeper")
    pods = {each["metadata"]["name"] for each in cluster.pods(deployed.namespace, pods_of("sleeper"))}
    at_zero = f"{service['status']['latestReadyRevisionName']}-deployment"
    cluster.until(DEPLOYMENT, at_zero, deployed.namespace, _without_replicas, "scaled to zero", ZERO_WITHIN_S)
    until(lambda: not _pods(deployed, "sleeper"), "the last pod to leave", ZERO_WITHIN_S)

    with door.to(service) as channel:
        assert calls.consume(channel, b"x" * PAYLOAD).value is True
    after = deployed.receipts.one(
        "the cold call", lambda each: each.function == "sleeper" and each.replica != before.replica
    )
    assert after.cold
    assert after.seq == 0
    assert pods.isdisjoint(each["metadata"]["name"] for each in cluster.pods(deployed.namespace, pods_of("sleeper")))


def _without_replicas(deployment: Object | None) -> bool:
    return deployment is not None and deployment["spec"]["replicas"] == 0 == deployment["status"].get("replicas", 0)


def _pods(deployed: Deployed, service: str) -> object:
    return deployed.cluster.list(POD, deployed.namespace, labels=pods_of(service))
