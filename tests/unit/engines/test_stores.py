"""Stores before a local run, and what each function is given of the environment."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.manifests.samples import chain, function
from toolkit import plan
from toolkit.engines import stores
from toolkit.errors import EngineError, UsageError
from toolkit.plan import Plan
from toolkit.spec.model import Edge

S3 = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_PROFILE": "home", "HOME": "/root"}
REDIS = {"REDIS_URL": "redis://127.0.0.1:1"}


def carrying(transfer: Any, **store: str) -> Plan:
    """`a` calls `b` with this transfer, and `b` calls `c` inline."""
    edges = [Edge("a", "b", "call", method="link.Link/Send", transfer=transfer)]
    edges.append(Edge("b", "c", "call", method="link.Link/Send"))
    made = chain([function(name) for name in "abc"], edges)
    return plan.make(dataclasses.replace(made, store=store), "run-1")


def test_a_function_gets_what_its_transfers_need_and_nothing_else() -> None:
    made = carrying("s3", bucket="b")
    given = [set(stores.given(made, name, {**S3, **REDIS})) for name in "abc"]
    assert given == [{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}] * 2 + [set()]
    assert stores.given(carrying("redis"), "b", {**S3, **REDIS}) == REDIS
    assert stores.given(carrying("file"), "b", {**S3, **REDIS}) == {}


def test_the_wiring_holds_no_credentials(tmp_path: Path) -> None:
    made = stores.in_folder(carrying("s3", bucket="b"), tmp_path)
    assert "secret" not in made.wirings["a"].encode()


def test_the_folder_is_told_to_those_that_use_it(tmp_path: Path) -> None:
    made = stores.in_folder(carrying("file"), tmp_path)
    assert [made.wirings[name].store.get("folder") for name in "abc"] == [str(tmp_path), str(tmp_path), None]


@pytest.mark.parametrize(
    ("made", "environment", "why", "step"),
    [
        (carrying("s3", bucket="b"), {}, "no credentials", "AWS_ACCESS_KEY_ID"),
        (carrying("s3"), S3, "no bucket", "store: {bucket: NAME}"),
        (carrying("redis"), S3, "no server", "REDIS_URL"),
        (carrying("inline"), {}, None, None),
        (carrying("file"), {}, None, None),
        (carrying("stream"), {}, None, None),
        (carrying("redis", redis="redis://:word@host"), {}, "may hold a password", "take it out"),
    ],
)
def test_what_is_missing_is_said_before_anything_starts(
    made: Plan, environment: dict[str, str], why: str | None, step: str | None
) -> None:
    if why is None or step is None:
        stores.see_that_they_can_be_used(made, environment)
        return
    with pytest.raises(UsageError, match=why) as refused:
        stores.see_that_they_can_be_used(made, environment)
    assert step in (refused.value.next_step or "")


def test_a_library_that_is_missing_is_named_with_the_line_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "modules", {name: it for name, it in sys.modules.items() if name != "obstore"})
    with pytest.raises(UsageError, match="needs the library obstore") as refused:
        stores.see_that_they_can_be_used(carrying("s3", bucket="b"), S3)
    assert refused.value.next_step == "pip install 'kn-bench[s3]'"


async def test_a_server_that_is_not_there_is_told_with_a_next_step() -> None:
    pytest.importorskip("redis", reason="of the extra `redis`")
    with pytest.raises(EngineError, match=r"transfer redis: 127\.0\.0\.1:1: ") as failed:
        await stores.see_that_they_serve(carrying("redis"), REDIS)
    assert failed.value.next_step == "start it, or name another one"


async def test_an_end_without_its_server_is_told_and_fails_nothing(caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("redis", reason="of the extra `redis`")
    await stores.clear(carrying("redis"), REDIS)
    assert "may be left behind" in caplog.text
