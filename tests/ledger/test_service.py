"""The ledger as a service and as a process: hostile input, its file, its end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import sys
from pathlib import Path

import pytest

from tests.ledger.running import TOKEN, ledger, spawn
from toolkit.contract import LEDGER_TOKEN
from toolkit.sdk.http1 import Request
from toolkit.sdk.ledger import LedgerClient, LedgerFailed, frames
from toolkit.sdk.ledger.database import Database
from toolkit.sdk.ledger.service import Ledger

RIGHT = {"call": "c", "task": "t", "parent": "p", "function": "f", "to": "g", "depth": 0, "most": 1}


async def status(body: bytes, path: str = "/v1/spawn", method: str = "POST", *headers: tuple[bytes, bytes]) -> int:
    return await status_at(f"/{TOKEN}{path}", method, body, *headers)


async def status_at(target: str, method: str, body: bytes = b"", *headers: tuple[bytes, bytes]) -> int:
    database = Database()
    try:
        return (await Ledger(database, TOKEN).answer(Request(method, target, headers, body))).status
    finally:
        database.close()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n",
        b"[]\n",
        b"{}\n",
        b"\xff\n",
        b"[" * 100_000 + b"\n",
        b'{"sizes":[5]}\nabc',
        b'{"sizes":[-1]}\n',
        b'{"sizes":"1"}\n',
        frames.pack({**RIGHT, "depth": -1}),
        frames.pack({**RIGHT, "depth": True}),
        frames.pack({**RIGHT, "most": 1 << 60}),
        frames.pack({**RIGHT, "call": None}),
        frames.pack({**RIGHT, "call": "x" * 2000}),
        frames.pack({**RIGHT, "call": "\ud800"}),
        frames.pack({**RIGHT, "more": 1}),
    ],
)
async def test_what_makes_no_sense_is_refused(body: bytes) -> None:
    assert await status(body) == 400


async def test_right_requests_are_answered_and_strange_ones_not_found() -> None:
    assert await status(frames.pack(RIGHT)) == 200
    assert await status_at("/healthz", "GET") == 200
    assert await status(b"", "/healthz", "GET") == 404
    assert await status(b"", "/v1/tasks?since=x", "GET") == 400
    assert await status(b"", "/v1/tasks?limit=99999999", "GET") == 200
    assert await status(b"", "/v1/nothing", "POST") == 404
    assert await status(b"", "/nothing", "GET") == 404


@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/forget"), ("GET", "/v1/tasks"), ("HEAD", "/v1/state")])
async def test_a_page_of_a_browser_sees_and_changes_nothing(method: str, path: str) -> None:
    assert await status(frames.pack({"call": "c"}), path, method, (b"Origin", b"http://evil")) == 403


@pytest.mark.parametrize(
    "token", ["", "/", "/x", f"/{TOKEN[:-1]}", f"/{TOKEN}x", "//", "/\xff", f"/{TOKEN.upper()}", "/."]
)
async def test_who_does_not_know_the_token_finds_nothing(token: str) -> None:
    assert await status_at(f"{token}/v1/state", "GET") == 404
    assert await status_at(f"{token}/v1/tasks?since=0", "GET") == 404
    assert await status_at(f"{token}/v1/forget", "POST", frames.pack({"call": "c"})) == 404


def test_a_ledger_without_a_token_is_none() -> None:
    database = Database()
    with pytest.raises(ValueError, match="would answer anybody"):
        Ledger(database, "")
    database.close()


async def test_no_error_tells_the_token() -> None:
    client = LedgerClient("http://someone:word@127.0.0.1:1/secret-token", patience_s=0.01)
    with pytest.raises(LedgerFailed, match=r"http://127\.0\.0\.1:1 does not answer") as failed:
        await client.state()
    assert "secret-token" not in str(failed.value)
    assert "word" not in str(failed.value)
    await client.close()


async def test_a_wrong_token_is_told_at_once() -> None:
    async with ledger() as right:
        client = LedgerClient(right.url.replace(TOKEN, "guess"))
        with pytest.raises(LedgerFailed, match="no ledger of ours") as failed:
            await client.changes()
        assert (failed.value.code, "guess" in str(failed.value)) == ("INTERNAL", False)
        await client.close()


async def test_a_full_file_is_told_and_nothing_is_half_done(tmp_path: Path) -> None:
    database = Database(tmp_path / "ledger", most_bytes=256 << 10)
    async with ledger(database, patience_s=0.1) as client:
        await spawn(client, "t")
        with pytest.raises(LedgerFailed, match="full"):
            await client.finish("c", "t", None, bytes(1 << 20))
        assert (await client.state())["open"] == 1


async def test_a_ledger_that_is_not_there_is_unavailable_once_patience_ends() -> None:
    client = LedgerClient("http://127.0.0.1:1", patience_s=0.05)
    with pytest.raises(LedgerFailed, match=r"http://127\.0\.0\.1:1 does not answer") as failed:
        await client.state()
    assert failed.value.code == "UNAVAILABLE"
    await client.close()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    path.write_bytes(b"something else" * 100)
    with pytest.raises(sqlite3.DatabaseError):
        Database(path)


async def start(*arguments: str, token: str = TOKEN) -> tuple[asyncio.subprocess.Process, int]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "toolkit.sdk.ledger", *arguments),
        env={**os.environ, LEDGER_TOKEN: token},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    return process, json.loads(await process.stdout.readline())["ready"]["port"]


async def test_a_killed_ledger_goes_on_where_it_was_and_its_clients_wait(tmp_path: Path) -> None:
    file = str(tmp_path / "ledger")
    process, port = await start("--database", file)
    client = LedgerClient(f"http://127.0.0.1:{port}/{TOKEN}")
    await spawn(client, "t")
    await client.begin("c", "t", "g", "1")
    process.send_signal(signal.SIGKILL)
    await process.wait()
    asked = asyncio.create_task(client.finish("c", "t", None, b"found"))
    process, _ = await start("--database", file, "--listen", f"127.0.0.1:{port}")
    assert (await asked).state == "done"
    assert await client.results("c") == [("t", None, b"found")]
    await client.close()
    process.terminate()
    assert await process.wait() == os.EX_OK


async def test_a_process_that_is_told_no_token_draws_one_and_tells_it() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "toolkit.sdk.ledger"),
        env={**os.environ, LEDGER_TOKEN: ""},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    ready = json.loads(await process.stdout.readline())["ready"]
    client = LedgerClient(f"http://127.0.0.1:{ready['port']}/{ready['token']}")
    assert len(ready["token"]) == 32
    assert (await client.state())["open"] == 0
    await client.close()
    process.terminate()
    await process.wait()


async def test_the_ledger_leaves_with_its_parent() -> None:
    process, _ = await start("--follow-stdin")
    assert process.stdin is not None
    process.stdin.close()
    assert await process.wait() == os.EX_OK


async def test_a_port_that_is_taken_has_its_own_status() -> None:
    first, port = await start()
    second = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "toolkit.sdk.ledger", "--listen", f"127.0.0.1:{port}"),
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert await second.wait() == 98
    first.terminate()
    await first.wait()
