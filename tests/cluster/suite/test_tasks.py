"""Tasks on the cluster: the ledger comes up before the functions, knows every task, and leaves with its run."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from pathlib import Path

import pytest

from tests.cluster.suite import images as image_building
from tests.cluster.suite.cluster import Cluster
from toolkit import catalog
from toolkit.contract import LEDGER
from toolkit.engines.knative.connection import Cluster as Where
from toolkit.engines.knative.connection import connect
from toolkit.engines.knative.engine import KnativeEngine
from toolkit.engines.knative.kinds import DEPLOYMENT, K8S_SERVICE
from toolkit.engines.knative.settings import Settings
from toolkit.results import Load
from toolkit.run import Order, Outcome, run

ONE = Load(requests=1, concurrency=1, timeout_s=60)


@pytest.mark.parametrize(("chain", "parameters"), [("counter", {"limit": "50"}), ("quicksort", {"size": "5000"})])
def test_every_task_is_done_once_and_the_ledger_leaves_with_its_run(
    cluster: Cluster, tmp_path: Path, chain: str, parameters: dict[str, str]
) -> None:
    image, namespace = image_building.provide(chain, tmp_path), f"kn-bench-tests-tasks-{secrets.token_hex(3)}"
    order = Order(catalog.load(chain, parameters), ONE)

    async def ran() -> Outcome:
        return await run(order, KnativeEngine(Settings(image, namespace=namespace)))

    async def left() -> list[object]:
        async with connect(Where()) as api:
            return [each for kind in (DEPLOYMENT, K8S_SERVICE) if (each := await api.see(kind, LEDGER, namespace))]

    found = asyncio.run(ran())
    assert found.report.passed, [check for check in found.report.checks if not check.passed]
    assert found.evidence.tasks is not None
    assert Counter(each.state for each in found.evidence.tasks).keys() == {"done"}
    assert len(found.evidence.tasks) >= (50 if chain == "counter" else 3)
    assert asyncio.run(left()) == []
