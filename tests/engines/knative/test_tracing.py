"""`tracing setup` and `--undo`, on a cluster in miniature: what is written, in which order, and that all comes back."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.engines.knative.fake import FakeCluster, status
from tests.engines.knative.knative import EVENTING, SERVING, Knative, deployment
from toolkit.engines.knative import configmaps, observability, tracing
from toolkit.engines.knative.api import Refused
from toolkit.engines.knative.kinds import notes
from toolkit.engines.knative.settings import Audience
from toolkit.engines.knative.tracing import Outcome, Wish
from toolkit.errors import EngineError

HERE = "http://10.0.0.1:4318/v1/traces"
OWN = "kn-bench-tracing"
QUIET = Audience()
PLANE = ["activator", "mt-broker-ingress", "mt-broker-filter", "imc-dispatcher"]
ON = {"tracing-protocol": "http/protobuf", "tracing-endpoint": HERE, "tracing-sampling-rate": "1"}
OLD: Mapping[str, Any] = {"serving": "1.18.2", "eventing": "1.18.0", "kourier": "1.18.0"}


@pytest.fixture
def knative() -> Knative:
    return Knative(FakeCluster()).install()


async def setup(knative: Knative, wish: Wish | None = None, *, dry_run: bool = False) -> Outcome:
    return await tracing.setup(knative.cluster.api, wish or Wish(endpoint=HERE), QUIET, dry_run=dry_run)


async def undo(knative: Knative, *, dry_run: bool = False) -> Outcome:
    return await tracing.undo(knative.cluster.api, OWN, QUIET, 5, dry_run=dry_run)


async def test_every_part_is_told_where_to_send_and_who_reads_it_at_start_is_restarted(knative: Knative) -> None:
    outcome = await setup(knative)
    assert knative.data(SERVING, "config-observability") == ON
    assert knative.data(EVENTING, "config-observability") == ON
    assert knative.data(SERVING, "config-kourier") == ON
    assert knative.data(SERVING, "config-tracing") == {}
    assert (knative.restarts(), [each.name for each in outcome.restarted]) == (PLANE, PLANE)
    assert outcome.objects == []


async def test_undo_puts_back_exactly_what_was_there(knative: Knative) -> None:
    knative.say(EVENTING, "config-observability", tracing_protocol="grpc", tracing_endpoint="http://theirs:4317")
    knative.say(SERVING, "config-observability", metrics_protocol="prometheus")
    before = knative.config_maps()
    await setup(knative)
    knative.cluster.asked.clear()
    outcome = await undo(knative)
    assert knative.config_maps() == before
    assert (knative.restarts(), outcome.told) == (PLANE, [])


@pytest.mark.parametrize("again", [1, 2])
async def test_what_is_done_is_not_done_again(knative: Knative, again: int) -> None:
    await setup(knative)
    after = copy.deepcopy(knative.cluster.objects)
    knative.cluster.asked.clear()
    for _ in range(again):
        outcome = await setup(knative)
        assert (outcome.restarted, [each.keys for each in outcome.edits]) == ([], [{}, {}, {}])
    assert {each.partition(" ")[0] for each in knative.cluster.asked} == {"GET"}
    assert knative.cluster.objects == after


async def test_undo_is_done_once_and_without_a_setup_not_at_all(knative: Knative) -> None:
    before = copy.deepcopy(knative.cluster.objects)
    assert await undo(knative) == Outcome([], [], [], [])
    assert knative.cluster.objects == before
    await setup(knative)
    await undo(knative)
    knative.cluster.asked.clear()
    assert await undo(knative) == Outcome([], [], [], [])
    assert {each.partition(" ")[0] for each in knative.cluster.asked} == {"GET"}


WRITES = [f"PUT /api/v1/namespaces/{SERVING}/configmaps/config-observability"] + [
    f"PATCH /apis/apps/v1/namespaces/{EVENTING}/deployments/{each}" for each in PLANE[1:]
]


@pytest.mark.parametrize("finish", ["setup", "undo"])
@pytest.mark.parametrize("breaks", WRITES)
async def test_who_was_interrupted_sets_it_up_again_or_takes_it_back(
    knative: Knative, breaks: str, finish: str
) -> None:
    before = knative.config_maps()
    judged: list[tuple[int, Any]] = [(200, {})] if breaks.startswith("PUT") else []
    knative.cluster.replies = {breaks: [*judged, status(400, "BadRequest", "not now")]}
    with pytest.raises(EngineError, match="not now") as caught:
        await setup(knative)
    assert "'toolkit tracing setup --undo' takes back what was done by then" in str(caught.value.next_step)
    await (setup if finish == "setup" else undo)(knative)
    marks = [_mark(knative, each) for each in PLANE]
    assert None not in marks if finish == "setup" else set(marks) == {None}
    assert (knative.config_maps() == before) is (finish == "undo")


def _mark(knative: Knative, name: str) -> str | None:
    found = knative.cluster.get("apps/v1", "Deployment", name, SERVING if name == "activator" else EVENTING)
    assert found is not None
    return (found["spec"]["template"]["metadata"].get("annotations") or {}).get(tracing.MARK)


async def test_a_rate_that_somebody_else_changed_is_left_and_told(knative: Knative) -> None:
    await setup(knative)
    knative.say(SERVING, "config-observability", tracing_sampling_rate="0.1")
    outcome = await undo(knative)
    assert knative.data(SERVING, "config-observability") == {"tracing-sampling-rate": "0.1"}
    assert knative.data(EVENTING, "config-observability") == {}
    assert outcome.told == [
        "knative-serving/config-observability: tracing-sampling-rate is '0.1', which we did not write; left as it is "
        "(before us: tracing-sampling-rate not set)"
    ]


async def test_an_address_that_somebody_else_set_keeps_the_protocol_it_was_set_for(knative: Knative) -> None:
    await setup(knative)
    knative.say(SERVING, "config-kourier", tracing_endpoint="http://theirs:4318/v1/traces")
    (told,) = (await undo(knative)).told
    assert knative.data(SERVING, "config-kourier") == {**ON, "tracing-endpoint": "http://theirs:4318/v1/traces"}
    assert told.startswith("knative-serving/config-kourier: tracing-endpoint is 'http://theirs:4318/v1/traces', which")
    assert (await undo(knative)).told == []


async def test_setup_with_another_address_changes_it_and_undo_goes_back_to_the_beginning(knative: Knative) -> None:
    before = knative.config_maps()
    await setup(knative)
    knative.cluster.asked.clear()
    await setup(knative, Wish(endpoint="http://10.0.0.2:4318/v1/traces", sample=0.25))
    assert knative.data(EVENTING, "config-observability")["tracing-endpoint"] == "http://10.0.0.2:4318/v1/traces"
    assert knative.data(SERVING, "config-kourier")["tracing-sampling-rate"] == "0.25"
    assert knative.restarts() == PLANE
    await undo(knative)
    assert knative.config_maps() == before


async def test_what_somebody_else_set_between_two_setups_is_what_comes_back(knative: Knative) -> None:
    await setup(knative)
    knative.say(SERVING, "config-observability", tracing_endpoint="http://theirs:4318/v1/traces")
    (told,) = (await setup(knative)).told
    assert "somebody else has set tracing-endpoint to 'http://theirs:4318/v1/traces' meanwhile" in told
    await undo(knative)
    assert knative.data(SERVING, "config-observability") == {"tracing-endpoint": "http://theirs:4318/v1/traces"}


async def test_what_was_so_already_is_not_ours_to_take_back(knative: Knative) -> None:
    for space, name in (
        (SERVING, "config-observability"),
        (EVENTING, "config-observability"),
        (SERVING, "config-kourier"),
    ):
        knative.say(space, name, **{key.replace("-", "_"): value for key, value in ON.items()})
    before = copy.deepcopy(knative.cluster.objects)
    assert (await setup(knative)).restarted == []
    await undo(knative)
    assert knative.cluster.objects == before


async def test_up_to_1_18_zipkin_is_written_and_nobody_is_restarted() -> None:
    knative = Knative(FakeCluster(), **OLD).install()
    outcome = await setup(knative, Wish(zipkin="http://zipkin.mine:9411/"))
    wanted = {"backend": "zipkin", "zipkin-endpoint": "http://zipkin.mine:9411/api/v2/spans", "sample-rate": "1"}
    assert knative.data(SERVING, "config-tracing") == knative.data(EVENTING, "config-tracing") == wanted
    assert knative.data(SERVING, "config-observability") == {}
    assert (knative.restarts(), outcome.objects) == ([], [])


async def test_up_to_1_18_no_collector_is_brought_up() -> None:
    knative = Knative(FakeCluster(), **OLD).install()
    outcome = await setup(knative, Wish())
    assert [str(each) for each in outcome.objects] == [
        "Namespace kn-bench-tracing",
        "Deployment zipkin",
        "Service zipkin",
    ]
    await undo(knative)
    assert knative.cluster.names("Namespace") == [SERVING, EVENTING]


async def test_up_to_1_18_an_otlp_endpoint_is_refused_before_anything_is_done() -> None:
    knative = Knative(FakeCluster(), **OLD).install()
    before = copy.deepcopy(knative.cluster.objects)
    with pytest.raises(EngineError, match=r"Knative Serving 1\.18\.2 sends its spans to a Zipkin only"):
        await setup(knative)
    assert knative.cluster.objects == before


async def test_each_part_is_told_in_the_words_of_its_own_release() -> None:
    knative = Knative(FakeCluster(), serving="1.18.0", eventing="1.19.0").install()
    await setup(knative, Wish())
    assert knative.data(SERVING, "config-tracing")["backend"] == "zipkin"
    assert knative.data(EVENTING, "config-observability")["tracing-protocol"] == "http/protobuf"
    assert knative.restarts() == PLANE[1:]


async def test_a_gateway_that_sends_no_otlp_is_left_alone_and_told() -> None:
    knative = Knative(FakeCluster(), kourier="v0.47.0").install()
    (told,) = (await setup(knative)).told
    assert told == "Kourier 1.20 (v0.47.0) sends no OTLP, so its gateway's spans will be missing"
    assert knative.data(SERVING, "config-kourier") == {}


async def test_another_ingress_than_kourier_is_left_alone() -> None:
    knative = Knative(FakeCluster(), kourier=None).install()
    knative.config_map(SERVING, "config-kourier", {"_example": "tracing-endpoint: x"})  # installed once, not used
    await setup(knative)
    assert knative.data(SERVING, "config-kourier") == {}


async def test_a_cluster_without_eventing_is_traced_as_far_as_it_goes() -> None:
    knative = Knative(FakeCluster(), eventing=None).install()
    assert [each.name for each in (await setup(knative)).restarted] == ["activator"]
    assert len((await undo(knative)).edits) == 2


async def test_without_serving_there_is_nothing_to_trace() -> None:
    with pytest.raises(EngineError, match="Knative Serving is not installed"):
        await setup(Knative(FakeCluster(), serving=None, kourier=None).install())


async def test_spans_have_somewhere_to_go_before_anybody_sends_them(knative: Knative) -> None:
    outcome = await setup(knative, Wish())
    kinds = ["Namespace", "Deployment", "Service", "ConfigMap", "Deployment", "Service"]
    assert [str(each.kind) for each in outcome.objects] == kinds
    endpoint = f"http://otel-collector.{OWN}.svc.cluster.local:4318/v1/traces"
    assert knative.data(EVENTING, "config-observability")["tracing-endpoint"] == endpoint
    writes = [each for each in knative.cluster.asked if each.startswith(("PUT", "PATCH")) and "dryRun" not in each]
    told = next(number for number, each in enumerate(writes) if each.startswith("PUT"))
    assert sum(OWN in each for each in writes[:told]) == 6
    assert not any(OWN in each for each in writes[told:])


async def test_undo_takes_what_was_brought_up_and_nothing_of_others(knative: Knative) -> None:
    before = copy.deepcopy(set(knative.cluster.objects))
    await setup(knative, Wish(namespace="elsewhere"))  # undo finds it by what was noted
    assert len((await undo(knative)).objects) == 6
    assert set(knative.cluster.objects) == before


async def test_undo_finds_what_was_brought_up_elsewhere_before_anything_was_noted(knative: Knative) -> None:
    before = set(knative.cluster.objects)
    knative.cluster.replies = {"PATCH /api/v1/namespaces/elsewhere/services": [status(400, "BadRequest", "not now")]}
    with pytest.raises(EngineError, match="not now"):
        await setup(knative, Wish(namespace="elsewhere"))
    knative.cluster.put(deployment("theirs", "zipkin"))
    await undo(knative)
    assert set(knative.cluster.objects) - before == {"/apis/apps/v1/namespaces/theirs/deployments/zipkin"}


async def test_undo_without_rights_where_things_are_brought_up_still_puts_knative_back(knative: Knative) -> None:
    before = knative.config_maps()
    await setup(knative)
    no = status(403, "Forbidden", "deployments.apps is forbidden")
    path = "GET /apis/apps/v1/"
    knative.cluster.replies = {f"{path}namespaces/{OWN}/deployments": [no], f"{path}deployments": [no]}
    (told,) = (await undo(knative)).told
    assert knative.config_maps() == before
    assert told.startswith(f"what may be left in the namespace {OWN} stays: list Deployments: deployments.apps is")


async def test_a_namespace_with_something_of_others_stays(knative: Knative) -> None:
    await setup(knative, Wish())
    knative.config_map(OWN, "precious", {})
    outcome = await undo(knative)
    assert outcome.told == [f"the namespace {OWN} stays, for it holds what is not ours: ConfigMap precious"]
    assert (knative.cluster.names("Deployment").count("zipkin"), "precious" in knative.cluster.names("ConfigMap")) == (
        0,
        True,
    )
    assert OWN in knative.cluster.names("Namespace")


async def test_a_namespace_that_was_there_stays_as_it_is(knative: Knative) -> None:
    knative.cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OWN}})
    before = copy.deepcopy(knative.cluster.objects)
    await setup(knative, Wish())
    await undo(knative)
    assert set(knative.cluster.objects) == set(before)
    assert knative.cluster.get("v1", "Namespace", OWN) == before[f"/api/v1/namespaces/{OWN}"]


async def test_an_object_of_somebody_else_is_never_taken_over(knative: Knative) -> None:
    knative.cluster.put(deployment(OWN, "zipkin"))
    before = copy.deepcopy(knative.cluster.objects)
    with pytest.raises(EngineError, match=f"the namespace {OWN} has a Deployment zipkin already, of somebody else"):
        await setup(knative, Wish())
    assert knative.cluster.objects == before
    await undo(knative)
    assert knative.cluster.objects == before


async def test_a_zipkin_that_is_there_gets_a_collector_only(knative: Knative) -> None:
    outcome = await setup(knative, Wish(zipkin="http://zipkin.mine:9411"))
    assert [str(each) for each in outcome.objects[1:]] == [
        "ConfigMap otel-collector",
        "Deployment otel-collector",
        "Service otel-collector",
    ]
    configuration = yaml.safe_load(knative.data(OWN, "otel-collector")["config.yaml"])
    assert configuration["exporters"]["zipkin"] == {"endpoint": "http://zipkin.mine:9411/api/v2/spans"}


async def test_an_image_that_cannot_be_pulled_ends_it_before_knative_is_told(
    knative: Knative, monkeypatch: Any
) -> None:
    monkeypatch.setattr("toolkit.engines.knative.restarts.ERROR_WINDOW_S", 0.0)
    knative.stuck.add("zipkin")
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "no such host"}}
    pod = {"name": "zipkin-1", "namespace": OWN, "labels": {"app.kubernetes.io/name": "zipkin"}}
    states = {"containerStatuses": [{"name": "zipkin", "state": waiting}]}
    knative.cluster.put({"apiVersion": "v1", "kind": "Pod", "metadata": pod, "status": states})
    with pytest.raises(
        EngineError, match=r"zipkin was not rolled out .*zipkin: ImagePullBackOff: no such host"
    ) as caught:
        await setup(knative, Wish())
    assert "--zipkin-image" in str(caught.value.next_step)
    assert knative.data(SERVING, "config-observability") == {}


async def test_a_dry_run_has_the_cluster_judge_and_changes_nothing(knative: Knative) -> None:
    before = copy.deepcopy(knative.cluster.objects)
    outcome = await setup(knative, Wish(), dry_run=True)
    assert knative.cluster.objects == before
    assert len([each for each in knative.cluster.asked if each.startswith("PUT") and "dryRun=All" in each]) == 3
    assert ([each.name for each in outcome.restarted], len(outcome.objects)) == (PLANE, 6)
    await setup(knative, Wish())
    before = copy.deepcopy(knative.cluster.objects)
    outcome = await undo(knative, dry_run=True)
    assert knative.cluster.objects == before
    assert (len(outcome.edits), [each.name for each in outcome.restarted], len(outcome.objects)) == (3, PLANE, 6)


async def test_a_missing_right_is_told_before_anything_is_done(knative: Knative) -> None:
    before = copy.deepcopy(knative.cluster.objects)
    path = f"PUT /api/v1/namespaces/{EVENTING}/configmaps/config-observability"
    said = 'configmaps "config-observability" is forbidden: User "jo" cannot update resource "configmaps"'
    knative.cluster.replies = {path: [status(403, "Forbidden", said)]}
    with pytest.raises(
        Refused, match=r"change the ConfigMap knative-eventing/config-observability: .*cannot update"
    ) as caught:
        await setup(knative, Wish())
    assert "ask an administrator for a Role" in str(caught.value.next_step)
    assert knative.cluster.objects == before


async def test_who_writes_at_the_same_time_loses_nothing(knative: Knative) -> None:
    first = True

    def somebody(method: str, path: str) -> None:
        nonlocal first
        knative(method, path)

    knative.cluster.changed = somebody
    real = knative.cluster._replaced

    def replaced(path: str, found: dict[str, Any], *, dry_run: bool) -> tuple[int, Any]:
        nonlocal first
        if first and not dry_run and path.endswith("config-observability"):
            first = False
            knative.say(SERVING, "config-observability", metrics_protocol="prometheus")
        return real(path, found, dry_run=dry_run)

    knative.cluster._replaced = replaced  # type: ignore[method-assign]
    await setup(knative)
    assert knative.data(SERVING, "config-observability") == {**ON, "metrics-protocol": "prometheus"}


async def test_a_configmap_that_changes_again_and_again_is_told_to_be_an_operators(knative: Knative) -> None:
    path = f"PUT /api/v1/namespaces/{SERVING}/configmaps/config-observability"
    knative.cluster.replies = {path: [status(409, "Conflict", "the object has been modified")] * 20}
    with pytest.raises(EngineError, match="changes again and again") as caught:
        await setup(knative)
    assert "operator" in str(caught.value.next_step)


async def test_an_operator_that_owns_the_configmap_is_told(knative: Knative) -> None:
    owner = {"kind": "KnativeServing", "name": "knative-serving", "uid": "u"}
    knative.config_map(SERVING, "config-kourier", {"_example": "tracing-endpoint: x"}, ownerReferences=[owner])
    (told,) = (await setup(knative)).told
    assert told.startswith(
        "knative-serving/config-kourier belongs to the KnativeServing knative-serving, whose operator"
    )


@pytest.mark.parametrize(
    "note", ["", "{", "[]", "{}", '{"before": {}, "wrote": {"a": "b"}}', '{"before": 1, "wrote": 2}']
)
async def test_a_note_that_somebody_has_edited_is_not_guessed_at(knative: Knative, note: str) -> None:
    annotations = {configmaps.BEFORE: note}
    knative.config_map(SERVING, "config-kourier", {"_example": "tracing-endpoint: x"}, annotations=annotations)
    for doing in (setup, undo):
        with pytest.raises(
            EngineError, match="knative-serving/config-kourier cannot be read, so what was there"
        ) as caught:
            await doing(knative)
        assert f"annotate configmap config-kourier -n knative-serving {configmaps.BEFORE}-" in str(
            caught.value.next_step
        )


async def test_pods_of_functions_that_run_are_told_of(knative: Knative) -> None:
    metadata = {"name": "f-1", "namespace": "mine", "labels": {"serving.knative.dev/revision": "f-00001"}}
    knative.cluster.put({"apiVersion": "v1", "kind": "Pod", "metadata": metadata})
    (told,) = (await setup(knative)).told
    assert told.startswith("Knative is replacing the pods of 1 revision of functions: wait for that")
    assert (await setup(knative)).told == []
    knative.cluster.replies = {"GET /api/v1/pods": [status(403, "Forbidden", "no")]}
    assert "functions that run" in (await undo(knative)).told[0]


async def test_up_to_1_18_pods_that_run_are_told_to_stay_as_they_are() -> None:
    knative = Knative(FakeCluster(), **OLD).install()
    metadata = {"name": "f-1", "namespace": "mine", "labels": {"serving.knative.dev/revision": "f-00001"}}
    knative.cluster.put({"apiVersion": "v1", "kind": "Pod", "metadata": metadata})
    told = (await setup(knative, Wish(zipkin="http://zipkin.mine:9411"))).told
    assert any(each.startswith("the pods of 1 revision of functions stay as they are: deploy those") for each in told)


@pytest.mark.parametrize(
    ("version", "release"),
    [("1.18.2", (1, 18)), ("v1.19.0", (1, 19)), ("v0.50.0", (1, 23)), ("v0.27.1", (1, 0)), ("v0.26.0", (0, 26))],
)
def test_a_release_is_read_in_each_of_its_spellings(version: str, release: tuple[int, int]) -> None:
    assert observability.release(version) == release


@pytest.mark.parametrize("version", ["", "devel", "v20260101-abcdef", "1", "1.x", "१.२", "9" * 999 + ".1"])
def test_what_is_no_release_is_none(version: str) -> None:
    assert observability.release(version) is None


async def test_a_nightly_build_is_known_by_its_examples_and_one_without_is_told() -> None:
    nightly = Knative(FakeCluster(), serving="devel", eventing="devel").install()
    await setup(nightly)
    assert nightly.data(EVENTING, "config-observability") == ON
    bare = Knative(FakeCluster(), serving="devel").install()
    for name in ("config-observability", "config-tracing"):
        bare.config_map(SERVING, name, {})
    with pytest.raises(EngineError, match=r"which release of Knative Serving this is \(devel\)"):
        await setup(bare)


texts = st.text(max_size=8)


@given(there=st.dictionaries(texts, texts), wanted=st.dictionaries(texts, texts, min_size=1), second=texts)
def test_whatever_was_there_comes_back(there: dict[str, str], wanted: dict[str, str], second: str) -> None:
    found: dict[str, Any] = {"kind": "ConfigMap", "metadata": {"name": "n", "namespace": "s"}, "data": there}
    once = configmaps.setting(wanted, None)(found)
    twice = configmaps.setting(dict.fromkeys(wanted, second), "x")(once.now)
    back = configmaps.restoring()(twice.now)
    assert configmaps.data(back.now) == there or (not once.changed and wanted.items() <= there.items())
    assert configmaps.BEFORE not in notes(back.now)
    assert [*once.told, *twice.told, *back.told] == []
