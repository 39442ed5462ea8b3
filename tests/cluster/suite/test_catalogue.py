"""Every benchmark that needs nothing but the toolkit, on the cluster: the same promises, kept by Knative."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.cluster.suite import images as image_building
from tests.cluster.suite.api import NAMESPACE
from tests.cluster.suite.cluster import Cluster
from toolkit import catalog
from toolkit.engines.knative.engine import KnativeEngine
from toolkit.engines.knative.settings import Settings
from toolkit.results import Load, Report
from toolkit.run import Order, run
from toolkit.spec.model import ChainSpec

CALLS = Load(requests=8, concurrency=2, timeout_s=60)  # the first ones meet pods that are just starting
ELSEWHERE = {"chained-serving", "chained-eventing", "chained-mixed"}  # test_engine.py runs these
AT_ONCE = 2  # chains: most of the time of one is spent on waiting for its pods
PREFIX = "kn-bench-tests-catalogue"


def light(chain: ChainSpec) -> bool:
    """Whether an image of the toolkit's own holds all it needs: no library, no program in another language."""
    return not chain.requires and not any(each.command or each.image for each in chain.functions)


NAMES = [name for name in catalog.names() if name not in ELSEWHERE and light(catalog.load(name))]


@pytest.fixture(scope="module")
def reports(
    request: pytest.FixtureRequest, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Report | BaseException]:
    """Of the benchmarks that were asked for, by name: what its run told, or how it ended."""
    asked = {each.name.partition("[")[2].rstrip("]") for each in request.session.items}
    wanted = [name for name in NAMES if name in asked]
    return asyncio.run(_reports(wanted, tmp_path_factory.mktemp("images")))


async def _reports(names: Sequence[str], folder: Path) -> Mapping[str, Report | BaseException]:
    room = asyncio.Semaphore(AT_ONCE)

    async def one(name: str) -> Report:
        async with room:
            image = await asyncio.to_thread(image_building.provide, name, folder)
            engine = KnativeEngine(Settings(image, namespace=f"{PREFIX}-{secrets.token_hex(3)}"))
            return (await run(Order(catalog.load(name), CALLS), engine)).report

    found = await asyncio.gather(*(one(name) for name in names), return_exceptions=True)
    return dict(zip(names, found, strict=True))


@pytest.mark.timeout(3000)  # whoever is first waits for all
@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_keeps_its_promises_on_knative(reports: Mapping[str, Report | BaseException], name: str) -> None:
    report = reports[name]
    if isinstance(report, BaseException):
        raise report
    assert [check for check in report.checks if not check.passed] == []
    assert (report.engine, report.measurement.ok) == ("knative", CALLS.requests)
    assert report.measurement.traces_complete == CALLS.requests
    assert "expected" in {check.name for check in report.checks}


def test_nothing_of_a_benchmark_is_left(reports: Mapping[str, Report | BaseException], cluster: Cluster) -> None:
    left = [each["metadata"]["name"] for each in cluster.list(NAMESPACE, None)]
    assert [name for name in left if name.startswith(PREFIX)] == []
