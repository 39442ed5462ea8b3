"""A chain behind its gateway, asked by a stock HTTP client: what the last function says is what the client gets."""

from __future__ import annotations

import concurrent.futures
import http.client
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from toolkit import catalog, plan
from toolkit.engines import zipkin_client
from toolkit.engines.local.engine import LocalDeployment, LocalEngine
from toolkit.engines.waiting import until

FORMS = ("calculator", "calculator-eventing")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


@asynccontextmanager
async def deployed(chain: str) -> AsyncIterator[LocalDeployment]:
    deployment = await LocalEngine().deploy(plan.make(catalog.load(chain), "run-1"), receipts=None)
    try:
        yield deployment
    finally:
        await deployment.delete()


def ask(
    url: str | None,
    query: str = "",
    *,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    assert url is not None
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    try:
        connection.request(method, parts.path + query, body, dict(headers or {}))
        found = connection.getresponse()
        return Answer(found.status, {key.lower(): value for key, value in found.getheaders()}, found.read())
    finally:
        connection.close()


@pytest.fixture(params=FORMS)
async def calculator(request: pytest.FixtureRequest) -> AsyncIterator[LocalDeployment]:
    async with deployed(request.param) as deployment:
        yield deployment


async def test_the_sum_of_the_issue_is_answered_with_its_status_and_content_type(calculator: LocalDeployment) -> None:
    found = ask(calculator.gateway, "?a=1&b=2&sign=%2B")
    assert (found.status, found.body) == (200, b"3")
    assert found.headers["content-type"] == "text/plain; charset=utf-8"
    assert len(found.headers["toolkit-call"]) == 32


async def test_every_answer_goes_to_the_request_that_asked_for_it(calculator: LocalDeployment) -> None:
    asked = [(a, sign) for a in range(20) for sign in "+-*/"]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda each: ask(calculator.gateway, f"?a={each[0]}&b=7&sign={quote(each[1])}"), asked))
    results = {"+": lambda a: a + 7, "-": lambda a: a - 7, "*": lambda a: a * 7, "/": lambda a: a / 7}
    for (a, sign), answer in zip(asked, found, strict=True):
        numerator, _, denominator = answer.body.decode().partition("/")
        assert int(numerator) / int(denominator or 1) == results[sign](a)


async def test_what_a_handler_refuses_has_the_status_it_chose(calculator: LocalDeployment) -> None:
    assert ask(calculator.gateway, "?a=1&b=0&sign=%2F").status == 422  # by the function that divides
    unknown = ask(calculator.gateway, "?a=1&b=2&sign=%25")  # by the entry
    assert (unknown.status, b"no sign" in unknown.body) == (400, True)
    assert ask(calculator.gateway, "?a=1&sign=%2B").status == 400
    assert ask(calculator.gateway, "?a=x&b=2&sign=%2B").status == 400


async def test_a_body_says_the_same_as_a_query(calculator: LocalDeployment) -> None:
    members = json.dumps({"a": "6", "b": "4", "sign": "/"}).encode()
    told = ask(calculator.gateway, method="POST", body=members, headers={"Content-Type": "application/json"})
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    filled = ask(calculator.gateway, method="POST", body=b"a=6&b=4&sign=%2F", headers=form)
    assert (told.status, told.body) == (filled.status, filled.body) == (200, b"3/2")


async def test_what_is_no_request_of_the_chain_is_refused_at_the_door(calculator: LocalDeployment) -> None:
    url = calculator.gateway
    json_body = {"Content-Type": "application/json"}
    assert ask(url, method="POST", body=b"{", headers=json_body).status == 400
    assert ask(url, method="POST", body=b"\xff\xfe").status == 400
    assert ask(url, "?a=%ff").status == 400
    assert ask(url, "?" + "&".join(["a=1"] * 2000)).status == 400
    assert ask(url, method="POST", body=bytes(5 << 20)).status == 413
    assert ask(url, method="TRACE").status == 405
    assert ask(url, "/elsewhere").status == 404


async def test_an_answer_that_nobody_waits_for_is_taken_all_the_same(calculator: LocalDeployment) -> None:
    event = {"ce-id": "1", "ce-source": "x", "ce-type": "y", "ce-specversion": "1.0"}
    assert ask(calculator.gateway, method="POST", body=b"3", headers=event).status == 200
    assert ask(calculator.gateway, "?a=1&b=2&sign=%2B").body == b"3"


async def test_a_client_that_leaves_leaves_nothing_behind() -> None:
    async with deployed("calculator-eventing") as deployment:
        parts = urlsplit(deployment.gateway or "")
        for _ in range(50):
            with socket.create_connection((parts.hostname or "", parts.port or 0)) as connection:
                connection.sendall(b"GET /calculate?a=1&b=2&sign=%2B HTTP/1.1\r\nHost: x\r\n\r\n")
        assert ask(deployment.gateway, "?a=2&b=2&sign=*").body == b"4"


async def test_a_request_and_all_that_it_caused_are_one_trace(calculator: LocalDeployment) -> None:
    parent = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
    assert ask(calculator.gateway, "?a=1&b=2&sign=%2B", headers=parent).status == 200

    async def together() -> bool:
        found = await zipkin_client.spans(calculator.zipkin, ["4bf92f3577b34da6a3ce929d0e0e4736"])
        return {"front", "calculate", "addition"} <= {span.service for span in found}

    assert await until(together, within_s=10)


async def test_a_chain_without_its_answer_is_told_in_time(tmp_path: Path) -> None:
    (tmp_path / "chain.yaml").write_text(
        "name: silent\nfunctions:\n  front: {gateway: /, timeout: 1s}\n"
        '  ask: {handler: "handlers.py:ask"}\n  lose: {handler: "handlers.py:lose"}\nentry: ask\nedges:\n'
        "  - {from: ask, to: lose, via: event}\n  - {from: lose, to: front, via: event, count: 0..1}\n"
    )
    (tmp_path / "handlers.py").write_text(
        "from toolkit.sdk import Invoke\nasync def ask(ctx, request):\n    return Invoke('lose', request.name)\n"
        "async def lose(ctx, message):\n    return None\n"
    )
    async with deployed(str(tmp_path)) as deployment:
        found = ask(deployment.gateway)
    assert found.status == 504
    assert b"no answer within 1 s" in found.body
