"""What `toolkit render` prints is taken by a real API server and by Knative's webhooks, as it was meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from tests.cluster.suite import calls
from tests.cluster.suite.api import APPLY, KSVC, SINK_BINDING, TRIGGER, YAML, Answer, Kind, Manifest
from tests.cluster.suite.calls import Door
from tests.cluster.suite.cluster import FIELD_MANAGER, Cluster
from tests.cluster.suite.namespaces import namespace
from tests.unit.manifests.samples import EVERY_KNOB, container, expanded, lone, of_kind, render, service, shipped
from tests.unit.manifests.test_scalars import HOSTILE
from toolkit import catalog, manifests, plan
from toolkit.errors import UsageError
from toolkit.manifests import Target

GATED = "must not set the field(s): spec.template.spec.runtimeClassName"  # unless config-features allows it
INSECURE = "Kubernetes default value is insecure"
HELD = tuple(each for each in HOSTILE if "\x00" not in each)  # no process can have it in its environment


@pytest.fixture(scope="module")
def restricted(cluster: Cluster) -> Iterator[str]:
    with namespace(cluster, "render") as name:
        yield name


@pytest.fixture(scope="module")
def unrestricted(cluster: Cluster) -> Iterator[str]:
    """For the stub of vHive, which says nothing of its user."""
    with namespace(cluster, "render-vhive", restricted=False) as name:
        yield name


def asked(cluster: Cluster, manifest: Manifest) -> list[Answer]:
    """What is said to the text as `kubectl create` sends it, and to a server-side apply; both are dry runs."""
    space = manifest["metadata"].get("namespace")
    created = cluster.create(manifests.text([dict(manifest)]), kind=Kind.of(manifest), namespace=space or "none")
    if Kind.of(manifest).kind == "Namespace":
        return [created]
    applied = cluster.change(
        "PATCH", manifest, content_type=APPLY, fieldManager=FIELD_MANAGER, force=True, dryRun="All"
    )
    return [created, applied]


def answers(cluster: Cluster, made: Sequence[Manifest]) -> list[tuple[str, Answer]]:
    return [(f"{each['kind']} {each['metadata']['name']}", answer) for each in made for answer in asked(cluster, each)]


def told(cluster: Cluster, made: Manifest) -> dict[str, Any]:
    """The object as the server understood its text."""
    answer = asked(cluster, made)[0]
    assert answer.code == 201, answer.message
    return dict(answer.body)


@pytest.mark.parametrize("chain", catalog.names())
def test_every_chain_is_accepted_without_a_warning(cluster: Cluster, restricted: str, chain: str) -> None:
    made = render(shipped(chain), namespace=restricted, create_namespace=False)
    found = answers(cluster, made)
    assert [(name, each.message, each.warnings) for name, each in found] == [(name, None, ()) for name, _ in found]


@pytest.mark.parametrize("variant", ["vhive-env", "vhive-strict"])
@pytest.mark.parametrize("chain", catalog.names())
def test_every_chain_is_accepted_for_vhive(cluster: Cluster, unrestricted: str, chain: str, variant: str) -> None:
    planned = shipped(chain)
    if variant == "vhive-strict" and any(function.env for function in planned.chain.functions):
        with pytest.raises(UsageError, match="strict profile passes no environment"):
            render(planned, variant, namespace=unrestricted, create_namespace=False)
        return
    made = render(planned, variant, namespace=unrestricted, create_namespace=False)
    found = answers(cluster, made)
    assert [(name, each.message) for name, each in found] == [(name, None) for name, _ in found]
    assert {each[:36] for _, answer in found for each in answer.warnings} == {INSECURE}


@pytest.mark.parametrize("chain", catalog.names())
def test_under_gvisor_only_the_runtime_class_may_be_refused(cluster: Cluster, restricted: str, chain: str) -> None:
    made = render(shipped(chain), "vhive-gvisor", namespace=restricted, create_namespace=False)
    for name, each in answers(cluster, made):
        assert each.message is None or each.message.endswith(GATED), (name, each.message)


def test_a_namespace_of_ours_is_accepted(cluster: Cluster) -> None:
    (made,) = of_kind("Namespace", render(lone(), namespace="kn-bench-tests-never"))
    body = made["metadata"]
    answer = cluster.api.ask(
        "POST",
        "/api/v1/namespaces",
        query={"dryRun": "All", "fieldValidation": "Strict"},
        body=manifests.text([made]),
        content_type=YAML,
    )
    assert answer.code == 201, answer.message
    assert answer.body["metadata"]["labels"].items() >= body["labels"].items()


def test_zipkin_and_the_collector_are_accepted_by_the_restricted_standard(cluster: Cluster, restricted: str) -> None:
    found = answers(cluster, manifests.tracing(restricted))
    assert [(name, each.message, each.warnings) for name, each in found] == [(name, None, ()) for name, _ in found]


def test_every_knob_is_where_knative_reads_it(cluster: Cluster, restricted: str) -> None:
    made = service(render(lone(**EVERY_KNOB), namespace=restricted))
    found = told(cluster, made)
    sent, back = made["spec"]["template"], found["spec"]["template"]
    assert back["metadata"] == sent["metadata"]
    assert found["metadata"]["annotations"].items() >= made["metadata"]["annotations"].items()
    assert found["metadata"]["labels"] == made["metadata"]["labels"]
    kept = {name: back["spec"][name] for name in sent["spec"] if name != "containers"}
    assert kept == {name: value for name, value in sent["spec"].items() if name != "containers"}
    assert container(found)["resources"] == container(made)["resources"]
    assert container(found)["securityContext"] == container(made)["securityContext"]


@pytest.mark.parametrize("value", HELD)
def test_a_hostile_value_is_understood_as_it_was_meant(cluster: Cluster, restricted: str, value: str) -> None:
    made = service(render(lone(env={"HELD": value}, annotations={"held": value}), namespace=restricted))
    found = told(cluster, made)
    assert found["spec"]["template"]["metadata"]["annotations"] == {"held": value}
    assert expanded(container(found)["env"][0].get("value", "")) == value  # which keeps no empty one


@pytest.fixture(scope="module")
def applied(cluster: Cluster, images: Mapping[str, str]) -> Iterator[tuple[Manifest, ...]]:
    """chained-eventing, applied in the order in which it was rendered and ready."""
    with namespace(cluster, "rendered") as name:
        made = plan.make(catalog.load("chained-eventing"), "rendered")
        found = manifests.render(made, Target(name, images["chained-eventing"], create_namespace=False))
        cluster.apply(*found)
        for each in found:
            if Kind.of(each) in (KSVC, SINK_BINDING, TRIGGER):
                cluster.wait(Kind.of(each), each["metadata"]["name"], name)
        yield found


def test_what_was_rendered_runs(cluster: Cluster, door: Door, applied: tuple[Manifest, ...]) -> None:
    entry = cluster.get(KSVC, "producer", applied[0]["metadata"]["namespace"])
    assert entry is not None
    with door.to(entry) as channel:
        assert calls.greet(channel, calls.new_call()).message


def test_a_second_apply_makes_no_new_revision(cluster: Cluster, applied: tuple[Manifest, ...]) -> None:
    space = applied[0]["metadata"]["namespace"]
    before = {each["metadata"]["name"]: each["metadata"]["generation"] for each in cluster.list(KSVC, space)}
    cluster.apply(*applied)
    after = {each["metadata"]["name"]: each["metadata"]["generation"] for each in cluster.list(KSVC, space)}
    assert (after, set(after)) == (before, {"producer", "consumer"})


def test_only_the_entry_is_seen_from_outside(cluster: Cluster, applied: tuple[Manifest, ...]) -> None:
    space = applied[0]["metadata"]["namespace"]
    urls = {each["metadata"]["name"]: each["status"]["url"] for each in cluster.list(KSVC, space)}
    assert urls["consumer"] == f"http://consumer.{space}.svc.cluster.local"
    assert not urls["producer"].endswith(".svc.cluster.local")
