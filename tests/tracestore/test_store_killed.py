"""A store that is killed has lost nothing that it acknowledged, and nothing in its file is torn."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.tracestore.asking import JSON, wire
from tests.tracestore.test_store_process import left, started, url
from toolkit.engines import zipkin_client
from toolkit.engines.tracestore import TraceFile
from toolkit.sdk.http1 import Client

KILLS, SENDERS = 5, 4
AFTER = (40, 3, 90, 11, 60)  # requests that were acknowledged before each kill


class Sent:
    """What was sent to one file: which spans were acknowledged, and every span there ever was."""

    def __init__(self) -> None:
        self.draw = random.Random(1)
        self.acknowledged: set[tuple[str, str]] = set()
        self.ever: dict[tuple[str, str], dict[str, Any]] = {}
        self.requests = self.answered = 0

    def next(self) -> list[dict[str, Any]]:
        """Spans of new traces, and of some that began a while ago."""
        self.requests += 1
        traces = [self.requests, max(1, self.requests - self.draw.randint(0, 30))] * 20
        spans = [
            wire(trace, self.requests * 100 + at, tags={"payload": "x" * self.draw.randint(0, 2000)})
            for at, trace in enumerate(traces)
        ]
        self.ever.update(((span["traceId"], span["id"]), span) for span in spans)
        return spans


async def send(base: str, sent: Sent, enough: asyncio.Event, after: int) -> None:
    """POST until the store is gone; `enough` is set when so many requests have been acknowledged."""
    client = Client()
    try:
        while True:
            spans = sent.next()
            body = json.dumps(spans).encode()
            answer = await client.request("POST", zipkin_client.spans_url(base), JSON, body, timeout_s=20)
            assert answer.status == 202
            sent.acknowledged.update((span["traceId"], span["id"]) for span in spans)
            sent.answered += 1
            if sent.answered >= after:
                enough.set()
    except OSError:  # it was killed
        pass
    finally:
        await client.close()


async def killed(file: Path, sent: Sent, after: int) -> None:
    async with started("--store", str(file)) as process:
        base, enough = await url(process), asyncio.Event()
        sent.answered = 0
        senders = [asyncio.create_task(send(base, sent, enough, after)) for _ in range(SENDERS)]
        async with asyncio.timeout(30):
            await enough.wait()
        process.kill()
        await left(process)
        await asyncio.gather(*senders)


def there(file: Path) -> dict[tuple[str, str], dict[str, Any]]:
    with TraceFile.open(file) as kept:
        spans = [span for text in kept.texts() for span in json.loads(b"[%b]" % text)]
    found = {(span["traceId"], span["id"]): span for span in spans}
    assert len(found) == len(spans), "a span is there twice"
    return found


async def test_what_was_acknowledged_survives_kill_after_kill(tmp_path: Path) -> None:
    file, sent = tmp_path / "spans.db", Sent()
    for after in AFTER[:KILLS]:
        await killed(file, sent, after)
        found = there(file)
        assert sent.acknowledged <= set(found)
        assert all(sent.ever[each] == span for each, span in found.items())
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as beside:
            assert beside.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    async with started("--store", str(file)) as process:
        base = await url(process)
        some = sorted({trace for trace, _ in sent.acknowledged})[-50:]
        got = {(span.trace, span.id) for span in await zipkin_client.spans(base, some)}
    assert {each for each in sent.acknowledged if each[0] in some} <= got
    assert sum(AFTER) <= sent.requests
