"""Chains that begin at zero, under load, with the platform's own spans in every trace; then all is as it was.

All chains are deployed and fall asleep together, and are then called one after another: that saves a minute.
"""

from __future__ import annotations

import asyncio
import copy
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from tests.cluster.suite import images as image_building
from tests.cluster.suite import platform, tracing
from tests.cluster.suite.api import NAMESPACE
from tests.cluster.suite.cluster import Cluster
from tests.cluster.suite.waiting import until
from toolkit import catalog
from toolkit.engines.knative.deployment import KnativeDeployment
from toolkit.engines.knative.engine import KnativeEngine
from toolkit.engines.knative.settings import Settings
from toolkit.manifests import NAMESPACE as TRACING
from toolkit.manifests import Manifest
from toolkit.plan import Plan
from toolkit.results import Load
from toolkit.run import Order, Outcome, run
from toolkit.traces import tree
from toolkit.traces.model import Span
from toolkit.traces.passages import Passage, passages
from toolkit.traces.platform import part

CHAINS = ("chained-serving", "chained-eventing", "chained-mixed")
CALLS = 500
RATES = {"chained-serving": 50.0, "chained-eventing": 25.0, "chained-mixed": 25.0}
"""Calls a second. What waits for functions to wake goes on at once, and a component that has more than 2,048 spans
to send drops some of them: that is OpenTelemetry's, and no loss of ours."""
ASLEEP_WITHIN_S = 150.0  # Knative waits for 30 s unless it is told otherwise
AWAKE_US = 200_000  # a pod needs longer than that to begin
BY_CALL = {"queue-proxy"}
BY_EVENT = {"broker ingress", "channel dispatcher", "broker filter"}
AUTOSCALING = "autoscaling.knative.dev"


@dataclass
class Traced:
    """Tracing as it was set up: who takes the spans, what was there before, what ran right afterwards."""

    taker: tracing.Taker
    before: Mapping[Any, Any]
    ran: frozenset[platform.Container]
    runs: dict[str, Outcome] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def traced(
    cluster: Cluster, on_purpose: tracing.OnPurpose, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Traced]:
    """The platform traces; in the end it does not, whatever happened."""
    before, ran = tracing.settings(cluster), platform.containers(cluster)
    if any(tracing.NOTE in ((each and each[1]) or {}) for each in before.values()):
        pytest.fail("tracing was set up on this cluster before: toolkit tracing setup --undo", pytrace=False)
    with tracing.taker(tmp_path_factory.mktemp("tracing")) as taker:
        try:
            tracing.toolkit("tracing", "setup", *taker.arguments)
            yield Traced(taker, copy.deepcopy(before), platform.containers(cluster))
        finally:
            tracing.toolkit("tracing", "setup", "--undo")
            on_purpose.restarted(ran, platform.containers(cluster))


class InTurn:
    """A deployment whose load nobody else's disturbs: the next may begin once this one asks for its spans."""

    def __init__(self, deployment: KnativeDeployment, turn: asyncio.Lock) -> None:
        self._deployment, self._turn = deployment, turn

    def __getattr__(self, name: str) -> Any:
        return getattr(self._deployment, name)

    async def spans(self, traces: Sequence[str], caller: Sequence[Span]) -> list[Span]:
        self._turn.release()
        return await self._deployment.spans(traces, caller)


class FromZero(KnativeEngine):
    """Hands a deployment over once all its pods have gone to sleep."""

    def __init__(self, settings: Settings, cluster: Cluster, turn: asyncio.Lock) -> None:
        super().__init__(settings)
        self._pods, self._turn, self._place = cluster, turn, settings.namespace or ""

    async def deploy(self, plan: Plan, *, receipts: str | None, tracing: bool = True) -> KnativeDeployment:
        deployment = await super().deploy(plan, receipts=receipts, tracing=tracing)
        try:
            await asyncio.to_thread(self._asleep)
            await self._turn.acquire()
        except BaseException:
            await deployment.delete()
            raise
        return cast(KnativeDeployment, InTurn(deployment, self._turn))

    def _asleep(self) -> None:
        until(lambda: not self._pods.pods(self._place), f"the pods of {self._place} to be gone", ASLEEP_WITHIN_S)


def soon_asleep(objects: Sequence[Manifest]) -> Sequence[Manifest]:
    """With the shortest window that Knative knows; and what has waited for one pod does not wake a dozen."""
    for each in objects:
        if each["kind"] == "Service":
            annotations = each["spec"]["template"]["metadata"].setdefault("annotations", {})
            annotations.update({f"{AUTOSCALING}/window": "6s", f"{AUTOSCALING}/max-scale": "1"})
    return objects


@pytest.fixture(scope="module")
def runs(
    cluster: Cluster, traced: Traced, images: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Traced:
    """With the outcome of a run of each chain."""
    mixed = image_building.provide("chained-mixed", tmp_path_factory.mktemp("mixed"))
    every = {**images, "chained-mixed": mixed}
    traced.places.update({chain: f"kn-bench-tests-tracing-{secrets.token_hex(3)}" for chain in CHAINS})

    async def all_of_them() -> list[Outcome]:
        turn = asyncio.Lock()

        def engine(chain: str) -> FromZero:
            place, zipkin = traced.places[chain], traced.taker.zipkin
            return FromZero(Settings(every[chain], namespace=place, zipkin=zipkin, alter=soon_asleep), cluster, turn)

        return await asyncio.gather(*(run(order(chain), engine(chain)) for chain in CHAINS))

    traced.runs.update(zip(CHAINS, asyncio.run(all_of_them()), strict=True))
    return traced


def order(chain: str) -> Order:
    return Order(catalog.load(chain), Load(requests=CALLS, rate=RATES[chain]))


def traces(runs: Traced, chain: str) -> list[Sequence[Span]]:
    return list(tree.by_trace(runs.runs[chain].evidence.spans).values())


@pytest.mark.parametrize("chain", CHAINS)
def test_a_chain_that_begins_at_zero_keeps_its_promises_under_load(chain: str, runs: Traced) -> None:
    found = runs.runs[chain].report
    assert [each for each in found.checks if not each.passed] == []
    assert (found.measurement.sent, found.measurement.ok, found.measurement.lost) == (CALLS, CALLS, 0)
    assert (found.measurement.traces_expected, found.measurement.traces_complete) == (CALLS, CALLS)
    assert found.incidents == ()
    assert found.measurement.cold is not None


@pytest.mark.parametrize("chain", CHAINS)
def test_every_message_passes_the_platform_s_spans_in_every_trace(chain: str, runs: Traced) -> None:
    spec, every = catalog.load(chain), traces(runs, chain)
    edges = {("caller", spec.entry, "call")} | {(edge.source, edge.to, edge.via) for edge in spec.edges}
    assert len(every) == CALLS
    found = [passages(trace) for trace in every]
    assert [each for each in found if {(way.source, way.to, way.via) for way in each} != edges] == []
    assert [way for each in found for way in each if not _needed(way) <= set(way.parts)] == []
    told = dict(runs.runs[chain].report.measurement.platform_traces)
    assert {which: told.get(which) for which in _all(edges)} == dict.fromkeys(_all(edges), CALLS)


def _needed(passage: Passage) -> set[str]:
    return BY_CALL if passage.via == "call" else BY_CALL | BY_EVENT


def _all(edges: Iterable[tuple[str, str, str]]) -> set[str]:
    return BY_CALL | (BY_EVENT if any(via == "event" for _, _, via in edges) else set())


@pytest.mark.parametrize("chain", CHAINS)
def test_the_trace_of_a_call_that_woke_the_chain_shows_the_activator_s_wait(chain: str, runs: Traced) -> None:
    own = {each.name for each in catalog.load(chain).functions}
    waits = [
        span.duration or 0
        for trace in traces(runs, chain)
        for span in trace
        if span.name == "throttler_try" and part(span, own) == "activator"
    ]
    assert len(waits) >= CALLS
    assert max(waits) > AWAKE_US


def test_the_spans_came_by_a_real_collector_to_a_real_zipkin(runs: Traced) -> None:
    if runs.taker.instead is not None:
        pytest.skip(f"our own store took the spans: {runs.taker.instead}")
    spans = runs.runs["chained-mixed"].evidence.spans
    told = {span.tags.get("otel.library.name") or span.tags.get("otel.scope.name") for span in spans}
    assert "knative.dev/serving/pkg/queue" in told


def test_a_chain_whose_functions_send_their_spans_to_another_store_keeps_its_promises(
    images: Mapping[str, str], runs: Traced
) -> None:
    with tracing.store() as another:
        place = f"kn-bench-tests-tracing-{secrets.token_hex(3)}"
        engine = KnativeEngine(Settings(images["chained-eventing"], namespace=place, zipkin=another))
        found = asyncio.run(run(Order(catalog.load("chained-eventing"), Load(requests=40, rate=20.0)), engine)).report
    assert [each for each in found.checks if not each.passed] == []
    (check,) = [each for each in found.checks if each.name == "traced"]
    assert check.got == "40 traces complete; 40 traces with gaps that the platform left"
    assert (found.measurement.platform_traces, found.measurement.traces_complete) == ((), 40)


def test_nothing_of_the_chains_is_left(cluster: Cluster, runs: Traced) -> None:
    assert {chain: cluster.get(NAMESPACE, place) for chain, place in runs.places.items()} == dict.fromkeys(CHAINS)


def test_nothing_of_knative_began_again_while_it_was_traced(cluster: Cluster, runs: Traced) -> None:
    assert platform.containers(cluster) == runs.ran


def test_tracing_is_taken_back_without_a_trace(cluster: Cluster, runs: Traced) -> None:
    assert tracing.settings(cluster) != runs.before
    tracing.toolkit("tracing", "setup", "--undo")
    assert tracing.settings(cluster) == runs.before
    assert cluster.get(NAMESPACE, TRACING) is None
