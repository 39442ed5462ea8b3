"""The token that rendered manifests have: the same again, and another user's is another one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from toolkit import catalog, plan
from toolkit.cli.ledger_tokens import token

PLAN = plan.make(catalog.load("counter"), "counter")


def test_the_same_manifests_have_the_same_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = token(PLAN, "space")
    assert token(PLAN, "space") == first
    assert len({first, token(PLAN, "other"), token(dataclasses.replace(PLAN, run="other"), "space")}) == 3
    (key,) = (tmp_path / "kn-bench").iterdir()
    assert key.stat().st_mode & 0o077 == 0
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another"))
    assert token(PLAN, "space") != first


def test_without_a_place_to_keep_a_key_the_token_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert token(PLAN, "space") != token(PLAN, "space")


def test_a_key_that_is_cut_off_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "kn-bench").mkdir()
    (tmp_path / "kn-bench" / "ledger-key").write_bytes(b"")
    assert token(PLAN, "space") != token(PLAN, "space")
