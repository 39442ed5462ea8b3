"""Whole runs of the benchmark `payload` by every transfer: every check holds, and nothing is left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chains.running import Broken, outcome, red
from tests.transfers import servers
from tests.transfers.servers import Server
from toolkit import catalog
from toolkit.engines.local.engine import LocalDeployment, LocalEngine
from toolkit.errors import EngineError, UsageError
from toolkit.results import Load
from toolkit.sdk.transfers import Settings, TransferFailed, opened
from toolkit.spec.model import ChainSpec

LOAD = Load(requests=6, concurrency=3, timeout_s=30)
SIZE = 5 << 20  # more than gRPC lets through where nobody says otherwise
FORMS = ("payload", "payload-eventing")


def chain(form: str, transfer: str) -> ChainSpec:
    return catalog.load(form, {"transfer": transfer, "payload": str(SIZE), "bucket": servers.BUCKET})


@pytest.fixture
def _found(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("_found")
@pytest.mark.parametrize("form", FORMS)
async def test_every_checksum_is_right_and_nothing_is_left(
    form: str, transfer: str, environment: dict[str, str]
) -> None:
    made = await outcome(chain(form, transfer), load=LOAD)
    assert red(made.report) == set()
    assert "expected" in {check.name for check in made.report.checks}
    sizes = {
        int(span.tags["payload.transferred"]) for span in made.evidence.spans if "payload.transferred" in span.tags
    }
    assert sizes == {SIZE}
    if transfer != "file":
        store = opened(transfer, Settings.of({"bucket": servers.BUCKET}, environment))
        assert await store.delete_prefix(f"{form}/{made.report.run}") == 0
        await store.close()


async def test_a_streamed_call_takes_what_no_single_message_may() -> None:
    made = await outcome(chain("payload", "stream"), load=LOAD)
    assert red(made.report) == set()
    assert {span.name for span in made.evidence.spans if span.kind == "CLIENT" and span.service == "producer"} == {
        "link.link/stream"
    }


JOINED = """
name: joined
functions:
  split: {handler: "handlers.py:split"}
  work: {handler: "handlers.py:work"}
  gather: {handler: "handlers.py:gather", join: parts}
edges:
  - {from: split, to: work, via: event, count: 3, transfer: file}
  - {from: work, to: gather, via: event, transfer: file}
"""
HANDLERS = """
async def split(ctx, request):
    await ctx.scatter([bytes([part]) * (2 << 20) for part in range(3)])
    return "sent"

async def work(ctx, message):
    await ctx.emit(message)

async def gather(ctx, messages):
    assert sorted((each.data[0], len(each.data)) for each in messages) == [(part, 2 << 20) for part in range(3)]
"""


async def test_parts_that_wait_for_each_other_are_whole_when_they_are_together(tmp_path: Path) -> None:
    (tmp_path / "chain.yaml").write_text(JOINED)
    (tmp_path / "handlers.py").write_text(HANDLERS)
    made = await outcome(catalog.load(str(tmp_path / "chain.yaml"), {}), load=LOAD)
    assert red(made.report) == set()


@pytest.mark.stores
async def test_functions_of_other_transfers_get_no_credentials(s3_server: Server, tmp_path: Path) -> None:
    seen: list[dict[str, str]] = []

    async def look(deployment: LocalDeployment) -> None:
        for process in deployment.functions:
            text = Path(f"/proc/{process.pid}/environ").read_bytes().decode()
            seen.append(dict(each.split("=", 1) for each in text.split("\0") if "=" in each))

    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3_server.environment.items():
            patch.setenv(name, value)
        await outcome(chain("payload", "stream"), Broken(LocalEngine(logs=tmp_path), then=look), LOAD)
        await outcome(chain("payload", "s3"), Broken(LocalEngine(logs=tmp_path), then=look), LOAD)
    assert ["AWS_SECRET_ACCESS_KEY" in each for each in seen] == [False, False, True, True]
    assert servers.SECRET not in "".join(each["TOOLKIT_WIRING"] for each in seen)
    assert servers.SECRET not in "".join(path.read_text() for path in tmp_path.glob("*.log"))


@pytest.mark.stores
async def test_wrong_credentials_end_a_run_before_it_begins(s3_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**s3_server.environment, "AWS_SECRET_ACCESS_KEY": "another"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(EngineError, match="SignatureDoesNotMatch") as failed:
        await outcome(chain("payload", "s3"), load=LOAD)
    assert "AWS_SECRET_ACCESS_KEY" in (failed.value.next_step or "")


async def test_without_a_servers_address_nothing_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    with pytest.raises(UsageError, match="transfer redis has no server"):
        await outcome(chain("payload", "redis"), load=LOAD)


@pytest.mark.stores
async def test_a_server_that_dies_midway_fails_calls_and_says_which_transfer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        with servers.redis(tmp_path) as server:
            monkeypatch.setenv("REDIS_URL", server.environment["REDIS_URL"])

            async def end(deployment: LocalDeployment) -> None:
                server.end()

            made = await outcome(chain("payload", "redis"), Broken(LocalEngine(), then=end), LOAD)
    except servers.MissingError as missing:
        pytest.skip(str(missing))
    assert "answered" in red(made.report)
    assert {call.status for call in made.calls} == {"UNAVAILABLE"}
    with pytest.raises(TransferFailed):
        await opened("redis", Settings.of({}, server.environment)).get("c/r/call/m", 1)
