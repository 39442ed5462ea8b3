from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.tracestore.asking import wire
from toolkit.contract import EXIT_PORT_TAKEN
from toolkit.engines import zipkin_client
from toolkit.engines.tracestore import address
from toolkit.errors import EngineError, Exit
from toolkit.sdk.http1 import Client

MODULE = "toolkit.engines.tracestore"
Process = asyncio.subprocess.Process


@contextlib.asynccontextmanager
async def started(*arguments: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", MODULE, *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def told(process: Process) -> Any:
    assert process.stdout is not None
    async with asyncio.timeout(20):
        return json.loads(await process.stdout.readline())


async def url(process: Process) -> str:
    ready = (await told(process))["ready"]
    return f"http://{ready['host']}:{ready['port']}"


async def post(base: str, *spans: dict[str, Any]) -> None:
    client = Client()
    headers = ((b"Content-Type", b"application/json"),)
    answer = await client.request(
        "POST", zipkin_client.spans_url(base), headers, json.dumps(spans).encode(), timeout_s=10
    )
    await client.close()
    assert answer.status == 202


async def left(process: Process) -> tuple[int | None, str]:
    async with asyncio.timeout(20):
        _, errors = await process.communicate()
    return process.returncode, errors.decode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_process_serves_on_loopback_until_it_is_told_to_stop(number: signal.Signals) -> None:
    async with started() as process:
        base = await url(process)
        assert base.startswith("http://127.0.0.1:")
        await post(base, wire(1))
        process.send_signal(number)
        assert await left(process) == (Exit.OK, "")


async def test_the_process_leaves_when_stdin_ends_if_it_was_told_to_follow_it() -> None:
    async with started("--follow-stdin") as process:
        await zipkin_client.ready(await url(process))
        assert process.stdin is not None
        process.stdin.close()
        assert await left(process) == (Exit.OK, "")


async def test_the_file_survives_a_kill(tmp_path: Path) -> None:
    file = str(tmp_path / "spans.db")
    async with started("--store", file) as process:
        await post(await url(process), wire(1))
        process.kill()
        await left(process)
    async with started("--store", file) as process:
        found = await zipkin_client.spans(await url(process), [wire(1)["traceId"]])
        assert [span.id for span in found] == [wire(1)["id"]]


async def test_a_full_store_is_an_incident() -> None:
    async with started("--max-spans", "1") as process:
        await post(await url(process), wire(1), wire(2))
        incident = (await told(process))["incident"]
        assert (incident["kind"], incident["subject"]) == ("warning", "trace store")
        assert "forgotten" in incident["text"]


async def test_a_port_that_is_taken_has_a_status_of_its_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with started("--listen", f"127.0.0.1:{port}") as process:
            status, errors = await left(process)
    assert status == EXIT_PORT_TAKEN
    assert errors.startswith(f"cannot listen on 127.0.0.1:{port}: ")
    assert "Traceback" not in errors


async def test_a_file_that_is_something_else_ends_the_process_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("something else\n")
    async with started("--store", str(tmp_path / "other")) as process:
        status, errors = await left(process)
    assert status == Exit.ENGINE
    assert "other is no trace store: it holds something else" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0", ("127.0.0.1", 0)),
        (":9411", ("127.0.0.1", 9411)),
        ("localhost:1", ("localhost", 1)),
        ("0.0.0.0:9411", ("0.0.0.0", 9411)),
        ("[::1]:9411", ("::1", 9411)),
    ],
)
def test_who_names_no_host_listens_on_loopback(text: str, wanted: tuple[str, int]) -> None:
    assert address(text) == wanted


@pytest.mark.parametrize("text", ["", "localhost", "127.0.0.1:", "1.2.3.4:65536", "h:-1", "h:٣", "http://h:x"])
def test_an_address_without_a_port_is_refused(text: str) -> None:
    with pytest.raises(EngineError) as caught:
        address(text)
    assert caught.value.next_step == "write HOST:PORT, such as 127.0.0.1:9411"
