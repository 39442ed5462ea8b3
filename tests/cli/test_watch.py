"""`toolkit watch`: what it follows, how it finds it, and when it ends."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.ledger.running import ledger, spawn
from tests.ledger.test_pages import TASK
from toolkit.engines.local.announcing import announce
from toolkit.sdk.http1 import Request, Response, Server, serve
from toolkit.sdk.ledger import LedgerClient

WATCH = (sys.executable, "-m", "toolkit.cli", "watch")


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[LedgerClient]:
    """Of a ledger that a deployment in `tmp_path` has announced."""
    async with ledger() as found:
        folder = tmp_path / "toolkit-here"
        folder.mkdir()
        announce(folder, "counter", "counter-20260101-000000-abcdef", found.url)
        yield found


async def watch(folder: Path, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(*WATCH, *arguments),
        env={"TMPDIR": str(folder), "PATH": "/usr/bin:/bin", "PYTHONUTF8": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def ended(process: asyncio.subprocess.Process) -> tuple[int | None, str, str]:
    out, errors = await asyncio.wait_for(process.communicate(), 60)
    assert b"Traceback" not in errors
    return process.returncode, out.decode(), errors.decode()


@pytest.mark.parametrize("name", [(), ("counter",), ("counter-20260101-000000-abcdef",)])
async def test_it_finds_what_runs_here_and_ends_when_all_is_done(
    client: LedgerClient, tmp_path: Path, name: tuple[str, ...]
) -> None:
    await spawn(client, "t")
    await client.begin("c", "t", "g", "1")
    process = await watch(tmp_path, *name)
    assert process.stdout is not None
    assert b"running 1" in await process.stdout.readline()
    await client.finish("c", "t")
    status, out, _ = await ended(process)
    assert (status, out.splitlines()[-1].partition(" │ ")[0]) == (0, "g: done 1")


async def test_json_tells_each_change_of_a_task(client: LedgerClient, tmp_path: Path) -> None:
    await spawn(client, "t")
    await client.finish("c", "t")
    status, out, _ = await ended(await watch(tmp_path, client.url, "-o", "json"))
    (line,) = out.splitlines()
    assert (status, json.loads(line)["state"], json.loads(line)["parent"]) == (0, "done", "m")


async def test_the_tree_shows_who_spawned_whom_and_a_failure_is_an_exit_status(
    client: LedgerClient, tmp_path: Path
) -> None:
    await spawn(client, "parent")
    await spawn(client, "child", parent="parent")
    await client.fail("c", "child", "it broke")
    await client.finish("c", "parent")
    status, out, _ = await ended(await watch(tmp_path, "counter", "--tree"))
    assert status == 4
    *_, call, parent, child = out.splitlines()
    assert call == "call c"
    assert parent.startswith("  ✓ parent g ")
    assert child.startswith("    ✗ child g ")


async def test_a_call_is_cancelled_by_how_its_id_begins(client: LedgerClient, tmp_path: Path) -> None:
    await spawn(client, "t", call="abc")
    await spawn(client, "t", call="xyz")
    await client.finish("xyz", "t")
    status, _, errors = await ended(await watch(tmp_path, "counter", "--cancel", "ab"))
    assert (status, "1 task cancelled" in errors) == (0, True)
    assert await client.stopped("abc")
    assert not await client.stopped("xyz")


async def test_a_call_that_nobody_knows_is_not_cancelled(client: LedgerClient, tmp_path: Path) -> None:
    await spawn(client, "t", call="abc")
    status, _, errors = await ended(await watch(tmp_path, "counter", "--cancel", "zz"))
    assert (status, "calls that begin so: none" in errors) == (2, True)


async def test_ctrl_c_ends_it(client: LedgerClient, tmp_path: Path) -> None:
    await spawn(client, "t")
    process = await watch(tmp_path)
    assert process.stdout is not None
    await process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert (await ended(process))[0] == 130


async def test_a_ledger_that_is_not_there_is_told(tmp_path: Path) -> None:
    status, _, errors = await ended(await watch(tmp_path, "http://127.0.0.1:1"))
    assert (status, "http://127.0.0.1:1 does not answer" in errors) == (3, True)


async def answering(body: bytes) -> Server:
    """A web server that is no ledger: the same page, whatever is asked."""

    async def same(request: Request) -> Response:
        return Response(200, (), body if "since=0" in request.target or b"loop" in body else b'{"tasks": []}')

    return await serve(same, "127.0.0.1", 0)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<html>", "its page is no JSON"),
        (json.dumps({"tasks": [{**TASK, "state": "weird"}]}).encode(), "state is none that a task can have"),
        (json.dumps({"tasks": [{**TASK, "task": "loop"}]}).encode(), "its versions do not rise"),
    ],
)
@pytest.mark.parametrize("more", [(), ("--cancel", "c")])
async def test_what_is_no_ledger_is_told_without_ado(
    tmp_path: Path, body: bytes, why: str, more: tuple[str, ...]
) -> None:
    server = await answering(body)
    status, _, errors = await ended(await watch(tmp_path, f"http://127.0.0.1:{server.port}/secret", *more))
    await server.close()
    assert (status, why in errors, "bug" in errors, "secret" in errors) == (3, True, False, False)


@pytest.mark.parametrize("form", [("--tree",), ("-o", "json")])
async def test_no_name_of_a_stranger_s_moves_the_cursor(tmp_path: Path, form: tuple[str, ...]) -> None:
    evil = {**TASK, "task": "\x1b]0;t\x07", "call": "\x1b[31m", "receiver": "g\x1b[2J"}
    server = await answering(json.dumps({"tasks": [evil]}).encode())
    status, out, errors = await ended(await watch(tmp_path, f"http://127.0.0.1:{server.port}/x", *form))
    await server.close()
    assert (status, "\x1b" in out + errors, "\x07" in out) == (0, False, False)


@pytest.mark.parametrize("url", ["http://", "http://host:99999/", "http://[::1", "http://h/\x1b[31m", "https://"])
async def test_a_url_that_is_none_is_told(tmp_path: Path, url: str) -> None:
    status, _, errors = await ended(await watch(tmp_path, url))
    assert (status, "bug" in errors, "\x1b" in errors) == (2, False, False)


async def test_a_note_that_cannot_be_read_is_none(client: LedgerClient, tmp_path: Path) -> None:
    for number, text in enumerate(("", "[]", "{}", '{"chain": "counter"}')):
        folder = tmp_path / f"toolkit-{number}"
        folder.mkdir()
        (folder / "ledger.json").write_text(text)
    await spawn(client, "t")
    await client.finish("c", "t")
    assert (await ended(await watch(tmp_path, "counter")))[0] == 0
