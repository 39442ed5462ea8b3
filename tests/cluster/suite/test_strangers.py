"""Strangers' programs on the cluster: in the chain's image, and in an image of their own beside the scaffold."""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.suite import images as image_building
from tests.cluster.suite.api import NAMESPACE
from tests.cluster.suite.cluster import Cluster
from tests.unit.sdk.test_stranger import PROGRAM
from toolkit import catalog
from toolkit.engines.knative.engine import KnativeEngine
from toolkit.engines.knative.settings import Settings
from toolkit.results import Load
from toolkit.run import Order, run
from toolkit.spec.model import ChainSpec

CALLS = Load(requests=8, concurrency=2, timeout_s=60)  # the first ones meet pods that are just starting
CHAIN = """
name: strange
functions:
  front: {handler: "handlers.py:front"}
  other: {command: [python3, /app/chain/program.py, $PORT]}
edges:
  - {from: front, to: other, via: call, method: helloworld.Greeter/SayHello}
"""
HANDLERS = """
async def front(ctx, request):
    return (await ctx.call(request)).message
"""


def in_the_chain_s_image(chain: ChainSpec, image: str) -> ChainSpec:
    return chain


def in_its_own_image(chain: ChainSpec, image: str) -> ChainSpec:
    """The chain's image has Python, and so can be the stranger's too."""
    front, other = chain.functions
    return dataclasses.replace(chain, functions=(front, dataclasses.replace(other, image=image)))


@pytest.mark.parametrize("placed", [in_the_chain_s_image, in_its_own_image])
def test_a_stranger_s_function_keeps_every_promise_on_knative(
    cluster: Cluster, tmp_path: Path, placed: Callable[[ChainSpec, str], ChainSpec]
) -> None:
    folder = tmp_path / "strange"
    folder.mkdir()
    (folder / "chain.yaml").write_text(CHAIN)
    (folder / "handlers.py").write_text(HANDLERS)
    (folder / "program.py").write_text(PROGRAM.replace("raw[::-1]", 'b"\\x0a\\x02hi"'))
    image = image_building.provide(str(folder), tmp_path)
    place = f"kn-bench-tests-strange-{secrets.token_hex(3)}"
    engine = KnativeEngine(Settings(image, namespace=place))
    report = asyncio.run(run(Order(placed(catalog.load(str(folder), {}), image), CALLS), engine)).report
    assert [check for check in report.checks if not check.passed] == []
    assert (report.measurement.ok, report.measurement.traces_complete) == (CALLS.requests, CALLS.requests)
    assert cluster.get(NAMESPACE, place) is None
