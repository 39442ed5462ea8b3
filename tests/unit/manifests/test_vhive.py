"""What is different on vHive, held to the form that vHive publishes and to what its node does with a pod.

In https://github.com/vhive-serverless/vHive: configs/knative_workloads/firecracker/helloworld.yaml (its comments left
out) and cri/firecracker/service.go
"""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.unit.manifests.samples import (
    IMAGE,
    NAMESPACE,
    container,
    environment,
    lone,
    of_kind,
    pod,
    render,
    service,
    shipped,
    target,
)
from toolkit import manifests, plan
from toolkit.contract import DEFAULT_PORT, listen_port
from toolkit.errors import UsageError
from toolkit.manifests import Manifest, Target, VHive
from toolkit.spec.model import Resources

PUBLISHED = yaml.safe_load("""
apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  namespace: default
spec:
  template:
    spec:
      containers:
        - image: ghcr.io/vhive-serverless/crccheck-hello-world:latest
          ports:
            - name: h2c
              containerPort: 50051
          env:
            - name: GUEST_PORT
              value: "50051"
            - name: GUEST_IMAGE
              value: "ghcr.io/ease-lab/helloworld:var_workload"
""")
FIRECRACKER = ("vhive-env", "vhive-strict")


def shape(value: Any) -> Any:
    """Which keys there are, and which types: what a manifest is made of, whatever it says."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    return [shape(each) for each in value] if isinstance(value, list) else type(value)


def test_a_strict_function_is_the_published_example_with_other_values() -> None:
    made = service(render(lone(), "vhive-strict"))
    published, ours = PUBLISHED["spec"]["template"]["spec"], pod(made)
    assert shape(ours) == shape(published)
    ours["containers"][0]["env"][1]["value"] = "ghcr.io/ease-lab/helloworld:var_workload"
    text = yaml.safe_dump(ours).replace(str(DEFAULT_PORT), "50051")
    assert yaml.safe_load(text) == published


def test_beside_labels_and_name_the_rest_of_it_is_the_published_example_too() -> None:
    made = service(render(lone(), "vhive-strict", namespace="default"))
    del made["metadata"]["labels"], made["spec"]["template"]["metadata"]
    assert made["metadata"].pop("name") == "entry"  # which `kn service apply NAME` takes from its command line
    published = {**PUBLISHED, "spec": made["spec"]}
    assert made == published


@pytest.mark.parametrize("variant", FIRECRACKER)
def test_the_pod_is_a_stub_beside_the_machine(variant: str) -> None:
    one = container(service(render(lone(resources=Resources({"cpu": "1"})), variant)))
    assert set(one) == {"image", "ports", "env"}  # the machine gets neither resources, probes nor a user
    assert one["image"] == VHive().stub
    assert one["ports"] == [{"name": "h2c", "containerPort": DEFAULT_PORT}]


def test_the_stub_is_a_parameter() -> None:
    made = manifests.render(lone(), Target(NAMESPACE, IMAGE, vhive=VHive(stub="crccheck/hello-world:latest")))
    assert container(service(made))["image"] == "crccheck/hello-world:latest"


def test_a_machine_gets_the_environment_of_the_function_from_vhive_1_5_on() -> None:
    made = lone(env={"MODE": "on"})
    said = environment(service(render(made, "vhive-env")))
    assert said == {
        "GUEST_PORT": "8080",
        "GUEST_IMAGE": IMAGE,
        "MODE": "on",
        "TOOLKIT_WIRING": manifests.wiring(made, target(made, "vhive-env"), "entry").encode(),
    }


def test_before_that_nothing_but_image_and_port_is_said() -> None:
    made = render(shipped("chained-mixed"), "vhive-strict")
    for name in ("producer", "publisher", "subscriber", "consumer"):
        said = environment(service(made, name))
        assert said == {"GUEST_PORT": "8080", "GUEST_IMAGE": f"dev.local/sample-{name}:v1"}
    assert of_kind("SinkBinding", made) == []  # it would set an environment that goes nowhere


def test_the_machine_listens_where_the_pod_says() -> None:
    said = environment(service(render(lone(), "vhive-env")))
    assert listen_port({"GUEST_PORT": said["GUEST_PORT"]}) == listen_port({}) == DEFAULT_PORT


def test_a_baked_wiring_holds_the_sink_and_names_that_need_no_search_domain() -> None:
    made = shipped("chained-mixed")
    strict = target(made, "vhive-strict")
    publisher, subscriber = (manifests.wiring(made, strict, name) for name in ("publisher", "subscriber"))
    assert publisher.sink == "http://broker-ingress.knative-eventing.svc.cluster.local/space/default"
    assert subscriber.outgoing[0].address == "consumer.space.svc.cluster.local:80"
    assert manifests.wiring(made, target(made, "vhive-env"), "publisher").sink is None


def test_a_consumer_of_events_is_no_h2c_there_either() -> None:
    made = render(shipped("chained-mixed"), "vhive-env")
    assert container(service(made, "subscriber"))["ports"] == [{"name": "http1", "containerPort": DEFAULT_PORT}]


@pytest.mark.parametrize("variant", FIRECRACKER)
def test_the_stub_says_nothing_of_its_user_so_the_namespace_asks_for_less(variant: str) -> None:
    (one,) = of_kind("Namespace", render(lone(), variant))
    assert one["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "baseline"


@pytest.mark.parametrize("chain", ["chained-serving", "chained-eventing", "chained-mixed"])
def test_under_gvisor_only_the_runtime_class_differs_from_stock_knative(chain: str) -> None:
    stock, sandboxed = render(shipped(chain)), render(shipped(chain), "vhive-gvisor")
    for each in of_kind("Service", sandboxed):
        assert pod(each).pop("runtimeClassName") == "gvisor"
    assert sandboxed == stock


@pytest.mark.parametrize("variant", FIRECRACKER)
@pytest.mark.parametrize("chain", ["chained-serving", "chained-eventing", "chained-mixed"])
def test_brokers_and_triggers_are_those_of_stock_knative(chain: str, variant: str) -> None:
    def others(found: tuple[Manifest, ...]) -> list[Manifest]:
        return of_kind("Broker", found) + of_kind("Trigger", found)

    assert others(render(shipped(chain), variant)) == others(render(shipped(chain)))


def test_the_strict_profile_needs_an_image_of_every_function() -> None:
    with pytest.raises(UsageError, match="'entry' has no image of its own"):
        manifests.render(lone(), Target(NAMESPACE, IMAGE, vhive=VHive(profile="strict")))


def test_the_strict_profile_refuses_an_environment_that_would_not_arrive() -> None:
    with pytest.raises(UsageError, match="'entry' sets MODE, and vHive's strict profile passes no environment"):
        render(lone(env={"MODE": "on"}), "vhive-strict")


def test_scale_and_concurrency_are_said_there_too() -> None:
    made = plan.make(lone(concurrency=1, annotations={"a": "b"}).chain, "run")
    found = service(render(made, "vhive-env"))
    assert pod(found)["containerConcurrency"] == 1
    assert found["spec"]["template"]["metadata"]["annotations"] == {"a": "b"}


def test_what_a_machine_does_not_heed_is_told() -> None:
    made = lone(resources=Resources({"cpu": "1"}))
    assert manifests.left_out(made, target(made, "vhive-env")) == (
        "'entry': its resources are left out, vHive's machines are all of one size",
    )
    for variant in ("knative", "vhive-gvisor"):
        assert manifests.left_out(made, target(made, variant)) == ()
    assert manifests.left_out(lone(), target(made, "vhive-env")) == ()
