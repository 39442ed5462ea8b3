"""Functions that are somebody's image: a container beside the scaffold's."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from tests.unit.manifests.samples import NAMESPACE, chain, expanded, function, pod, render, service
from toolkit import plan
from toolkit.contract import Tracing, Wiring
from toolkit.errors import UsageError
from toolkit.plan import Plan
from toolkit.spec.model import Edge, Resources

STRANGER = "toolkit.sdk.stranger:relay"
IMAGE = "docker.io/vhiveease/aes-go:latest"


def made(**more: Any) -> Plan:
    aes = dataclasses.replace(function("aes"), handler=STRANGER, **{"image": IMAGE, **more})
    edge = Edge("front", "aes", "call", method="helloworld.Greeter/SayHello")
    tracing = Tracing("http://zipkin:9411/api/v2/spans")
    return plan.make(chain([function("front"), aes], [edge]), "run-1", tracing=tracing)


def beside(found: Plan) -> dict[str, Any]:
    containers = pod(service(render(found), "aes"))["containers"]
    assert len(containers) == 2
    stranger: dict[str, Any] = containers[1]
    return stranger


def wiring_of(found: Plan) -> Wiring:
    (said, *_) = pod(service(render(found), "aes"))["containers"][0]["env"]
    return Wiring.decode(expanded(said["value"]))


def told(found: Plan) -> dict[str, str]:
    return {each["name"]: each["value"] for each in beside(found)["env"]}


def test_the_image_stands_beside_the_scaffold_which_has_the_port() -> None:
    both = pod(service(render(made()), "aes"))["containers"]
    assert [each["name"] for each in both] == ["user-container", "stranger"]
    assert [each.get("ports") for each in both] == [[{"name": "h2c", "containerPort": 8080}], None]
    assert both[1]["image"] == IMAGE
    assert "command" not in both[1]
    assert "readinessProbe" not in both[1], "Knative probes one container; the scaffold waits for the other"


def test_the_scaffold_finds_it_where_it_is_told_to_listen() -> None:
    found = made(command=("/server", "--addr=0.0.0.0:$PORT", "$HOME"))
    wiring = wiring_of(found)
    assert (wiring.relay, wiring.command, wiring.handler) == ("127.0.0.1:8081", (), STRANGER)
    assert told(found)["PORT"] == "8081"
    assert beside(found)["command"] == ["/server", "--addr=0.0.0.0:8081", "$$HOME"], "no shell, and not Kubernetes'"


def test_its_spans_go_where_the_chain_s_go_and_its_environment_is_the_function_s() -> None:
    found = made(env={"COLOUR": "$red"})
    assert told(found)["OTEL_SERVICE_NAME"] == "aes.program"
    assert told(found)["COLOUR"] == "$$red"
    assert "TOOLKIT_WIRING" not in told(found)


def test_it_has_no_capability_and_the_function_s_resources_as_the_scaffold_has() -> None:
    security = beside(made())["securityContext"]
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["allowPrivilegeEscalation"] is False
    assert "resources" not in beside(made())
    resources = Resources({"cpu": "100m"}, {"memory": "64Mi"})
    assert beside(made(resources=resources))["resources"] == dataclasses.asdict(resources)
    assert beside(made(resources=Resources({}, {"cpu": "1"})))["resources"] == {"limits": {"cpu": "1"}}


def test_no_function_s_pod_holds_a_token_of_the_cluster_s_or_learns_of_its_services() -> None:
    for name in ("front", "aes"):
        found = pod(service(render(made()), name))
        assert (found["automountServiceAccountToken"], found["enableServiceLinks"]) == (False, False)


def test_a_stranger_may_be_root_so_its_namespace_asks_for_less() -> None:
    (namespace, *_) = render(made())
    assert namespace["metadata"]["name"] == NAMESPACE
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "baseline"
    (usual, *_) = render(made(image=None, command=("./aes",)))
    assert usual["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_a_program_in_the_chain_s_folder_runs_in_the_chain_s_image() -> None:
    found = made(image=None, command=("./aes", "$PORT"))
    (only,) = pod(service(render(found), "aes"))["containers"]
    assert "name" not in only
    wiring = wiring_of(found)
    assert (wiring.relay, wiring.command) == (None, ("./aes", "$PORT"))


@pytest.mark.parametrize("variant", ["vhive-env", "vhive-strict"])
def test_a_machine_of_vhive_holds_one_container(variant: str) -> None:
    with pytest.raises(UsageError, match="'aes' is an image beside the scaffold's"):
        render(made(), variant)


def test_a_sandbox_of_gvisor_holds_two() -> None:
    assert len(pod(service(render(made(), "vhive-gvisor"), "aes"))["containers"]) == 2


def test_what_it_sends_goes_out_through_the_scaffold_of_its_pod() -> None:
    stranger = dataclasses.replace(function("relay"), handler=STRANGER, image=IMAGE)
    edge = Edge("relay", "end", "call", method="helloworld.Greeter/SayHello")
    found = render(plan.make(chain([stranger, function("end")], [edge]), "run-1"))
    both = pod(service(found, "relay"))["containers"]
    said = [{each["name"]: each["value"] for each in container["env"]} for container in both]
    assert [each["TOOLKIT_EGRESS"] for each in said] == ["127.0.0.1:8082", "127.0.0.1:8082"]
    assert "TOOLKIT_EGRESS" not in told(made()), "a function without edges sends nothing"
