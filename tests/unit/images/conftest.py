"""Builds of these tests reach no network: pip finds its wheels in a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.images import surroundings


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return surroundings.wheels(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that all tests share, so that pip runs once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def offline(wheels: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return surroundings.rootfs(tmp_path / "base")


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    return surroundings.chain(tmp_path / "chain")
