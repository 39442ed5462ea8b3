"""The recorded trace of a real cluster, with the platform's spans: who depends on whom, in a real Zipkin and here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.tracestore.asking import JSON, asking
from toolkit.engines import zipkin_client
from toolkit.engines.waiting import until
from toolkit.sdk.http1 import Client

pytestmark = [pytest.mark.zipkin, pytest.mark.timeout(150)]
RECORDED = Path(__file__).parents[1] / "unit" / "traces" / "cluster-trace.json"
TRACE = f"{0x7E57:032x}"
CALLS = {("caller", "kourier-knative"), ("producer", "kourier-knative"), ("kourier-knative", "activator")}
EVENT = {
    ("publisher", "broker"), ("broker", "subscriber"), ("publisher", "broker.ingress"),
    ("broker.ingress", "inmemorychannel-dispatcher"), ("inmemorychannel-dispatcher", "broker.filter"),
    ("broker.filter", "kourier-knative"), ("activator", "subscriber"),
}  # fmt: skip


@pytest.fixture
def spans() -> list[dict[str, Any]]:
    """Under an id, and in a time, of their own."""
    found = json.loads(RECORDED.read_text(encoding="utf-8"))
    return [{**each, "traceId": TRACE, "timestamp": each["timestamp"] - 10**15} for each in found]


async def test_the_broker_stands_between_functions_and_the_platform_beside_it(spans: list[dict[str, Any]]) -> None:
    async with asking() as here:
        await here.put(*spans)
        links = await here.json(_question(spans))
    drawn = {(each["parent"], each["child"]) for each in links}
    assert drawn >= CALLS | EVENT
    assert all(each["callCount"] > 0 and "errorCount" not in each for each in links)


async def test_a_real_zipkin_draws_the_same(zipkin_url: str, spans: list[dict[str, Any]]) -> None:
    await zipkin_client.ready(zipkin_url, within_s=90)
    client = Client()
    async with asking() as here:
        await here.put(*spans)
        body = json.dumps(spans).encode()
        taken = await client.request("POST", f"{zipkin_url}/api/v2/spans", JSON, body, timeout_s=10)
        assert taken.status == 202

        async def all_are_there() -> bool:
            found = await client.request("GET", f"{zipkin_url}/api/v2/trace/{TRACE}", timeout_s=10)
            return found.status == 200 and len(json.loads(found.body)) == len(spans)

        assert await until(all_are_there, within_s=10)
        there = await client.request("GET", zipkin_url + _question(spans), timeout_s=10)
        ours, theirs = await here.json(_question(spans)), json.loads(there.body)
    await client.close()
    assert sorted(ours, key=str) == sorted(theirs, key=str)


def _question(spans: list[dict[str, Any]]) -> str:
    times = [each["timestamp"] // 1000 for each in spans]
    return f"/api/v2/dependencies?endTs={max(times) + 1000}&lookback={max(times) - min(times) + 2000}"
