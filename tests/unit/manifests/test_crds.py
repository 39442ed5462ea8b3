"""What is rendered is valid under Knative's own schemas, without a cluster; and those would notice a mistake."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.running import ClusterError
from tests.unit.manifests import structural
from tests.unit.manifests.samples import EVERY_KNOB, VARIANTS, container, lone, of_kind, render, service, shipped
from tests.unit.manifests.structural import Schemas, problems
from toolkit import catalog
from toolkit.errors import UsageError
from toolkit.manifests import Manifest

pytestmark = pytest.mark.timeout(500)  # the first time Knative's modules are downloaded
RECORDING = Path(__file__).parents[2] / "data" / "webhooks" / "verdicts.ndjson"
UNJUDGED = {("v1", "Namespace"), ("v1", "Service"), ("apps/v1", "Deployment")}  # Kubernetes' own
BY_SCHEMA = ("strict decoding error: unknown field", "cannot unmarshal")  # in recorded messages


@pytest.fixture(scope="module")
def schemas() -> Schemas:
    try:
        return structural.downloaded()
    except ClusterError as error:
        pytest.skip(
            f"needs Go and Knative's modules, from its cache or the Go module proxy: {' '.join(str(error).split())}"
        )


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("chain", catalog.names())
def test_every_chain_is_valid_for_every_engine(schemas: Schemas, chain: str, variant: str) -> None:
    found = shipped(chain)
    if variant == "vhive-strict" and any(each.env for each in found.chain.functions):
        with pytest.raises(UsageError, match="strict profile passes no environment"):
            render(found, variant)
        return
    made = render(found, variant)
    kinds = {(each["apiVersion"], each["kind"]) for each in made}
    assert kinds - schemas.keys() <= UNJUDGED
    judged = [each for each in made if (each["apiVersion"], each["kind"]) not in UNJUDGED]
    assert [problem for each in judged for problem in problems(schemas, each)] == []


@pytest.mark.parametrize("variant", [each for each in VARIANTS if each != "vhive-strict"])  # which takes no `env`
def test_every_knob_is_valid_together(schemas: Schemas, variant: str) -> None:
    made = render(lone(**EVERY_KNOB, env={"HELD": "on"}), variant)
    assert problems(schemas, service(made)) == []


def broken(kind: str, change: Callable[[Any], None]) -> Manifest:
    """chained-eventing's first object of this kind, with one thing wrong."""
    made = copy.deepcopy(of_kind(kind, render(shipped("chained-eventing")))[0])
    change(made)
    return made


MISTAKES: dict[str, tuple[Manifest, str]] = {
    "a misspelt field of a Service": (
        broken("Service", lambda each: each["spec"]["template"]["spec"].update(containerConcurency=1)),
        "'containerConcurency' was unexpected",
    ),
    "a misspelt field of a container": (
        broken("Service", lambda each: container(each).update(imagePullPolicies="Never")),
        "'imagePullPolicies' was unexpected",
    ),
    "a misspelt field at the top": (broken("Broker", lambda each: each.update(specs={})), "'specs' was unexpected"),
    "a misspelt label field": (
        broken("Trigger", lambda each: each["metadata"].update(lables={})),
        "'lables' was unexpected",
    ),
    "a misspelt field of a SinkBinding": (
        broken("SinkBinding", lambda each: each["spec"].update(subjct={})),
        "'subjct' was unexpected",
    ),
    "a port as text": (
        broken("Service", lambda each: container(each)["ports"][0].update(containerPort="8080")),
        "'8080' is not of type 'integer'",
    ),
    "a number where text is wanted": (
        broken("Service", lambda each: container(each)["env"][0].update(value=1)),
        "1 is not of type 'string'",
    ),
    "a number that is too large": (
        broken("Broker", lambda each: each["spec"]["delivery"].update(retry=2**31)),
        "2147483648 is greater than the maximum of 2147483647",
    ),
    "an annotation that is no text": (
        broken("Broker", lambda each: each["metadata"]["annotations"].update(on=True)),
        "True is not of type 'string'",
    ),
    "filters that are no list": (
        broken("Trigger", lambda each: each["spec"].update(filters={})),
        "not of type 'array'",
    ),
    "nothing where something is wanted": (
        broken("Service", lambda each: each["spec"]["template"]["spec"].update(containers=None)),
        "None is not of type 'array'",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_noticed(schemas: Schemas, mistake: str) -> None:
    manifest, says = MISTAKES[mistake]
    (problem,) = problems(schemas, manifest)
    assert says in problem


def recorded() -> list[dict[str, Any]]:
    """What a real API server was asked about objects that a chain consists of, when it was strict."""
    found = [json.loads(line) for line in RECORDING.read_text("utf-8").splitlines()]
    ours = ("Service", "Broker", "Trigger", "SinkBinding")
    return [
        each
        for each in found
        if each["kind"] in ours and each["field_validation"] == "Strict" and "manifest_yaml" not in each
    ]


def test_what_a_real_server_took_is_valid(schemas: Schemas) -> None:
    taken = [each for each in recorded() if each["accepted"] and each["operation"] == "create"]
    assert len(taken) > 40
    assert {each["id"]: said for each in taken if (said := problems(schemas, each["manifest"]))} == {}


def test_what_a_real_server_refused_for_its_form_is_invalid(schemas: Schemas) -> None:
    refused = [
        each for each in recorded() if not each["accepted"] and any(words in each["message"] for words in BY_SCHEMA)
    ]
    assert len(refused) > 10
    assert [each["id"] for each in refused if not problems(schemas, each["manifest"])] == []
