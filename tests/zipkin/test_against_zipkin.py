"""Our store and a real Zipkin server, given the same spans and asked the same questions."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import pytest_asyncio

from tests.tracestore.asking import JSON, NOW_US, Asking, asking, wire
from tests.unit.traces.made import mixed
from toolkit.engines import zipkin_client
from toolkit.engines.waiting import until
from toolkit.sdk.http1 import Response

pytestmark = [pytest.mark.zipkin, pytest.mark.timeout(120)]
END = NOW_US // 1000 + 60_000  # milliseconds, after everything
START_WITHIN_S = 90.0


class Both:
    """The real one and ours."""

    def __init__(self, url: str, ours: Asking) -> None:
        self._url, self._ours = url, ours

    async def post(self, body: bytes) -> tuple[Response, Response]:
        headers = JSON if body else ()
        real = await self._ours.client.request("POST", self._url + "/api/v2/spans", headers, body, timeout_s=10)
        return real, await self._ours.post(body)

    async def put(self, *spans: dict[str, Any]) -> None:
        real, ours = await self.post(json.dumps(spans).encode())
        assert (real.status, ours.status) == (202, 202)
        await self.shown(spans)

    async def shown(self, spans: Sequence[dict[str, Any]]) -> None:
        """Return once the real one shows the last of these spans: it answers before it has stored them."""

        async def is_shown() -> bool:
            answer = await self._ours.client.request("GET", f"{self._url}/api/v2/trace/{spans[-1]['traceId']}")
            return answer.status == 200 and len(json.loads(answer.body)) >= len({json.dumps(each) for each in spans})

        assert await until(is_shown, within_s=10)

    async def get(self, path: str) -> tuple[Response, Response]:
        real = await self._ours.client.request("GET", self._url + path, timeout_s=10)
        return real, await self._ours.get(path)

    async def json(self, path: str) -> tuple[Any, Any]:
        """What both answer. Spans of one trace, and traces of one moment, have no order that anyone may rely on."""
        real, ours = await self.get(path)
        assert real.status == ours.status == 200, (path, real.body, ours.body)
        return ordered(json.loads(real.body)), ordered(json.loads(ours.body))


def ordered(found: Any) -> Any:
    return sorted(map(ordered, found), key=json.dumps) if isinstance(found, list) else found


@pytest_asyncio.fixture
async def both(zipkin_url: str) -> AsyncIterator[Both]:
    await zipkin_client.ready(zipkin_url, within_s=START_WITHIN_S)
    async with asking() as ours:
        yield Both(zipkin_url, ours)


def drawn(draw: random.Random, trace: int, spans: int) -> list[dict[str, Any]]:
    """A trace of calls and messages among a few services: parents first, some shared, failed, lost or out of time."""
    made: list[dict[str, Any]] = []
    for number in range(1, spans + 1):
        above = draw.choice(made) if made else None
        kind = draw.choice(["CLIENT", "SERVER", "PRODUCER", "CONSUMER", None])
        span = wire(trace, number, kind=kind, name=draw.choice(["Get", "post", None]), duration=draw.randint(0, 5000))
        span["timestamp"] = NOW_US + draw.randint(0, 10_000_000)
        span["localEndpoint"] = {"serviceName": f"{draw.choice('abcd')}{trace}"}
        if above is not None:
            span["parentId"] = draw.choice([above["id"], above["id"], above["id"], f"{number + 500:016x}"])
        if draw.random() < 0.4:
            span["remoteEndpoint"] = {"serviceName": f"{draw.choice('abcdxy')}{trace}", "ipv4": "10.0.0.1", "port": 80}
        if draw.random() < 0.2:
            span["tags"] = {"error": draw.choice(["", "x"]), "http.method": "GET"}
        made.append({key: value for key, value in span.items() if value is not None})
        if kind == "CLIENT" and draw.random() < 0.3:
            half = {**made[-1], "kind": "SERVER", "localEndpoint": {"serviceName": f"s{trace}"}, "shared": True}
            made.append(half)
    return made


def test_the_generator_makes_what_it_says() -> None:
    spans = drawn(random.Random(1), 1, 30)
    assert {span.get("kind") for span in spans} == {"CLIENT", "SERVER", "PRODUCER", "CONSUMER", None}
    assert any(span.get("shared") for span in spans)


async def test_what_was_stored_is_answered_alike(both: Both) -> None:
    traces = [drawn(random.Random(seed), 1000 + seed, 12) for seed in range(20)]
    for spans in traces:
        await both.put(*spans, *spans[:3])
    for spans in traces:
        real, ours = await both.json(f"/api/v2/trace/{spans[0]['traceId']}")
        assert ours == real
    ids = ",".join(spans[0]["traceId"] for spans in traces)
    real, ours = await both.json(f"/api/v2/traceMany?traceIds={ids}")
    assert ours == real
    assert len(real) == 20


async def test_names_are_answered_alike(both: Both) -> None:
    spans = drawn(random.Random(7), 2000, 40)
    await both.put(*spans)
    for service in (f"{letter}2000" for letter in "abcdsx"):
        for path in (f"/api/v2/spans?serviceName={service}", f"/api/v2/remoteServices?serviceName={service.upper()}"):
            real, ours = await both.json(path)
            assert ours == real
    real, ours = await both.json("/api/v2/services")
    assert set(ours) <= set(real)
    assert {span["localEndpoint"]["serviceName"] for span in spans} == set(ours)


@pytest.mark.parametrize("seed", range(40))
async def test_dependencies_are_drawn_alike(both: Both, seed: int) -> None:
    spans = drawn(random.Random(seed), 3000 + seed, 2 + seed % 15)
    await both.put(*spans)
    real, ours = await both.json(f"/api/v2/dependencies?endTs={END}&lookback={END}")
    mine = [link for link in real if link["parent"].endswith(str(3000 + seed))]
    assert ours == mine


@pytest.mark.parametrize(
    "query",
    [
        "serviceName=a4000",
        "serviceName=a4000&spanName=GET",
        "serviceName=b4000&remoteServiceName=x4000",
        "serviceName=c4000&annotationQuery=error",
        "serviceName=c4000&annotationQuery=error=x",
        "serviceName=d4000&annotationQuery=http.method=GET%20and%20error",
        "serviceName=a4000&minDuration=4000",
        "serviceName=a4000&minDuration=1000&maxDuration=1500",
        "serviceName=a4000&lookback=5000",
        "serviceName=nobody",
    ],
)
async def test_searches_find_alike(both: Both, query: str) -> None:
    traces = [drawn(random.Random(seed), 4000, 4) for seed in range(15)]
    for at, spans in enumerate(traces):
        await both.put(*({**span, "traceId": f"{(1 << 90) + 4000 + at:032x}"} for span in spans))
    for end in (NOW_US // 1000 + 3000, END):
        real, ours = await both.json(f"/api/v2/traces?limit=1000&endTs={end}&lookback=100000&{query}")
        assert ours == real


ODD: list[dict[str, Any]] = [
    {"name": None}, {"name": ""}, {"name": 5}, {"name": "ÄÖİß"}, {"name": "\u0000\u2028</script>\""},
    {"traceId": "abc"}, {"traceId": "1" * 17}, {"traceId": "0" * 16 + "9" * 16}, {"traceId": 77},
    {"traceId": "A" * 32}, {"traceId": ""}, {"traceId": "0" * 32}, {"traceId": "1" * 33}, {"traceId": None},
    {"traceId": {}},
    {"id": 5}, {"id": "AB"}, {"id": ""}, {"id": "0" * 16}, {"id": None}, {"id": []}, {"id": "1" * 17},
    {"parentId": "0"}, {"parentId": "1"}, {"parentId": "2"}, {"parentId": ""}, {"parentId": "XYZ"}, {"parentId": None},
    {"kind": None}, {"kind": "FOO"}, {"kind": "client"}, {"kind": 5}, {"kind": "CLIENT", "shared": True},
    {"kind": "SERVER", "shared": True, "debug": True}, {"shared": "true"}, {"shared": None}, {"debug": False},
    {"debug": 1},
    {"timestamp": -5}, {"timestamp": "17"}, {"timestamp": 1.5}, {"timestamp": None}, {"timestamp": 2**70},
    {"timestamp": 0},
    {"timestamp": True}, {"duration": 0}, {"duration": "x"}, {"duration": 1e3}, {"duration": []},
    {"localEndpoint": {}}, {"localEndpoint": None}, {"localEndpoint": {"serviceName": ""}}, {"localEndpoint": "x"},
    {"localEndpoint": {"ipv4": "1.2.3.4", "port": 80}},
    {"localEndpoint": {"serviceName": "A", "ipv4": "bad", "ipv6": "::1"}},
    {"localEndpoint": {"port": 70000}}, {"localEndpoint": {"port": -1}}, {"localEndpoint": {"port": 0}},
    {"localEndpoint": {"ipv6": "1::0001"}}, {"localEndpoint": {"ipv6": "::ffff:1.2.3.4"}},
    {"localEndpoint": {"port": "80"}},
    {"localEndpoint": {"ipv6": "2001:DB8::8:800:200c:417A"}}, {"localEndpoint": {"ipv4": "1.2.3.256"}},
    {"localEndpoint": {"ipv4": "::1"}}, {"localEndpoint": {"serviceName": None, "x": {}}}, {"remoteEndpoint": []},
    {"tags": {"a": "b", "A": 5}}, {"tags": {"a": 1.50}}, {"tags": {"a": None}}, {"tags": {"a": True}},
    {"tags": {"a": {}}},
    {"tags": []}, {"tags": None}, {"tags": {"z": "1", "a": "2"}}, {"tags": {"": ""}}, {"tags": {"x": "\ud800"}},
    {"annotations": [{"timestamp": 2, "value": "b"}, {"timestamp": 1, "value": "c"}, {"timestamp": 2, "value": "b"}]},
    {"annotations": [{"timestamp": 2}]}, {"annotations": [{"value": "x"}]}, {"annotations": None},
    {"annotations": [{"timestamp": 2, "value": None}]}, {"annotations": [{"timestamp": -3, "value": "x"}]},
    {"annotations": {}}, {"annotations": [None]}, {"annotations": [{"timestamp": "12", "value": 1, "endpoint": {}}]},
    {"unknown": {"a": [1, {"b": None}]}}, {"binaryAnnotations": []},
]  # fmt: skip


@pytest.mark.parametrize("at", range(len(ODD)))
async def test_an_odd_span_is_taken_or_refused_and_normalised_alike(both: Both, at: int) -> None:
    span = {**wire(5000 + at, parentId="2"), **ODD[at]}
    real, ours = await both.post(json.dumps([span]).encode())
    assert ours.status == real.status, (real.body, ours.body)
    if ours.status == 202:
        await both.shown([span])
        asked = await both.json(f"/api/v2/trace/{span['traceId']}")
        assert asked[1] == asked[0]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b"null", b"[", b"[null]", b"[5]", b"[[]]", b"xx", b"\xff\xfe", b"[{}]"]
)
async def test_an_odd_body_is_taken_or_refused_alike(both: Both, body: bytes) -> None:
    real, ours = await both.post(body)
    assert ours.status == real.status


@pytest.mark.parametrize(
    "path",
    [
        "/api/v2/trace/zz",
        "/api/v2/trace/99999",
        "/api/v2/trace/" + "1" * 33,
        "/api/v2/traceMany",
        "/api/v2/traceMany?traceIds=",
        "/api/v2/traceMany?traceIds=1",
        "/api/v2/traceMany?traceIds=1,1",
        "/api/v2/traceMany?traceIds=98,,99",
        "/api/v2/traceMany?traceIds=98,zz",
        "/api/v2/traceMany?traceIds=999998,999999",
        "/api/v2/traces?limit=0",
        "/api/v2/traces?limit=x",
        "/api/v2/traces?endTs=0",
        "/api/v2/traces?lookback=0",
        "/api/v2/traces?minDuration=0",
        "/api/v2/traces?maxDuration=5",
        "/api/v2/traces?minDuration=9&maxDuration=5",
        *(f"/api/v2/{path}{name}={number}"
          for path in ("traces?", "dependencies?endTs=1&", "traces?minDuration=1&", "traces?serviceName=a&")
          for name in ("endTs", "lookback", "limit", "minDuration", "maxDuration")
          for number in ((1 << 31) - 1, 1 << 31, (1 << 63) - 1, 1 << 63, 10**19 - 1, 10**25)),
        f"/api/v2/dependencies?endTs={(1 << 63) - 1}",
        f"/api/v2/dependencies?endTs={1 << 63}",
        f"/api/v2/dependencies?endTs={(1 << 63) - 1}&lookback={(1 << 63) - 1}",
        f"/api/v2/traces?endTs={(1 << 63) - 1}&lookback=1000",
        "/api/v2/spans",
        "/api/v2/remoteServices",
        "/api/v2/dependencies",
        "/api/v2/dependencies?endTs=0",
        "/api/v2/dependencies?endTs=1",
        "/api/v2/autocompleteKeys",
        "/api/v2/autocompleteValues",
        "/api/v2/autocompleteValues?key=x",
        "/api/v2/nope",
        "/zipkin/api/v2/services",
        "/health",
    ],
)  # fmt: skip
async def test_a_question_is_answered_or_refused_alike(both: Both, path: str) -> None:
    real, ours = await both.get(path)
    assert ours.status == real.status, (real.body, ours.body)


async def test_the_client_brings_spans_to_the_real_one_and_back(zipkin_url: str) -> None:
    await zipkin_client.ready(zipkin_url, within_s=START_WITHIN_S)
    spans = mixed().spans
    await zipkin_client.send(zipkin_url, spans)
    for ids in ([spans[0].trace], [spans[0].trace, "abcdef"]):
        found = await zipkin_client.spans(zipkin_url, ids)
        assert sorted(found, key=lambda each: each.id) == sorted(spans, key=lambda each: each.id)
