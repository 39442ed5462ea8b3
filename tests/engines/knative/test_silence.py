"""What a platform that should trace and was not heard is told as."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.engines.knative.fake import FakeCluster
from tests.unit.traces.recorded import COLD, EVENT
from toolkit import catalog
from toolkit import plan as plans
from toolkit.engines.knative.deployment import KnativeDeployment
from toolkit.engines.knative.observability import Told
from toolkit.engines.knative.settings import Audience, Settings
from toolkit.engines.knative.silence import unheard
from toolkit.traces.model import Span

STORE = "http://zipkin.kn-bench-tracing.svc.cluster.local:9411"
COLLECTOR = "http://otel-collector.kn-bench-tracing.svc.cluster.local:4318/v1/traces"
ON = Told("http/protobuf", COLLECTOR, "1")
OFF = Told("none", "", "0")
PLACES = ("knative-serving/config-observability", "knative-eventing/config-observability")
OWN = Span(trace="a" * 32, id="b" * 16, parent=None, name="say", kind="SERVER", service="tz", timestamp=1)


def said(serving: Told, eventing: Told, spans: list[Span], *, events: bool = True, traces: int = 20) -> list[str]:
    told = dict(zip(PLACES, (serving, eventing), strict=True))
    return list(unheard(told, spans, traces, ["tz"], STORE, events=events))


def test_whoever_was_told_to_trace_and_is_heard_is_no_matter() -> None:
    assert said(ON, ON, [OWN, *EVENT]) == []


def test_a_platform_that_was_told_nothing_may_be_silent() -> None:
    assert said(OFF, OFF, [OWN]) == []


def test_each_part_that_was_told_and_is_silent_is_named_with_its_configmap() -> None:
    serving, eventing = said(ON, ON, [OWN])
    assert serving == (
        "knative-serving/config-observability has the platform send its spans, and of its queue-proxies none is in any "
        "of 20 traces: 'toolkit doctor' tells what may be in the way"
    )
    assert "knative-eventing/config-observability" in eventing
    assert "of its broker none" in eventing


def test_a_function_s_own_spans_are_no_platform_s() -> None:
    assert len(said(ON, OFF, [OWN])) == 1


def test_a_cold_call_s_spans_prove_serving_and_not_eventing() -> None:
    (line,) = said(ON, ON, [OWN, *COLD])
    assert "knative-eventing" in line


def test_without_events_no_broker_is_missed() -> None:
    assert said(ON, ON, [OWN, *COLD], events=False) == []


def test_where_nothing_was_sampled_nothing_is_missed() -> None:
    assert said(ON, ON, [], traces=0) == []


@pytest.mark.parametrize("elsewhere", ["http://jaeger.observability:4318/v1/traces", "http://[bad", "nonsense"])
def test_spans_that_go_elsewhere_are_told_with_both_places(elsewhere: str) -> None:
    (line,) = said(Told("http/protobuf", elsewhere, "1"), OFF, [OWN])
    assert f"they go to {elsewhere} and the functions' to {STORE}; 'toolkit tracing setup' brings them together" in line


def test_the_old_age_s_zipkin_is_the_same_store() -> None:
    (line,) = said(Told("zipkin", f"{STORE}/api/v2/spans", "1"), OFF, [OWN])
    assert line.endswith("in any of 20 traces: 'toolkit doctor' tells what may be in the way")


class Store:
    """Takes spans, and has none of the platform's."""

    url, shared, incidents = STORE, False, ()

    def __init__(self) -> None:
        self.kept: list[Span] = []

    async def send(self, spans: Sequence[Span]) -> None:
        self.kept += spans

    async def of(self, traces: Sequence[str]) -> list[Span]:
        return self.kept


async def test_a_run_says_it_once_and_keeps_what_it_has() -> None:
    plan = plans.make(catalog.load("chained-serving", {}), "silent-run")
    notes: list[str] = []
    store: Any = Store()
    told = dict(zip(PLACES, (ON, ON), strict=True))
    audience = Audience(note=notes.append)
    deployment = KnativeDeployment(plan, FakeCluster().api, "space", Settings(), audience, store, told=told)
    assert deployment.traces_have_gaps
    functions = [replace(OWN, id=f"{number:016x}", service="producer") for number in range(plans.spans(plan.chain))]
    assert await deployment.spans({OWN.trace: len(functions) - 1}, functions) == functions
    (line,) = notes
    assert "knative-serving/config-observability" in line
