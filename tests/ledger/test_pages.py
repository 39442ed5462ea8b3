"""Pages of what may be no ledger at all."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.ledger.running import ledger, spawn
from toolkit.sdk.http1 import Request, Response, serve
from toolkit.sdk.ledger import LedgerClient, LedgerFailed, pages

TASK = {
    "call": "c",
    "task": "t",
    "parent": "p",
    "function": "f",
    "receiver": "g",
    "state": "done",
    "depth": 0,
    "attempts": 1,
    "spawned_ns": 1,
    "ended_ns": 2,
    "version": 1,
}

NO_TEXT: tuple[Any, ...] = (None, 1, [], {})
NO_NUMBER: tuple[Any, ...] = (None, -1, 0.5, True, 1 << 63)


def page(*tasks: Any) -> bytes:
    return json.dumps({"tasks": tasks}).encode()


async def test_what_a_ledger_writes_is_taken() -> None:
    async with ledger() as client:
        await spawn(client, "t")
        (task,) = await client.changes()
        assert pages.tasks(page(task), 0) == [task]
        assert (await client.state())["open"] == 1
        assert await client.changes(task["version"]) == []


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b"null",
        b"[" * 100_000,
        b'{"tasks": null}',
        b'{"tasks": {}}',
        page(None),
        page([]),
        page({}),
        *(page({**TASK, name: value}) for name in ("call", "task", "receiver", "state") for value in NO_TEXT),
        *(page({**TASK, name: value}) for name in ("depth", "spawned_ns") for value in NO_NUMBER),
        page({**TASK, "ended_ns": "never"}),
        page({**TASK, "state": "weird"}),
        page({**TASK, "call": "x" * 2000}),
        page(TASK, TASK),
        page({**TASK, "version": 2}, TASK),
        page(*({**TASK, "version": number} for number in range(1, 1002))),
    ],
)
def test_what_no_ledger_writes_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"its|a task"):
        pages.tasks(body, 0)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"open": "1"}', b'{"open": 1, "tasks": null}'])
def test_a_state_is_counts(body: bytes) -> None:
    with pytest.raises(ValueError, match="its"):
        pages.state(body)


async def test_a_server_that_says_the_same_for_ever_is_not_asked_for_ever() -> None:
    async def same(_: Request) -> Response:
        return Response(200, (), page(TASK))

    server = await serve(same, "127.0.0.1", 0)
    client = LedgerClient(f"http://127.0.0.1:{server.port}/x")
    assert await client.changes(0) == [TASK]
    with pytest.raises(LedgerFailed, match="is no ledger: its versions do not rise") as failed:
        await client.changes(1)
    assert failed.value.code == "INTERNAL"
    with pytest.raises(LedgerFailed, match="is no ledger"):
        await client.state()
    with pytest.raises(LedgerFailed, match="is no ledger"):
        await client.stopped("c")
    await client.close()
    await server.close()
