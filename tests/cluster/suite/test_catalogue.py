"""Every benchmark that needs nothing but the toolkit, on the cluster: the same promises, kept by Knative."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

import pytest

from tests.cluster.suite import images as image_building
from tests.cluster.suite.api import NAMESPACE
from tests.cluster.suite.cluster import Cluster
from toolkit import catalog
from toolkit.engines.knative.engine import KnativeEngine
from toolkit.engines.knative.settings import Settings
from toolkit.results import Load
from toolkit.run import Order, run
from toolkit.spec.model import ChainSpec

CALLS = Load(requests=8, concurrency=2, timeout_s=60)  # the first ones meet pods that are just starting
ELSEWHERE = {"chained-serving", "chained-eventing", "chained-mixed"}  # test_engine.py runs these


def light(chain: ChainSpec) -> bool:
    """Whether an image of the toolkit's own holds all it needs: no library, no program in another language."""
    return not chain.requires and not any(each.command or each.image for each in chain.functions)


NAMES = [name for name in catalog.names() if name not in ELSEWHERE and light(catalog.load(name))]


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_keeps_its_promises_on_knative(cluster: Cluster, tmp_path: Path, name: str) -> None:
    place = f"kn-bench-tests-catalogue-{secrets.token_hex(3)}"
    engine = KnativeEngine(Settings(image_building.provide(name, tmp_path), namespace=place))
    report = asyncio.run(run(Order(catalog.load(name), CALLS), engine)).report
    assert [check for check in report.checks if not check.passed] == []
    assert (report.engine, report.measurement.ok) == ("knative", CALLS.requests)
    assert report.measurement.traces_complete == CALLS.requests
    assert "expected" in {check.name for check in report.checks}
    assert cluster.get(NAMESPACE, place) is None
