"""The engine's steps against a cluster in miniature: what it applies, refuses, tells and takes away."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import grpc.aio
import pytest

from tests.engines.knative import test_probes
from tests.engines.knative.controllers import Controllers, collect_garbage
from tests.engines.knative.fake import FakeCluster, status
from toolkit import catalog, manifests
from toolkit import plan as plans
from toolkit.engines.knative.api import Api
from toolkit.engines.knative.connection import Cluster
from toolkit.engines.knative.deployment import KnativeDeployment
from toolkit.engines.knative.diagnosis import DeploymentFailed
from toolkit.engines.knative.engine import KnativeEngine
from toolkit.engines.knative.kinds import Key
from toolkit.engines.knative.settings import Audience, Settings
from toolkit.engines.waiting import until
from toolkit.errors import EngineError
from toolkit.plan import Plan

SERVING = b"\x08\x01"
NAMESPACE = "a"


class Ingress(grpc.GenericRpcHandler):
    """Answers every health check."""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        async def check(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
            return SERVING

        return grpc.unary_unary_rpc_method_handler(check)


@pytest.fixture
async def ingress() -> AsyncIterator[str]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Ingress(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


class World:
    """A fake cluster with controllers, an engine on it, and what the user was told."""

    def __init__(self, ingress: str, **settings: Any) -> None:
        self.cluster = FakeCluster()
        self.controllers = Controllers(self.cluster)
        self.cluster.changed, self.cluster.admit = self._changed, self.controllers.admit
        self.stages: list[str] = []
        self.notes: list[str] = []
        audience = Audience(lambda key, state: self.stages.append(f"{key}: {state}"), self.notes.append)
        defaults = {"error_window_s": 0.3, "ready_within_s": 5.0, "gone_within_s": 5.0, "advertise": "127.0.0.1"}
        wanted = Settings("dev.local/x:1", ingress=ingress, namespace=NAMESPACE, **{**defaults, **settings})
        self.engine = KnativeEngine(wanted, audience, self._dial)

    def _changed(self, method: str, path: str) -> None:
        if method == "DELETE":
            collect_garbage(self.cluster)
        self.controllers(method, path)

    @contextlib.asynccontextmanager
    async def _dial(self, _: Cluster) -> AsyncIterator[Api]:
        yield self.cluster.api

    async def deploy(self, plan: Plan) -> KnativeDeployment:
        return await self.engine.deploy(plan, receipts="tcp://127.0.0.1:1", tracing=False)

    async def told(self, stage: str) -> None:
        """Returns once the user was told of it."""

        async def seen() -> bool:
            return stage in self.stages

        assert await until(seen, within_s=10), self.stages

    def written(self) -> list[str]:
        return [each for each in self.cluster.asked if each.split()[0] in ("PATCH", "DELETE")]


@pytest.fixture
def world(ingress: str) -> World:
    return World(ingress)


def plan(chain: str = "chained-eventing", run: str = "run-1") -> Plan:
    return plans.make(catalog.load(chain), run)


def bystanders(cluster: FakeCluster, namespace: str) -> dict[str, Any]:
    """Somebody else's things: a ConfigMap, a Broker of another run, a pod."""
    other = manifests.labels(plan(run="run-2"))
    things: list[Mapping[str, Any]] = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs", "namespace": namespace}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "theirs", "namespace": namespace}},
        {
            "apiVersion": "eventing.knative.dev/v1",
            "kind": "Broker",
            "metadata": {"name": "theirs", "namespace": namespace, "labels": other},
            "spec": {},
            "status": {"observedGeneration": 1},
        },
    ]
    for each in things:
        cluster.put(each)
    return {path: found for path, found in cluster.objects.items() if found["metadata"]["name"] == "theirs"}


async def test_a_plan_stands_with_the_addresses_that_the_cluster_tells_and_goes_with_its_namespace(
    world: World, ingress: str
) -> None:
    deployment = await world.deploy(plan())
    assert (deployment.entry.target, deployment.entry.authority) == (ingress, "producer.a.example.com")
    assert deployment.bound.targets == {each: f"{each}.a.svc.cluster.local:80" for each in ("producer", "consumer")}
    assert deployment.bound.sink == "http://broker-ingress.knative-eventing.svc.cluster.local/a/default"
    assert {"Broker default: ready", "Service producer: ready", "Trigger producer-to-consumer: ready"} <= set(
        world.stages
    )
    assert deployment.incidents() == []
    await deployment.delete()
    await deployment.delete()
    assert world.cluster.objects == {}
    assert world.notes == []


async def test_the_broker_comes_before_its_binding_that_before_its_function_and_a_trigger_after_its_subscriber(
    world: World,
) -> None:
    deployment = await world.deploy(plan())
    written = [each.partition("?")[0] for each in world.written() if "dryRun" not in each]
    order = [each.rpartition("/namespaces/a/")[2] for each in written]
    assert order[0] == "PATCH /api/v1/namespaces/a"
    assert order.index("brokers/default") < order.index("sinkbindings/producer") < order.index("services/producer")
    assert order.index("services/consumer") < order.index("triggers/producer-to-consumer")
    await deployment.delete()


async def test_a_second_deployment_under_the_same_name_changes_nothing(world: World) -> None:
    first = await world.deploy(plan())
    await first.leave()
    before = {path: found["metadata"]["generation"] for path, found in world.cluster.objects.items()}
    second = await world.deploy(plan())
    assert {path: found["metadata"]["generation"] for path, found in world.cluster.objects.items()} == before
    await second.delete()


async def test_what_others_have_in_a_namespace_of_theirs_is_untouched(world: World) -> None:
    world.cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": {"x": "y"}}})
    theirs = bystanders(world.cluster, NAMESPACE)
    deployment = await world.deploy(plan())
    await deployment.delete()
    assert {path: found for path, found in world.cluster.objects.items() if found["kind"] != "Namespace"} == theirs
    found = world.cluster.get("v1", "Namespace", NAMESPACE)
    assert found is not None
    assert found["metadata"]["labels"] == {"x": "y"}, "a namespace of somebody else's is not even labelled"


async def test_a_namespace_that_the_run_made_stays_when_others_moved_in_and_that_is_told(world: World) -> None:
    deployment = await world.deploy(plan())
    theirs = bystanders(world.cluster, NAMESPACE)
    await deployment.delete()
    assert set(theirs) < set(world.cluster.objects)
    assert sorted(world.cluster.names("Broker") + world.cluster.names("Pod")) == ["theirs", "theirs"]
    assert world.cluster.names("Namespace") == [NAMESPACE]
    assert world.cluster.names("Service") == world.cluster.names("Trigger") == []
    (note,) = world.notes
    assert "the namespace a stays, for it holds what is not of this run" in note
    assert "ConfigMap theirs" in note


async def test_an_object_of_somebody_else_under_the_same_name_is_not_taken(world: World) -> None:
    service = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "spec": {"template": {}}}
    world.cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    world.cluster.put({**service, "metadata": {"name": "consumer", "namespace": NAMESPACE}})
    with pytest.raises(EngineError, match="has a Service consumer already, of somebody else"):
        await world.deploy(plan())
    assert world.written() == []


async def test_two_runs_do_not_share_a_namespace(world: World) -> None:
    first = await world.deploy(plan(run="run-1"))
    with pytest.raises(EngineError, match="already, of the run run-1") as caught:
        await world.deploy(plan(run="run-2"))
    assert "toolkit delete chained-eventing -n a" in (caught.value.next_step or "")
    assert sorted(world.cluster.names("Service")) == ["consumer", "producer"]
    await first.delete()
    assert world.cluster.objects == {}


@pytest.mark.parametrize(
    ("missing", "said"),
    [("serving.knative.dev/v1", "Knative Serving"), ("eventing.knative.dev/v1", "Knative Eventing")],
)
async def test_a_cluster_without_knative_is_told_so_before_anything_is_applied(
    world: World, missing: str, said: str
) -> None:
    del world.cluster.resources[missing]
    with pytest.raises(EngineError, match=f"{said} is not installed in the cluster https://fake.example:6443"):
        await world.deploy(plan())
    assert world.written() == []


async def test_what_fails_for_longer_than_a_moment_ends_the_deployment_and_is_taken_away(world: World) -> None:
    condition = {"type": "Ready", "status": "False", "reason": "Odd", "message": "it will not be"}
    world.controllers.says["Service/consumer"] = {"conditions": [condition]}
    with pytest.raises(DeploymentFailed, match=r"Service consumer is not ready after .*: Odd: it will not be"):
        await world.deploy(plan("chained-serving"))
    assert world.cluster.objects == {}


async def test_what_fails_for_a_moment_only_is_waited_for(ingress: str) -> None:
    world = World(ingress, error_window_s=60.0)
    condition = {"type": "Ready", "status": "False", "reason": "NotYet"}
    world.controllers.says["Service/consumer"] = {"conditions": [condition]}
    deploying = asyncio.ensure_future(world.deploy(plan("chained-serving")))
    await world.told("Service consumer: NotYet")
    world.controllers.says.clear()
    found = world.cluster.get("serving.knative.dev/v1", "Service", "consumer", NAMESPACE)
    assert found is not None
    found["status"] = {}
    world.controllers("PATCH", "")
    deployment = await deploying
    await deployment.delete()


async def test_what_never_becomes_ready_ends_the_deployment_in_time(ingress: str) -> None:
    world = World(ingress, ready_within_s=0.5)
    condition = {"type": "Ready", "status": "Unknown", "reason": "Deploying"}
    world.controllers.says["Service/consumer"] = {"conditions": [condition]}
    with pytest.raises(DeploymentFailed, match=r"Service consumer is not ready after 0.5 s: Deploying"):
        await world.deploy(plan("chained-serving"))


STARTING = {"conditions": [{"type": "Ready", "status": "Unknown", "reason": "RevisionMissing"}]}
SILENT = test_probes.CALLED["status"]
PROXY_LOG = f"GET /api/v1/namespaces/{NAMESPACE}/pods/one/log?container=queue-proxy"


def silent(world: World, *lines: str) -> None:
    """The consumer's pod runs, does not answer its probe, and queue-proxy says `lines` of it."""
    world.controllers.says["Service/consumer"] = STARTING
    own = {"serving.knative.dev/service": "consumer", **manifests.labels(plan("chained-serving"))}
    spec = test_probes.CALLED["spec"]
    metadata = {"name": "one", "namespace": NAMESPACE, "labels": own}
    world.cluster.put({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": SILENT})
    world.cluster.replies[PROXY_LOG] = [(200, "\n".join(lines).encode())] * 100


async def test_a_function_that_speaks_another_protocol_than_knative_asks_is_told_long_before_the_deadline(
    ingress: str,
) -> None:
    world = World(ingress, ready_within_s=60.0)
    silent(world, test_probes.STARTED, test_probes.HTTP_TO_GRPC)
    with pytest.raises(DeploymentFailed, match=r"what listens on port 8080, .*, speaks another protocol") as caught:
        await world.deploy(plan("chained-serving"))
    assert "listen on $PORT" in (caught.value.next_step or "")


async def test_a_function_that_does_not_listen_yet_is_waited_for_and_a_live_line_says_so(ingress: str) -> None:
    world = World(ingress, ready_within_s=2.0, error_window_s=0.1)
    silent(world, test_probes.NOTHING_LISTENS)
    with pytest.raises(DeploymentFailed, match=r"not ready after 2.0 s: .* asks for gRPC health: connection refused"):
        await world.deploy(plan("chained-serving"))
    live = [each for each in world.stages if each.startswith("Service consumer: runs")]
    assert live[0] == "Service consumer: runs, does not answer on port 8080 yet"
    assert live[-1] == f"{live[0]}: connection refused"


async def test_what_the_cluster_refuses_is_told_in_its_words_and_taken_away(world: World) -> None:
    denied = 'admission webhook "validation.webhook.serving.knative.dev" denied the request: validation failed: no'
    world.cluster.replies["PATCH /apis/serving.knative.dev/v1/namespaces/a/services/consumer"] = [
        status(400, "BadRequest", denied)
    ]
    with pytest.raises(DeploymentFailed, match=r"Service consumer cannot be applied: the webhook .* refuses it"):
        await world.deploy(plan("chained-serving"))
    assert world.cluster.objects == {}


async def test_a_webhook_that_does_not_know_of_the_binding_is_told(world: World) -> None:
    world.controllers.bind = False  # and nothing puts K_SINK into what is applied
    with pytest.raises(DeploymentFailed, match=r"SinkBinding producer is not ready .* no K_SINK is put into Service"):
        await world.deploy(plan())
    assert world.cluster.objects == {}


async def test_a_revision_that_sends_its_events_elsewhere_is_told(world: World) -> None:
    elsewhere = {"name": "K_SINK", "value": "http://elsewhere"}

    def alter(objects: Any) -> Any:
        for each in objects:
            if Key.of(each).name == "producer" and each["kind"] == "Service":
                each["spec"]["template"]["spec"]["containers"][0]["env"].append(elsewhere)
        return objects

    world.controllers.bind = False
    world.engine = KnativeEngine(
        Settings("x/y:1", namespace=NAMESPACE, ingress="127.0.0.1:1", error_window_s=0.3, alter=alter),
        Audience(),
        world._dial,
    )
    with pytest.raises(EngineError, match=r"producer sends its events elsewhere: K_SINK .* is http://elsewhere"):
        await world.deploy(plan())
    assert world.cluster.objects == {}


@pytest.mark.parametrize("chain", ["chained-serving", "chained-mixed"])
async def test_a_cluster_with_another_domain_than_the_functions_were_told_is_told(world: World, chain: str) -> None:
    world.controllers.domain = "corp.example"
    with pytest.raises(EngineError, match=r"svc\.corp\.example:80 in the cluster.*svc\.cluster\.local:80") as caught:
        await world.deploy(plan(chain))
    assert "--cluster-domain corp.example" in (caught.value.next_step or "")
    assert world.cluster.objects == {}


async def test_events_find_their_broker_whatever_the_clusters_domain_is(world: World) -> None:
    world.controllers.domain = "corp.example"
    deployment = await world.deploy(plan("chained-eventing"))
    assert deployment.bound.sink == "http://broker-ingress.knative-eventing.svc.corp.example/a/default"


async def test_functions_are_told_the_addresses_of_the_clusters_domain(ingress: str) -> None:
    world = World(ingress, cluster_domain="corp.example")
    world.controllers.domain = "corp.example"
    deployment = await world.deploy(plan("chained-serving"))
    assert deployment.bound.targets["consumer"] == "consumer.a.svc.corp.example:80"
    producer = world.cluster.get("serving.knative.dev/v1", "Service", "producer", NAMESPACE)
    assert "consumer.a.svc.corp.example:80" in str(producer)


async def test_a_dead_subscriber_in_the_channel_is_told(world: World) -> None:
    settle = world.controllers._made

    def with_a_ghost(kind: str, found: dict[str, Any]) -> dict[str, Any]:
        made = settle(kind, found)
        if kind == "Broker":
            (channel,) = [each for each in world.cluster.objects.values() if each["kind"] == "InMemoryChannel"]
            channel["spec"]["subscribers"].append({"subscriberUri": "http://broker-filter/triggers/a/gone/ghost"})
        return made

    world.controllers._made = with_a_ghost  # type: ignore[method-assign]
    with pytest.raises(EngineError, match=r"a subscriber of a Trigger that is gone \(ghost\)"):
        await world.deploy(plan())


async def test_an_ingress_that_does_not_lead_to_the_entry_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.engines.knative.engine.ANSWERS_WITHIN_S", 0.3)
    world = World("127.0.0.1:1")
    with pytest.raises(
        EngineError, match=r"producer is ready, but does not answer as producer.a.example.com through the"
    ):
        await world.deploy(plan("chained-serving"))
    assert world.cluster.objects == {}


async def test_who_stops_a_deployment_that_comes_up_finds_nothing_of_it(world: World) -> None:
    world.controllers.says["Service/consumer"] = {"conditions": [{"type": "Ready", "status": "Unknown"}]}
    deploying = asyncio.ensure_future(world.deploy(plan("chained-serving")))
    await world.told("Service producer: ready")
    deploying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await deploying
    assert world.cluster.objects == {}


async def test_what_cannot_be_taken_away_is_told_with_the_command_that_does(world: World) -> None:
    deployment = await world.deploy(plan("chained-serving"))
    forbidden = status(403, "Forbidden", "services is forbidden")
    world.cluster.replies["DELETE /api/v1/namespaces/a"] = [forbidden]
    await deployment.delete()
    (note,) = world.notes
    assert "left in the namespace a: Service" in note
    assert "services is forbidden" in note
    assert "kubectl delete ksvc,broker,trigger,sinkbinding -n a -l " in note
    assert "kn-bench.dev/run=run-1" in note


async def test_a_dry_run_on_the_server_writes_nothing_and_needs_a_namespace(world: World) -> None:
    with pytest.raises(EngineError, match="there is no namespace a"):
        await world.engine.apply(plan(), dry_run=True)
    world.cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    applied = await world.engine.apply(plan(), dry_run=True)
    assert [str(Key.of(each)) for each in applied[:2]] == ["Broker default", "SinkBinding producer"]
    assert list(world.cluster.names("Service")) == []


async def test_the_run_that_stands_is_found_by_its_labels(world: World) -> None:
    assert await world.engine.run_of("chained-eventing") is None
    deployment = await world.deploy(plan())
    assert await world.engine.run_of("chained-eventing") == "run-1"
    assert await world.engine.run_of("chained-serving") is None
    await deployment.delete()
